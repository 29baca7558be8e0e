"""Proofs of the log against an independent reading of RFC 9162, and against known answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.testing.certificate_transparency import LEAVES, ROOTS
from roar_core.transparency.merkle import EMPTY_ROOT, leaf_hash
from roar_core.transparency.verifying import verify_consistency, verify_inclusion
from roar_glaas.log.appending import Record, append
from roar_glaas.log.proofs import consistency_proof, inclusion_proof, root_of
from roar_glaas.storage.database import open_database, sqlite_address
from roar_glaas.storage.migrations import migrate
from roar_glaas.storage.tables import leaf

MOST = 70


def mth(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, of leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], b: bool) -> list[bytes]:
    """RFC 9162, 2.1.4.1."""
    n = len(leaves)
    if m == n:
        return [] if b else [mth(leaves)]
    k = split(n)
    if m <= k:
        return [*subproof(m, leaves[:k], b), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[object, list[bytes]]]:
    """A connection to a log of 70 leaves, appended in uneven groups, and their hashes."""
    folder: Path = tmp_path_factory.mktemp("log")
    database = open_database(sqlite_address(folder / "glaas.db"))
    migrate(database)
    size = 0
    while size < MOST:
        group = [Record("job", {"n": n}) for n in range(size, min(MOST, size + 1 + size % 7))]
        with database.append() as connection:
            append(connection, group, 0)
        size += len(group)
    with database.read() as connection:
        rows = connection.execute(leaf.select().order_by(leaf.c.index))
        yield connection, [bytes(row.hash) for row in rows]
    database.dispose()


def test_the_reading_of_the_rfc_gives_the_known_roots() -> None:
    hashes = [leaf_hash(b"", content) for content in LEAVES]
    assert [mth(hashes[:size]).hex() for size in range(9)] == list(ROOTS)
    assert ROOTS[0] == EMPTY_ROOT.hex()


@given(size=st.integers(1, MOST), data=st.data())
def test_inclusion_proofs_are_those_of_the_rfc(
    log: tuple[object, list[bytes]], size: int, data: st.DataObject
) -> None:
    connection, leaves = log
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(connection, index, size)  # type: ignore[arg-type]
    assert proof.path == path(index, leaves[:size])
    assert proof.root == mth(leaves[:size]) == root_of(connection, size)  # type: ignore[arg-type]
    assert verify_inclusion(leaves[index], index, size, proof.path, proof.root)


@given(new=st.integers(1, MOST), data=st.data())
def test_consistency_proofs_are_those_of_the_rfc(
    log: tuple[object, list[bytes]], new: int, data: st.DataObject
) -> None:
    connection, leaves = log
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(connection, old, new)  # type: ignore[arg-type]
    assert proof.path == subproof(old, leaves[:new], True)
    assert verify_consistency(old, new, proof.path, mth(leaves[:old]), proof.root)
