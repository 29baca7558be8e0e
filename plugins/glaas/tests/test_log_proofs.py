"""Proofs of the log against an independent reading of RFC 9162, and against known answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_glaas.log.appending import Record, append
from roar_glaas.log.merkle import EMPTY_ROOT, leaf_hash
from roar_glaas.log.proofs import consistency_proof, inclusion_proof, root_of
from roar_glaas.log.statements import LogKey, TreeHead, head_bytes, key_bytes
from roar_glaas.log.verifying import (
    key_at,
    verify_consistency,
    verify_head,
    verify_inclusion,
    verify_keys,
    verify_signature,
)
from roar_glaas.storage.database import open_database, sqlite_address
from roar_glaas.storage.migrations import migrate
from roar_glaas.storage.tables import leaf

# The leaves and roots that implementations of Certificate Transparency test themselves with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
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


def test_known_inclusion_and_consistency_proofs_hold() -> None:
    hashes = [leaf_hash(b"", content) for content in LEAVES]
    included = [
        bytes.fromhex(text)
        for text in (
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        )
    ]
    assert verify_inclusion(hashes[5], 5, 8, included, bytes.fromhex(ROOTS[8]))
    assert included == path(5, hashes)
    assert subproof(6, hashes, True)[0].hex() == (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
    )


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


def test_nothing_but_the_very_proof_verifies() -> None:
    hashes = [leaf_hash(b"", content) for content in LEAVES]
    for size in range(1, 9):
        root = mth(hashes[:size])
        for index in range(size):
            steps = path(index, hashes[:size])
            assert verify_inclusion(hashes[index], index, size, steps, root)
            for other in range(-1, size + 2):
                assert verify_inclusion(hashes[index], other, size, steps, root) == (other == index)
            for wrong in altered(steps):
                assert not verify_inclusion(hashes[index], index, size, wrong, root)
        for old in range(size + 1):
            steps = subproof(old, hashes[:size], True) if old else []
            before = mth(hashes[:old])
            assert verify_consistency(old, size, steps, before, root)
            for wrong in altered(steps):
                assert not verify_consistency(old, size, wrong, before, root)
            assert not verify_consistency(old, size, steps, b"\0" * 32, root)
            assert old == 0 or not verify_consistency(old, size, steps, before, b"\0" * 32)
    assert not verify_consistency(3, 2, [], mth(hashes[:3]), mth(hashes[:2]))


def altered(steps: list[bytes]) -> Iterator[list[bytes]]:
    yield [*steps, b"\0" * 32]
    for place in range(len(steps)):
        yield steps[:place] + steps[place + 1 :]
        yield [*steps[:place], bytes([steps[place][0] ^ 1]) + steps[place][1:], *steps[place + 1 :]]


def test_ed25519_is_that_of_rfc_8032() -> None:
    """Section 7.1, tests 1 and 2."""
    for public, content, signature in (
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ):
        key, said, signed = (bytes.fromhex(text) for text in (public, content, signature))
        assert verify_signature(key, signed, said)
        assert not verify_signature(key, signed, said + b"!")
        assert not verify_signature(key[:-1], signed, said)


def test_a_head_is_good_only_when_the_key_in_force_signed_it() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = [Ed25519PrivateKey.generate() for _ in range(2)]
    public = [key.public_key().public_bytes_raw() for key in private]
    first = key_bytes(public[0], None, 1)
    old = LogKey(public[0], None, 1, private[0].sign(first), private[0].sign(first), 0)
    second = key_bytes(public[1], old.key_id, 2)
    new = LogKey(public[1], old.key_id, 2, private[0].sign(second), private[1].sign(second), 5)
    keys = [old, new]
    assert verify_keys(keys)
    assert not verify_keys([])
    assert not verify_keys([new])
    assert not verify_keys([old, new._replace(signature=private[1].sign(second))])
    assert not verify_keys([old, new._replace(own_signature=private[0].sign(second))])
    assert not verify_keys([old, new._replace(at_us=3)])
    assert [key_at(keys, size) for size in (0, 1, 5, 6)] == [None, old, old, new]
    root = b"r" * 32
    for size, good in ((5, 0), (6, 1)):
        for number, key in enumerate(keys):
            signature = private[number].sign(head_bytes(size, root, 9, key.key_id))
            head = TreeHead(size, root, 9, key.key_id, signature)
            assert verify_head(head, keys) == (number == good)
            assert not verify_head(head._replace(size=size + 1), keys)
            assert not verify_head(head._replace(root=b"s" * 32), keys)
