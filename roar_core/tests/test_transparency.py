"""What both sides of a transparency log compute, against the answers of RFC 9162 and RFC 8032."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from roar_core.testing.certificate_transparency import LEAVES, ROOTS
from roar_core.transparency.continuing import (
    Seen,
    continuity_problems,
    key_problems,
    signature_problems,
)
from roar_core.transparency.merkle import (
    Growing,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
)
from roar_core.transparency.statements import LogKey, TreeHead, head_bytes, key_bytes
from roar_core.transparency.told import ToldError, head_of, keys_of, path_of, seen_of, seen_told
from roar_core.transparency.verifying import (
    key_at,
    verify_consistency,
    verify_head,
    verify_inclusion,
    verify_keys,
    verify_signature,
)

HASHES = [leaf_hash(b"", content) for content in LEAVES]


def root_of(leaves: list[bytes]) -> bytes:
    tree = Growing()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    return [root_of(leaves[slice(*part)]) for part in inclusion_ranges(index, len(leaves))]


def subproof(old: int, leaves: list[bytes]) -> list[bytes]:
    return [root_of(leaves[slice(*part)]) for part in consistency_ranges(old, len(leaves))]


def test_the_roots_are_the_known_ones() -> None:
    assert [root_of(HASHES[:size]).hex() for size in range(9)] == list(ROOTS)


def test_a_tree_goes_on_from_the_path_of_its_next_leaf() -> None:
    for size in range(8):
        tree = Growing.after(size, path(size, HASHES[: size + 1]))
        for end in range(size, 9):
            assert (tree.size, tree.root().hex()) == (end, ROOTS[end])
            tree.add(HASHES[end % 8])
    with pytest.raises(ValueError, match="zip"):
        Growing.after(5, [b"1" * 32])


def test_known_inclusion_and_consistency_proofs_hold() -> None:
    included = [
        bytes.fromhex(text)
        for text in (
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        )
    ]
    assert verify_inclusion(HASHES[5], 5, 8, included, bytes.fromhex(ROOTS[8]))
    assert included == path(5, HASHES)
    assert subproof(6, HASHES)[0].hex() == (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
    )


def test_nothing_but_the_very_proof_verifies() -> None:
    for size in range(1, 9):
        root = root_of(HASHES[:size])
        for index in range(size):
            steps = path(index, HASHES[:size])
            assert verify_inclusion(HASHES[index], index, size, steps, root)
            for other in range(-1, size + 2):
                assert verify_inclusion(HASHES[index], other, size, steps, root) == (other == index)
            for wrong in altered(steps):
                assert not verify_inclusion(HASHES[index], index, size, wrong, root)
        for old in range(size + 1):
            steps = subproof(old, HASHES[:size])
            before = root_of(HASHES[:old])
            assert verify_consistency(old, size, steps, before, root)
            for wrong in altered(steps):
                assert not verify_consistency(old, size, wrong, before, root)
            assert not verify_consistency(old, size, steps, b"\0" * 32, root)
            assert old == 0 or not verify_consistency(old, size, steps, before, b"\0" * 32)
    assert not verify_consistency(3, 2, [], root_of(HASHES[:3]), root_of(HASHES[:2]))


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


def a_log() -> tuple[TreeHead, list[LogKey], bytes, str]:
    """The head of a log of eight leaves, its one key, and salt and record of that."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    public = private.public_key().public_bytes_raw()
    signature = private.sign(key_bytes(public, None, 1))
    key = LogKey(public, None, 1, signature, signature, 0)
    root = bytes.fromhex(ROOTS[8])
    signed = private.sign(head_bytes(8, root, 9, key.key_id))
    return (
        TreeHead(8, root, 9, key.key_id, signed),
        [key],
        b"salt",
        f'{{"public":"{public.hex()}"}}',
    )


def test_a_log_that_goes_on_has_no_problems_and_any_other_has_one() -> None:
    head, keys, _, _ = a_log()
    assert signature_problems(head, keys) == []
    assert len(signature_problems(head._replace(at_us=8), keys)) == 1
    assert len(signature_problems(head, [])) == 2
    before = Seen(head._replace(size=5, root=bytes.fromhex(ROOTS[5])), (keys[0].key_id,))
    proof = subproof(5, HASHES)
    assert continuity_problems(before, head, keys, proof) == []
    assert "does not continue" in continuity_problems(before, head, keys, proof[1:])[0]
    assert "shrunk" in continuity_problems(before, head._replace(size=4), keys, [])[0]
    other = before._replace(keys=(b"another",))
    assert "history of keys" in continuity_problems(other, head, keys, proof)[0]
    # A key that the log had and has no more is another history too.
    longer = before._replace(keys=(*before.keys, b"next"))
    assert "history of keys" in continuity_problems(longer, head, keys, proof)[0]
    # Of one size there is one root.
    same = before._replace(head=head)
    assert continuity_problems(same, head, keys, []) == []
    assert continuity_problems(same, head._replace(root=b"r" * 32), keys, []) != []


def test_a_key_is_in_the_log_by_its_record() -> None:
    head, [key], salt, record = a_log()
    leaves = [leaf_hash(salt, record.encode()), *HASHES[1:]]
    head = head._replace(root=root_of(leaves))
    proof = path(0, leaves)
    assert key_problems(key, salt, record, proof, head) == []
    for wrong in ((b"other", record), (salt, record + " "), (salt, "{}"), (salt, "[" * 9999)):
        assert key_problems(key, *wrong, proof, head) != []
    assert key_problems(key, salt, record, proof[1:], head) != []


def test_what_is_told_is_read_as_it_was_said_or_refused() -> None:
    head, keys, _, _ = a_log()
    told = seen_told(head, keys)
    assert seen_of(told) == Seen(head, (keys[0].key_id,))
    for name in told["head"]:
        for wrong in (None, -1, True, 2**53, "zz", "00", 1.5, [], "é"):
            if name == "signature" and wrong == "00":
                continue  # of any length: whether it is one, checking it tells
            with pytest.raises(ToldError):
                head_of(told["head"] | {name: wrong})
    for none in (None, [], "x", {}, {"keys": None}, {"keys": [{}]}, {"path": 3}, {"path": [3]}):
        with pytest.raises(ToldError):
            keys_of(none)
        with pytest.raises(ToldError):
            path_of(none)
