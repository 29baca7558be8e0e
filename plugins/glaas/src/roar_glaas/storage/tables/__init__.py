"""Every table of the registry, on one `metadata`. Readable as the schema's documentation.

Times are integers, microseconds since the epoch (`*_at_us`). Digests are raw bytes. What is
registered (`records`, `log`) is only ever inserted; `roar_glaas.storage.guards` has the database
refuse anything else.
"""

from roar_glaas.storage.tables.columns import metadata
from roar_glaas.storage.tables.log import leaf, log_key, node, record_bytes, tree_head, withheld
from roar_glaas.storage.tables.owners import owner, project
from roar_glaas.storage.tables.records import (
    artifact,
    artifact_fact,
    component,
    composite,
    digest_claim,
    edge,
    job,
    label,
    session,
)
from roar_glaas.storage.tables.staging import anonymous_use, registration, staged

__all__ = [
    "anonymous_use",
    "artifact",
    "artifact_fact",
    "component",
    "composite",
    "digest_claim",
    "edge",
    "job",
    "label",
    "leaf",
    "log_key",
    "metadata",
    "node",
    "owner",
    "project",
    "record_bytes",
    "registration",
    "session",
    "staged",
    "tree_head",
    "withheld",
]
