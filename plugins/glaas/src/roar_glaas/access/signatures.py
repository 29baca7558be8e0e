"""Signed requests: `Signature keyid="…",ts="…",sig="…"`, good for one request, for five minutes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

import sqlalchemy as sa

from roar_glaas.access.ssh import check_signature
from roar_glaas.errors import Unauthenticated
from roar_glaas.moments import SECOND_US, now_us
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.tables import signature_seen

WINDOW_S = 300
_FIELD = re.compile(r'\b(keyid|ts|sig)="([^"]*)"')
_READING = ("GET", "HEAD")


class Signed(NamedTuple):
    """What a header says: which key, when, and the SSHSIG."""

    keyid: str
    ts: str
    signature: bytes


def parse(given: str) -> Signed:
    """The header's fields, however they are separated. Raises Unauthenticated."""
    fields = dict(_FIELD.findall(given))
    try:
        signature = base64.b64decode(fields["sig"], validate=True)
        return Signed(fields["keyid"], fields["ts"], signature)
    except (KeyError, binascii.Error, ValueError) as error:
        raise Unauthenticated('a signature has the form keyid="…" ts="…" sig="…"') from error


def message_of(ts: str, method: str, target: str, body: bytes) -> bytes:
    """What is signed: time, method, path with query, and the digest of a body that is not empty."""
    lines = [ts, method, target]
    if body:
        lines.append(hashlib.sha256(body).hexdigest())
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def check(key: bytes, signed: Signed, message: bytes) -> None:
    """Raises Unauthenticated unless the key signed just this message, and just now."""
    is_number = signed.ts.isascii() and signed.ts.isdigit() and len(signed.ts) < 16
    off_s = int(signed.ts) - now_us() // SECOND_US if is_number else None
    if off_s is None or abs(off_s) > WINDOW_S:
        raise Unauthenticated(
            f"the signature's time is off by more than {WINDOW_S} seconds; set this clock right"
        )
    check_signature(key, signed.signature, message)


def changes_something(method: str) -> bool:
    """Whether a signature of such a request may be used once only."""
    return method not in _READING


def use_up(connection: sa.Connection, signed: Signed, message: bytes) -> None:
    """Note that a key made this request. Raises Unauthenticated the second time.

    Not the signature tells it, but what was signed: from one of ECDSA anybody can make another.
    """
    now = now_us()
    connection.execute(sa.delete(signature_seen).where(signature_seen.c.expires_at_us < now))
    statement = insert_of(connection)(signature_seen).values(
        hash=hashlib.sha256(signed.keyid.encode() + b"\0" + message).digest(),
        expires_at_us=(int(signed.ts) + WINDOW_S + 1) * SECOND_US,
    )
    once = statement.on_conflict_do_nothing().returning(signature_seen.c.hash)
    if connection.execute(once).first() is None:
        raise Unauthenticated("this signature was used before; sign again, a second later")
