"""SSH keys: requests signed with `ssh-keygen -Y sign -n glaas` (protocol, section 1.1).

The format of signatures is OpenSSH's PROTOCOL.sshsig; that of keys and of the inner signatures,
RFC 4253 section 6.6 and RFC 5656 section 3.1.2, RSA as RFC 8332 has it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from roar_glaas.access.naming import checked_title
from roar_glaas.access.people import Person
from roar_glaas.errors import BadRequest, Conflict, NotFound, Unauthenticated
from roar_glaas.moments import now_us, written
from roar_glaas.storage.tables import owner, ssh_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import SSHPublicKeyTypes

NAMESPACE = b"glaas"
_MAGIC = b"SSHSIG"
_VERSION = 1
_LONGEST_KEY = 8192
_SHORTEST_RSA_BITS = 2048
_HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_KINDS = "keys are ed25519, RSA of 2048 bits or more, or ECDSA"


def add_key(connection: sa.Connection, person: Person, text: str, title: str = "") -> str:
    """Let somebody sign requests with a key, the line of its .pub file; its fingerprint.

    Raises BadRequest for what is no key that we can check, Conflict for one that is taken.
    """
    words = text.split(None, 2)
    kind, blob = _checked_key(words)
    fingerprint = fingerprint_of(blob)
    values = {
        "owner_id": person.id,
        "fingerprint": fingerprint,
        "public_key": f"{kind} {base64.b64encode(blob).decode()}",
        "title": checked_title(title or (words[2] if len(words) > 2 else ""), "the title"),
        "created_at_us": now_us(),
    }
    try:
        connection.execute(sa.insert(ssh_key), values)
    except sa.exc.IntegrityError as error:
        raise Conflict("this key is registered already; one key stands for one person") from error
    return fingerprint


def remove_key(connection: sa.Connection, person: Person, fingerprint: str) -> None:
    """Refuse from now on what a key signs. Raises NotFound."""
    gone = connection.execute(
        sa.delete(ssh_key).where(
            ssh_key.c.owner_id == person.id, ssh_key.c.fingerprint == fingerprint
        )
    )
    if not gone.rowcount:
        raise NotFound(f"{person.name} has no key {fingerprint[:64]}")


def keys_of(connection: sa.Connection, person: Person) -> list[dict[str, Any]]:
    """What there is to be told of somebody's keys."""
    rows = connection.execute(
        sa.select(ssh_key).where(ssh_key.c.owner_id == person.id).order_by(ssh_key.c.id)
    )
    return [
        {
            "user": person.name,
            "fingerprint": row.fingerprint,
            "title": row.title,
            "public_key": row.public_key,
            "created_at": written(row.created_at_us),
        }
        for row in rows
    ]


def fingerprint_of(blob: bytes) -> str:
    """The fingerprint as OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def signer(connection: sa.Connection, fingerprint: str) -> tuple[int, bytes]:
    """The owner id and the key of a fingerprint. Raises Unauthenticated with the remedy."""
    row = connection.execute(
        sa.select(ssh_key.c.owner_id, ssh_key.c.public_key)
        .join(owner, owner.c.id == ssh_key.c.owner_id)
        .where(ssh_key.c.fingerprint == fingerprint)
    ).one_or_none()
    if row is None:
        raise Unauthenticated(
            "this SSH key is unknown here; have it added: glaas user key add NAME FILE.pub"
        )
    return row.owner_id, base64.b64decode(row.public_key.split()[1])


def check_signature(key: bytes, signature: bytes, message: bytes) -> None:
    """Raises Unauthenticated unless `signature` is an SSHSIG of `message` with `key`, for us."""
    reader = _Reader(signature)
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != _VERSION:
        raise _malformed()
    signed_with, namespace, reserved, hash_name, inner = (reader.text() for _ in range(5))
    if reader.rest() or hash_name not in _HASHES:
        raise _malformed()
    if namespace != NAMESPACE:
        raise Unauthenticated("the signature was made for something else, not in namespace glaas")
    if signed_with != key:
        raise Unauthenticated("the signature is of another key than keyid names")
    digest = _HASHES[hash_name](message).digest()
    content = _MAGIC + b"".join(
        len(part).to_bytes(4, "big") + part for part in (namespace, reserved, hash_name, digest)
    )
    parts = _Reader(inner)
    algorithm, value = parts.text(), parts.text()
    if parts.rest():
        raise _malformed()
    _verify(key, algorithm, value, content)


def _verify(key: bytes, algorithm: bytes, value: bytes, content: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    loaded = _load(key)
    try:
        if isinstance(loaded, ed25519.Ed25519PublicKey) and algorithm == b"ssh-ed25519":
            loaded.verify(value, content)
            return
        if isinstance(loaded, rsa.RSAPublicKey):
            # "ssh-rsa" itself means SHA-1, which anybody can forge.
            of_rsa = {b"rsa-sha2-256": hashes.SHA256(), b"rsa-sha2-512": hashes.SHA512()}
            if algorithm in of_rsa:
                loaded.verify(value, content, padding.PKCS1v15(), of_rsa[algorithm])
                return
        if isinstance(loaded, ec.EllipticCurvePublicKey):
            bits = loaded.curve.key_size
            of_size = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
            if algorithm == b"ecdsa-sha2-nistp%d" % bits and bits in of_size:
                pair = _Reader(value)
                numbers = [int.from_bytes(pair.text(), "big") for _ in range(2)]
                loaded.verify(encode_dss_signature(*numbers), content, ec.ECDSA(of_size[bits]))
                return
    except InvalidSignature as error:
        raise Unauthenticated("the signature is not of this request; sign it again") from error
    raise _malformed()


def _checked_key(words: list[str]) -> tuple[str, bytes]:
    """The kind and the bytes of a public key's line; raises BadRequest."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        blob = base64.b64decode(words[1], validate=True) if len(words) > 1 else b""
        key = _load(blob) if len(blob) <= _LONGEST_KEY else None
    except (binascii.Error, ValueError, Unauthenticated):
        key = None
    if key is None:
        raise BadRequest(
            f"this is no public SSH key that can be used: give the line of a .pub file; {_KINDS}"
        )
    is_strong = isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SHORTEST_RSA_BITS
    )
    kind = _Reader(blob).text().decode("ascii")
    if not is_strong or kind != words[0]:
        raise BadRequest(f"no support for this {words[0][:64]!r} key: {_KINDS}")
    return kind, blob


def _load(blob: bytes) -> SSHPublicKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    kind = _Reader(blob).text()
    try:
        return load_ssh_public_key(kind + b" " + base64.b64encode(blob))
    # NotImplementedError: it reads no compressed points of curves.
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:
        raise _malformed() from error


def _malformed() -> Unauthenticated:
    return Unauthenticated("this is no SSH signature that can be checked; sign with ssh-keygen")


class _Reader:
    """Reads RFC 4251's numbers and strings from bytes that anybody may have sent."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, length: int) -> bytes:
        found = self._content[self._at : self._at + length]
        if len(found) != length:
            raise _malformed()
        self._at += length
        return found

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def text(self) -> bytes:
        return self.take(self.number())

    def rest(self) -> bytes:
        return self._content[self._at :]
