"""Which names a registry is asked for: what a REF names here, and where what is recorded ends.

Beyond what was recorded here somebody else's record may go on: who made the inputs that nobody here
made, and who used what was made here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from roar_core.errors import AmbiguousError, NotFoundError
from roar_core.registry.resolving.names import digits_in, digits_of_page, is_url

if TYPE_CHECKING:
    import sqlite3

    from roar_core.lineage.target import Target
    from roar_core.project import Project
    from roar_core.registry.resolving.asking import Direction
    from roar_core.store.writer import Store

_MOST_ENDS = 1_000


def names_asked(
    ref: str, local: Store | None, project: Project, direction: Direction, registry: str
) -> list[str]:
    """What to ask the registry because of `ref`; nothing when it can mean nothing there.

    Raises NotFoundError for a page of another registry, AmbiguousError for what several things here
    are called.
    """
    if is_url(ref):
        return [digits_of_page(ref, registry)]
    digits = digits_in(ref)
    names = [digits] if digits else []
    target = None if local is None else target_here(local, ref, project)
    if target is not None and local is not None:
        with local.reading() as db:
            names += _around(db, target, direction)
    elif digits is None and os.path.isfile(ref):  # noqa: PTH113 - names of any bytes
        from roar_core.hashing.digests import digest_file

        names.append(digest_file(os.path.realpath(ref)).digests["blake3"])
    return list(dict.fromkeys(names))


def target_here(local: Store, ref: str, project: Project) -> Target | None:
    """What `ref` names among what is recorded here. Raises AmbiguousError when it is several."""
    from roar_core.lineage.target import find_target

    try:
        return find_target(local, ref, project)
    except AmbiguousError:
        raise
    except NotFoundError:
        return None


def _around(db: sqlite3.Connection, target: Target, direction: Direction) -> list[str]:
    from roar_core.lineage.closure import downstream, upstream
    from roar_core.lineage.edges import Used, inputs_of, outputs_of

    used: list[Used]
    if direction == "downstream":
        users = db.execute(
            "SELECT job FROM edge WHERE direction = 0 "
            "AND artifact IN (SELECT value FROM json_each(?))",
            (f"[{','.join(map(str, target.artifacts))}]",),
        )
        starts = [*target.jobs, *(row[0] for row in users)]
        used = outputs_of(db, downstream(db, starts).distances)
    elif direction == "near":
        used = [] if target.kind == "artifact" else inputs_of(db, target.jobs, only_roots=True)
    else:
        used = inputs_of(db, upstream(db, target.jobs).distances, only_roots=True)
    hashes = [target.hash, *(one.hash for one in used[:_MOST_ENDS])]
    if target.kind == "job":  # its hash is that of what was done, and its outputs say more
        hashes += [one.hash for one in outputs_of(db, target.jobs)[:_MOST_ENDS]]
    return [digits for name in hashes if name and (digits := digits_in(name))]
