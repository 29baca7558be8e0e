"""Requests signed by the real `ssh-keygen`, and what is wrong with others."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import attrs
import httpx
import pytest

from roar_glaas.access.people import Person, add_person, set_disabled
from roar_glaas.access.ssh import add_key, fingerprint_of, keys_of, remove_key
from roar_glaas.errors import BadRequest, Conflict, GlaasError, NotFound

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

pytestmark = pytest.mark.needs("ssh-keygen")

OPEN = "/api/v1/registration-sessions"
PROBE = "/api/v1/sessions?limit=1"


@attrs.frozen
class Key:
    """A key pair in files."""

    file: Path

    @property
    def public(self) -> str:
        return self.file.with_suffix(".pub").read_text()

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(base64.b64decode(self.public.split()[1]))

    def header(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        namespace: str = "glaas",
        off_s: int = 0,
        keyid: str = "",
    ) -> dict[str, str]:
        """The recipe of the protocol, section 1.1, word by word."""
        ts = str(int(time.time()) + off_s)
        message = f"{ts}\n{method}\n{target}".encode()
        if body:
            message += b"\n" + hashlib.sha256(body).hexdigest().encode()
        done = subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-f", self.file, "-n", namespace],
            input=message,
            capture_output=True,
            check=True,
        )
        sig = "".join(done.stdout.decode().splitlines()[1:-1])
        keyid = keyid or self.fingerprint
        return {"Authorization": f'Signature keyid="{keyid}" ts="{ts}" sig="{sig}"'}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Key]:
    """One key of each kind that is supported, and one that is too short."""
    folder = tmp_path_factory.mktemp("keys")
    made = {}
    for name, bits in (
        ("ed25519", 0),
        ("rsa", 2048),
        ("ecdsa", 256),
        ("ecdsa", 521),
        ("rsa", 1024),
    ):
        file = folder / f"{name}{bits or ''}"
        size = ["-b", str(bits)] if bits else []
        command = ["ssh-keygen", "-q", "-t", name, *size, "-N", "", "-C", "a note", "-f", file]
        subprocess.run(command, check=True)
        made[file.name] = Key(file)
    return made


@pytest.fixture(scope="module")
def people(shared: Registry, keys: dict[str, Key]) -> dict[str, Person]:
    """Somebody for each key."""
    with shared.database() as database, database.write() as connection:
        found = {
            name: add_person(connection, f"p{uuid4().hex[:12]}")
            for name in keys
            if name != "rsa1024"
        }
        for name, person in found.items():
            assert add_key(connection, person, keys[name].public) == keys[name].fingerprint
    return found


def ask(registry: Registry, headers: dict[str, str], target: str = PROBE) -> httpx.Response:
    return registry.client.get(target, headers=headers)


@pytest.mark.parametrize("name", ["ed25519", "rsa2048", "ecdsa256", "ecdsa521"])
def test_a_signature_stands_for_whose_key_made_it(
    shared: Registry, keys: dict[str, Key], people: dict[str, Person], name: str
) -> None:
    key, target = keys[name], "/api/v1/auth/me?x=%2f&y="
    me = ask(shared, key.header("GET", target), target).json()
    assert me["data"]["user"]["username"] == people[name].name
    body = b'{"client_session_id": "%s"}' % uuid4().hex.encode()
    headers = {"Content-Type": "application/json", **key.header("POST", OPEN, body)}
    assert shared.client.post(OPEN, content=body, headers=headers).status_code == 201


def test_a_change_is_made_once_and_a_reading_as_often_as_wanted(
    shared: Registry, keys: dict[str, Key], people: dict[str, Person]
) -> None:
    # Of ECDSA, whose signatures differ each time: what was signed is what counts.
    key = keys["ecdsa256"]
    reading = key.header("GET", PROBE)
    assert [ask(shared, reading).status_code for _ in range(3)] == [200] * 3
    body = b'{"client_session_id": "%s"}' % uuid4().hex.encode()
    headers = {"Content-Type": "application/json", **key.header("POST", OPEN, body)}
    codes = [shared.client.post(OPEN, content=body, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in codes] == [201, 401, 401]
    assert "used before" in codes[1].json()["detail"]


def test_another_request_than_was_signed_is_refused(
    shared: Registry, keys: dict[str, Key], people: dict[str, Person]
) -> None:
    key = keys["ed25519"]
    signed = key.header("GET", PROBE)
    assert ask(shared, signed, "/api/v1/sessions?limit=2").status_code == 401
    assert ask(shared, signed, "/api/v1/auth/me").status_code == 401
    assert shared.client.post("/api/v1/auth/logout", headers=signed).status_code == 401
    body = b'{"client_session_id": "%s"}' % uuid4().hex.encode()
    for signed_body in (b"", b"{}"):
        headers = {"Content-Type": "application/json", **key.header("POST", OPEN, signed_body)}
        answer = shared.client.post(OPEN, content=body, headers=headers)
        assert answer.status_code == 401, answer.text


@pytest.mark.parametrize("off_s", [-100_000, -310, 310, 2**40])
def test_a_clock_that_is_off_is_told(
    shared: Registry, keys: dict[str, Key], people: dict[str, Person], off_s: int
) -> None:
    answer = ask(shared, keys["ed25519"].header("GET", PROBE, off_s=off_s))
    assert (answer.status_code, "clock" in answer.json()["detail"]) == (401, True)
    near = ask(shared, keys["ed25519"].header("GET", PROBE, off_s=290 if off_s > 0 else -290))
    assert near.status_code == 200


def test_a_signature_for_something_else_is_refused(
    shared: Registry, keys: dict[str, Key], people: dict[str, Person]
) -> None:
    key, other = keys["ed25519"], keys["rsa2048"]
    for headers, word in (
        (key.header("GET", PROBE, namespace="git"), "namespace"),
        (key.header("GET", PROBE, keyid=other.fingerprint), "another key"),
        (keys["rsa1024"].header("GET", PROBE), "unknown here"),
    ):
        answer = ask(shared, headers)
        assert (answer.status_code, word in answer.json()["detail"]) == (401, True), answer.text


@pytest.mark.parametrize("name", ["ed25519", "rsa2048", "ecdsa521"])
def test_no_byte_of_a_signature_can_be_changed(
    shared: Registry, keys: dict[str, Key], people: dict[str, Person], name: str
) -> None:
    text = keys[name].header("GET", PROBE)["Authorization"]
    sig = re.search(r'sig="([^"]*)"', text)
    assert sig is not None
    blob = base64.b64decode(sig[1])
    step = max(1, len(blob) // 60)
    for place in range(0, len(blob), step):
        wrong = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
        changed = text.replace(sig[1], base64.b64encode(wrong).decode())
        assert ask(shared, {"Authorization": changed}).status_code == 401
    for wrong in (blob[:-1], blob + b"\0", b"", b"SSHSIG", blob[:6] + b"\xff" * 20):
        changed = text.replace(sig[1], base64.b64encode(wrong).decode())
        assert ask(shared, {"Authorization": changed}).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Signature",
        'Signature keyid="x"',
        'Signature keyid="x" ts="1" sig="%%"',
        'Signature keyid="x" ts="nan" sig=""',
        'Signature keyid="x" ts="' + "9" * 5000 + '" sig="AAAA"',
        'Signature sig="' * 2000,
    ],
)
def test_what_is_no_signature_is_refused(refusing: Registry, header: str) -> None:
    assert ask(refusing, {"Authorization": header}).status_code == 401


def test_a_key_that_was_removed_or_whose_owner_is_disabled_opens_nothing(
    shared: Registry, keys: dict[str, Key], tmp_path: Path
) -> None:
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    key = Key(file)
    with shared.database() as database:
        with database.write() as connection:
            person = add_person(connection, f"p{uuid4().hex[:12]}")
            add_key(connection, person, key.public, "laptop")
            set_disabled(connection, person, True)
        assert "disabled" in ask(shared, key.header("GET", PROBE)).json()["detail"]
        with database.write() as connection:
            set_disabled(connection, person, False)
            (told,) = keys_of(connection, person)
        assert (told["title"], told["fingerprint"]) == ("laptop", key.fingerprint)
        with pytest.raises(Conflict), database.write() as connection:
            add_key(connection, add_person(connection, f"p{uuid4().hex[:12]}"), key.public)
        assert ask(shared, key.header("GET", PROBE)).status_code == 200
        with database.write() as connection:
            remove_key(connection, person, key.fingerprint)
        with pytest.raises(NotFound), database.write() as connection:
            remove_key(connection, person, key.fingerprint)
    assert ask(shared, key.header("GET", PROBE)).status_code == 401


def test_what_is_no_key_to_be_trusted_is_not_added(
    refusing: Registry, keys: dict[str, Key]
) -> None:
    kind, blob = keys["ed25519"].public.split()[:2]
    curve = keys["ecdsa256"].public.split()
    point = base64.b64decode(curve[1])
    compressed = base64.b64encode(point[:-65] + b"\x02" + point[-64:]).decode()
    wrong = [
        *("", "x", kind, f"{kind} ", f"{kind} %%", f"ssh-rsa {blob}", f"{kind} {blob[:20]}"),
        *(f"{kind} {blob}AAAA", keys["rsa1024"].public, keys["rsa2048"].file.read_text()),
        f"{curve[0]} {compressed}",
        *("\0", kind + " " + "A" * 100_000, "sk-ssh-ed25519@openssh.com AAAA"),
    ]
    with refusing.database() as database, database.write() as connection:
        person = add_person(connection, f"p{uuid4().hex[:12]}")
        for line in wrong:
            with pytest.raises(BadRequest, match=r"keys are ed25519, RSA of 2048"):
                add_key(connection, person, line)
        assert issubclass(BadRequest, GlaasError)


@pytest.mark.slow
def test_the_command_line_adds_lists_and_removes_keys(
    refusing: Registry, keys: dict[str, Key], tmp_path: Path
) -> None:
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    key, name = Key(file), f"p{uuid4().hex[:12]}"
    assert refusing.glaas("user", "add", name).returncode == 0
    done = refusing.glaas("user", "key", "add", name, "-", stdin=key.public)
    assert key.fingerprint in done.stdout, done.stderr
    assert ask(refusing, key.header("GET", PROBE)).status_code == 200
    assert key.fingerprint in refusing.glaas("user", "key", "list", name).stdout
    assert refusing.glaas("user", "key", "remove", name, key.fingerprint).returncode == 0
    assert ask(refusing, key.header("GET", PROBE)).status_code == 401
