"""Every table of the registry, on one `metadata`. Readable as the schema's documentation.

Times are integers, microseconds since the epoch (`*_at_us`). Digests are raw bytes. What is
registered (`records`, `log`) is only ever inserted; `roar_glaas.storage.guards` has the database
refuse anything else.
"""

from roar_glaas.storage.tables.accounts import (
    account,
    device_code,
    membership,
    project_member,
    signature_seen,
    ssh_key,
    token,
)
from roar_glaas.storage.tables.columns import metadata
from roar_glaas.storage.tables.log import leaf, log_key, node, record_bytes, tree_head, withheld
from roar_glaas.storage.tables.owners import owner, project
from roar_glaas.storage.tables.passing import fragment, fragment_session, telemetry_count
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
from roar_glaas.storage.tables.search import label_value
from roar_glaas.storage.tables.staging import (
    anonymous_use,
    legacy_session,
    owner_use,
    registration,
    staged,
)
from roar_glaas.storage.tables.web import sign_in_attempt, web_session

__all__ = [
    "account",
    "anonymous_use",
    "artifact",
    "artifact_fact",
    "component",
    "composite",
    "device_code",
    "digest_claim",
    "edge",
    "fragment",
    "fragment_session",
    "job",
    "label",
    "label_value",
    "leaf",
    "legacy_session",
    "log_key",
    "membership",
    "metadata",
    "node",
    "owner",
    "owner_use",
    "project",
    "project_member",
    "record_bytes",
    "registration",
    "session",
    "sign_in_attempt",
    "signature_seen",
    "ssh_key",
    "staged",
    "telemetry_count",
    "token",
    "tree_head",
    "web_session",
    "withheld",
]
