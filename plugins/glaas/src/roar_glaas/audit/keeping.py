"""Records about the log itself: its keys, and what was withheld."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roar_core.transparency.statements import LogKey, withheld_bytes
from roar_core.transparency.verifying import key_at, verify_keys, verify_signature
from roar_glaas.audit.findings import Findings
from roar_glaas.audit.records import Kept
from roar_glaas.storage.tables import leaf, log_key, withheld


def check_key(
    connection: sa.Connection, findings: Findings, keys: list[LogKey], record: Kept
) -> None:
    """Add the key that a record names to `keys`, when its predecessor signed it."""
    key = None if record.document is None else key_of(record.document, record.leaf_index)
    if key is None or not verify_keys([*keys, key]):
        findings.add(
            f"record {record.leaf_index} names a key of the log that the key before did not sign",
            record.leaf_index,
        )
        return
    keys.append(key)
    row = connection.execute(
        sa.select(log_key).where(log_key.c.leaf_index == record.leaf_index)
    ).one_or_none()
    if row is None or (bytes(row.id), bytes(row.public)) != (key.key_id, key.public):
        findings.add(
            f"the row of the key in record {record.leaf_index} says another key", record.leaf_index
        )


def check_withheld(
    connection: sa.Connection, findings: Findings, keys: list[LogKey], record: Kept
) -> None:
    """Whether the log's key signed that a record was withheld, and the row says the same."""
    said = record.document or {}
    is_signed = False
    try:
        content = withheld_bytes(
            said["leaf"], bytes.fromhex(said["hash"]), said["reason"], said["at_us"]
        )
        key = key_at(keys, record.leaf_index)
        signature = bytes.fromhex(said["signature"])
        is_signed = key is not None and verify_signature(key.public, signature, content)
    except (KeyError, TypeError, ValueError):
        is_signed = False
    if not is_signed:
        findings.add(
            f"record {record.leaf_index} says that something was withheld, but the log's key did "
            "not sign that",
            record.leaf_index,
        )
        return
    row = connection.execute(
        sa.select(withheld, leaf.c.hash)
        .join(leaf, leaf.c.index == withheld.c.leaf_index)
        .where(withheld.c.record_index == record.leaf_index)
    ).one_or_none()
    found = row and (row.leaf_index, row.reason, row.at_us, bytes(row.hash).hex())
    if found != (said["leaf"], said["reason"], said["at_us"], said["hash"]):
        findings.add(
            f"record {record.leaf_index} says that record {said['leaf']} was withheld, and its row "
            "does not",
            record.leaf_index,
        )


def key_of(said: dict[str, Any], index: int) -> LogKey | None:
    """The key that a record names; None when it is malformed."""
    try:
        return LogKey(
            bytes.fromhex(said["public"]),
            None if said["previous"] is None else bytes.fromhex(said["previous"]),
            said["at_us"],
            bytes.fromhex(said["signature"]),
            bytes.fromhex(said["own_signature"]),
            index,
        )
    except (KeyError, TypeError, ValueError):
        return None
