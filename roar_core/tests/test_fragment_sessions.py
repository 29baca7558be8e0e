"""What a registry is shown decrypts nothing, and pieces make a whole in any order."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from roar_core.errors import ConfigError
from roar_core.fragment_sessions.pieces import Wholes, packed, piece_at, read_piece
from roar_core.fragment_sessions.run_session import is_asked_for
from roar_core.fragment_sessions.sealing import Seal, token_hash_of, token_of
from roar_core.fragment_sessions.sending import redacted
from roar_core.fragment_sessions.session import VARIABLE, Session, taken_from
from roar_core.fragment_sessions.spool import spool_of
from roar_core.redaction import DEFAULT, mask, mask_named

DOCUMENT = {"files": [f"/data/{number:05}" for number in range(5000)]}


def test_the_token_is_no_key_and_tells_none() -> None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    session = Session.new("https://registry.example")
    token = token_of(session)
    assert token_hash_of(session) == hashlib.sha256(token.encode()).hexdigest()
    assert len(token) == 64
    sealed = Seal(session).close(b"plain")
    assert Seal(session).open(sealed) == b"plain"
    for key in (bytes.fromhex(token), hashlib.sha256(token.encode()).digest()):
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(sealed[:12], sealed[12:], None)
    other = session._replace(secret=bytes(32))
    for strange in (sealed[:-1], sealed[:5], b"", Seal(other).close(b"plain")):
        with pytest.raises(ValueError, match="not encrypted for this session"):
            Seal(session).open(strange)


def test_a_session_passes_as_text_that_every_masker_knows() -> None:
    for url in ("https://registry.example", "http://127.0.0.1:8723", "https://[::1]:8443"):
        session = Session.new(url)
        assert Session.from_text(session.text) == session
        environ = {VARIABLE: session.text, "HOME": "/home/ada"}
        assert taken_from(environ) == session
        assert environ == {"HOME": "/home/ada"}
        secret = session.secret.hex()
        line = f"sbatch: environment: OTHER=1 {session.text} and more"
        assert secret not in mask(line).text
        assert secret not in mask_named(VARIABLE, session.text).text
        assert secret not in repr(session)


@pytest.mark.parametrize("text", ["", "x", "https://h", "http://a:b@h", "https://[", "ftp://x:y@z"])
def test_what_is_no_session_is_refused_without_repeating_it(text: str) -> None:
    name = "0" * 8 + "-0000-4000-8000-" + "0" * 12
    with pytest.raises(ValueError, match="no fragment session, expected https://SESSION"):
        Session.from_text(text)
    with pytest.raises(ValueError, match="no fragment session"):
        Session.from_text(f"https://{name}:{'ab' * 31}@registry.example")
    with pytest.raises(ValueError, match="no fragment session"):
        Session.from_text(f"http://{name}:{'ab' * 32}@registry.example")  # not by TLS


def test_pieces_make_a_whole_in_any_order_size_and_number() -> None:
    whole, wholes = packed(DOCUMENT), Wholes()
    sizes = (700, 1000)
    pieces = [piece_at(whole, at, s) for s in sizes for at in range(0, len(whole), s)] * 2
    random.Random(7).shuffle(pieces)
    for piece in pieces:
        wholes.add(read_piece(piece))
    [(name, document)] = wholes.documents()
    assert document == DOCUMENT
    assert name == hashlib.sha256(whole).hexdigest()


def test_what_lacks_a_piece_or_lies_about_itself_is_no_document() -> None:
    whole, wholes = packed(DOCUMENT), Wholes()
    for at in range(0, len(whole) - 1000, 1000):
        wholes.add(read_piece(piece_at(whole, at, 1000)))
    assert [document for _, document in wholes.documents()] == [None]
    lying, other = bytearray(piece_at(whole, 0, len(whole))), Wholes()
    lying[-1] ^= 1
    other.add(read_piece(bytes(lying)))
    assert [document for _, document in other.documents()] == [None]
    for strange in (b"", bytes(47), bytes(49)):
        with pytest.raises(ValueError, match="piece"):
            read_piece(strange)


def test_what_leaves_is_masked_although_it_is_encrypted() -> None:
    fragment = {
        "command": ["train", "--api-key", "hunter2-not-a-real-password"],
        "read": [{"path": "/data/password=hunter2-not-a-real-password/in", "size": 1}],
        "written": [],
        "coverage": [],
    }
    for document in (fragment, {"roar_osmo": 1, "fragment": fragment}):
        told = redacted(document, DEFAULT)
        assert "hunter2" not in str(told)
        [reason] = told.get("fragment", told)["coverage"]
        assert (reason["code"], reason["count"]) == ("redacted", 1)


def test_a_spool_is_nobody_else_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    session = Session.new("https://registry.example")
    spool = spool_of(session)
    assert spool == spool_of(session)
    assert (spool.stat().st_mode | spool.parent.stat().st_mode) & 0o077 == 0
    spool.parent.chmod(0o777)
    assert spool_of(session).parent == tmp_path != spool.parent


def test_a_checkout_cannot_have_anything_sent(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path / "home")}
    assert not is_asked_for(tmp_path, environ)
    assert is_asked_for(tmp_path, {**environ, "ROAR_FRAGMENTS__CARRIER": "registry"})
    assert not is_asked_for(tmp_path, {**environ, "ROAR_NO_TELEMETRY": "1"})
    (tmp_path / "roar.toml").write_text('[fragments]\ncarrier = "registry"\n')
    with pytest.raises(ConfigError, match=r"roar.toml: fragments.carrier is for you alone to set"):
        is_asked_for(tmp_path, environ)
