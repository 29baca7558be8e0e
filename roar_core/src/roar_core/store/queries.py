"""The read side of the session database: every question, from the module of its subject."""

from __future__ import annotations

from roar_core.store.closures import Closures
from roar_core.store.composites import Composites
from roar_core.store.object_versions import ObjectVersions
from roar_core.store.references import References


class Queries(References, Closures, Composites, ObjectVersions):
    """Jobs and sessions (`jobs`), artifacts and paths, references to them, datasets, versions of
    objects, and lineage hashes."""
