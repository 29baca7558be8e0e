"""Withhold a record: the one operation that destroys bytes. Leaf, proofs and digests stay."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_core.transparency.statements import withheld_bytes
from roar_glaas.door import Door
from roar_glaas.errors import GlaasError
from roar_glaas.log.appending import Record, append
from roar_glaas.log.signing import Signer, key_in_force
from roar_glaas.moments import now_us
from roar_glaas.storage.blanking import TABLES_OF, blank
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import leaf, record_bytes, withheld

_MOST_REASON = 500


class Withholding(NamedTuple):
    """What was withheld, and the record of the log that says so."""

    leaf_index: int
    kind: str
    record_index: int
    reason: str


def withhold(
    connection: sa.Connection, signer: Signer, leaf_index: int, reason: str
) -> Withholding:
    """Destroy the salt and the bytes of a record, and blank the rows that were taken from it.

    A signed record of it is appended first, which anybody may read. Call it in `Database.append`.
    Raises GlaasError when there is no such record, when it is withheld already, when it is of a
    kind that is about the log itself, and for a reason that is no line of text.
    """
    if not 0 < len(reason) <= _MOST_REASON or not reason.isprintable():
        raise GlaasError(f"the reason must be one line of at most {_MOST_REASON} characters")
    reason = Door().text(reason, "reason")
    found = find_record(connection, leaf_index)
    record_index = _withhold_bytes(connection, signer, leaf_index, reason)
    blank(connection, found.kind, leaf_index)
    return Withholding(leaf_index, found.kind, record_index, reason)


def _withhold_bytes(connection: sa.Connection, signer: Signer, leaf_index: int, reason: str) -> int:
    """Append the signed record, and destroy bytes and salt; returns the index of the former."""
    digest = bytes(
        connection.execute(sa.select(leaf.c.hash).where(leaf.c.index == leaf_index)).scalar_one()
    )
    now = now_us()
    key = signer.key(key_in_force(connection))
    content = withheld_bytes(leaf_index, digest, reason, now)
    document = {
        "leaf": leaf_index,
        "hash": digest.hex(),
        "reason": reason,
        "at_us": now,
        "signature": key.sign(content).hex(),
    }
    (index,) = append(connection, [Record("withheld", document)], now)
    # First: the guards let pass what this row names.
    connection.execute(
        sa.insert(withheld),
        {"leaf_index": leaf_index, "reason": reason, "at_us": now, "record_index": index},
    )
    connection.execute(sa.delete(record_bytes).where(record_bytes.c.leaf_index == leaf_index))
    return index


def find_record(connection: sa.Connection, leaf_index: int) -> Any:
    """The kind, leaf hash and bytes of a record that can be withheld; raises GlaasError."""
    row = connection.execute(
        sa.select(leaf.c.kind, leaf.c.hash, record_bytes.c.bytes)
        .outerjoin(record_bytes, record_bytes.c.leaf_index == leaf.c.index)
        .where(leaf.c.index == leaf_index)
    ).one_or_none()
    if row is None:
        raise GlaasError(f"the log has no record {leaf_index}; `logIndex` of an answer names one")
    if row.kind not in TABLES_OF:
        kinds = ", ".join(TABLES_OF)
        raise GlaasError(
            f"record {leaf_index} is of kind {row.kind}; only {kinds} records can be withheld"
        )
    if row.bytes is None:
        raise GlaasError(f"record {leaf_index} is withheld already")
    return row


def scrub(database: Database) -> None:
    """Have the database overwrite what was removed, as far as it can be told to.

    SQLite rewrites its file and empties its journal; PostgreSQL may use the room again. Raises
    GlaasError while others keep the database busy. Copies and backups keep what they have.
    """
    connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with connection:
            if not database.is_postgresql:
                # The index of commands keeps what was deleted until its parts are merged.
                connection.exec_driver_sql("INSERT INTO job_words(job_words) VALUES ('optimize')")
            connection.exec_driver_sql("VACUUM")
            if not database.is_postgresql:
                checkpoint = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                if checkpoint.one()[0]:
                    raise GlaasError(_BUSY)
    except sa.exc.OperationalError as error:
        raise GlaasError(_BUSY) from error


_BUSY = (
    "the record is withheld, but its bytes are still in free parts of the database's file, which "
    "is busy; run `glaas withhold --scrub` when it is quiet"
)
