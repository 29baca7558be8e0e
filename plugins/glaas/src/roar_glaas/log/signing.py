"""Sign the log: a tree head in every transaction that adds to it, and the keys it is done with."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa

from roar_core.transparency.statements import TreeHead, head_bytes, key_bytes
from roar_glaas.errors import GlaasError, Unavailable
from roar_glaas.log.appending import Record, append
from roar_glaas.log.keyfile import SigningKey, install_next, load_key, make_key
from roar_glaas.log.proofs import root_of
from roar_glaas.moments import now_us
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import leaf, log_key, tree_head

_log = logging.getLogger(__name__)
_NOT_OURS = (
    "the log is signed with key {wanted}…, which is not in {data}: copy tree-head.key there from "
    "a server of this log, or from a backup"
)


class Signer:
    """Signs the tree that a transaction leaves behind, before it commits.

    So nothing that was acknowledged lies outside of a signed head, and, as one transaction at a
    time appends (`Database.append`), no two heads of one size exist.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._key: SigningKey | None = None

    def seal(self, connection: sa.Connection) -> None:
        """Sign the tree when it has grown; call it at the end of a `Database.append`.

        Raises Unavailable when the log's key was rotated elsewhere and is not here.
        """
        size, signed, wanted = connection.execute(
            sa.select(
                sa.select(sa.func.max(leaf.c.index)).scalar_subquery() + 1,
                sa.select(sa.func.max(tree_head.c.size)).scalar_subquery(),
                _newest_key(),
            )
        ).one()
        if size is None or size == signed:
            return
        key = self.key(bytes(wanted))
        root, now = root_of(connection, size), now_us()
        signature = key.sign(head_bytes(size, root, now, key.id))
        head = TreeHead(size, root, now, key.id, signature)
        connection.execute(sa.insert(tree_head), head._asdict())

    def key(self, wanted: bytes) -> SigningKey:
        """The key of this id, from the file if need be; raises Unavailable."""
        if self._key is None or self._key.id != wanted:
            self._key = load_key(self._data, wanted)
        if self._key is None:
            _log.error(_NOT_OURS.format(wanted=wanted.hex()[:12], data=self._data))
            raise Unavailable(
                "this server lacks the key that the log is signed with now, so it takes nothing; "
                "whoever keeps it has to copy the key to it"
            )
        return self._key


def begin_log(database: Database, data: Path) -> Signer:
    """Have every append to the log be signed; makes the log's first key when it has none.

    Raises GlaasError when the log has a key that is not in `data`.
    """
    signer = Signer(data)
    database.seal = signer.seal
    with database.append() as connection:
        wanted = connection.execute(sa.select(_newest_key())).scalar()
        if wanted is None:
            key = load_key(data, None) or make_key(data)
            _append_key(connection, key, None)
            return signer
        install_next(data, bytes(wanted))
        if load_key(data, bytes(wanted)) is None:
            raise GlaasError(_NOT_OURS.format(wanted=bytes(wanted).hex()[:12], data=data))
    return signer


def rotate_key(database: Database, signer: Signer, data: Path) -> SigningKey:
    """Have a new key follow the one in force, which signs that and is then gone; returns it.

    The record that names the new key is under the first head that the new key signs.
    """
    with database.append() as connection:
        old = signer.key(key_in_force(connection))
        new = make_key(data, following=True)
        _append_key(connection, new, old)
    # Not before the log has it: had the transaction failed, the old key would still be needed.
    install_next(data, new.id)
    return new


def key_in_force(connection: sa.Connection) -> bytes:
    """The id of the key that signs the log now."""
    return bytes(connection.execute(sa.select(_newest_key())).scalar_one())


def _append_key(connection: sa.Connection, key: SigningKey, old: SigningKey | None) -> None:
    now = now_us()
    content = key_bytes(key.public, old.id if old else None, now)
    told = {
        "public": key.public.hex(),
        "previous": old.id.hex() if old else None,
        "at_us": now,
        "signature": (old or key).sign(content).hex(),
        "own_signature": key.sign(content).hex(),
    }
    (index,) = append(connection, [Record("key", told)], now)
    connection.execute(
        sa.insert(log_key), {"id": key.id, "public": key.public, "leaf_index": index}
    )


def _newest_key() -> sa.ScalarSelect[bytes]:
    newest = sa.select(log_key.c.id).order_by(log_key.c.leaf_index.desc()).limit(1)
    return newest.scalar_subquery()
