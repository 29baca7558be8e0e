"""SSH keys that sign requests: which one, whether it is a pair, and signing with ssh-keygen.

What is signed, and how, is section 1.1 of the protocol; the format of a private key's file is
OpenSSH's PROTOCOL.key. The public half is read from the private file itself, which never needs a
passphrase, so that a stray .pub beside it is noticed rather than believed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from roar_core.config.layers import Config
from roar_core.errors import ConfigError

NAMES = ("id_ed25519", "id_rsa", "id_ecdsa")
_VARIABLE = "ROAR_SSH_KEY"
_NAMESPACE = "glaas"
_MAGIC = b"openssh-key-v1\0"
_MOST_BYTES = 64 << 10
_SIGNING_S = 60  # somebody may have to touch a token, or to answer their agent


@attrs.frozen
class SshKey:
    """A key pair. `path` is what ssh-keygen is given; `public` the line of the public half.

    `is_named`: the user chose it, rather than that it lies where keys lie. `is_locked`: a
    passphrase is needed, or its agent, since the private half is closed or not here.
    """

    path: Path
    public: str
    is_named: bool
    is_locked: bool

    @property
    def fingerprint(self) -> str:
        """As OpenSSH and registries write it."""
        return fingerprint_of(self.public)


def fingerprint_of(public: str) -> str:
    """`SHA256:…` of a public key's line."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def find_key(config: Config, environ: Mapping[str, str]) -> SshKey | None:
    """The key that signs: of ROAR_SSH_KEY, of registry.ssh_key, or the first of ~/.ssh; None.

    Raises ConfigError for one that was named and is not there, and for halves that are no pair.
    """
    named = environ.get(_VARIABLE, "").strip()
    by = _VARIABLE
    if not named:
        named, by = config.get("registry.ssh_key").strip(), "registry.ssh_key"
    home = environ.get("HOME", "")
    if named:
        path = Path(home, named[2:]) if named.startswith("~/") and home else Path(named)
        if not path.is_file():
            raise ConfigError(f"{by} names {str(path)!r}, and there is no such key")
        return _key(path.absolute(), environ, is_named=True)
    if not home.startswith("/"):
        return None
    paths = [Path(home, ".ssh", name) for name in NAMES]
    found = next((path for path in paths if path.is_file()), None)
    return None if found is None else _key(found, environ, is_named=False)


def signature(key: SshKey, message: bytes, environ: Mapping[str, str]) -> str:
    """The signature of `message` in the header's form. Raises ConfigError saying what is missing.

    A locked key is signed with by its agent. Nobody is asked for a passphrase: a command makes many
    requests, and each would ask again.
    """
    command = ("ssh-keygen", "-Y", "sign", "-n", _NAMESPACE, "-f", str(key.path))
    done = _ssh_keygen(command, environ, message)
    armour = done.stdout.decode("ascii", "replace").split("-----")
    if done.returncode or len(armour) < 3:
        if key.is_locked:
            raise ConfigError(
                f"the SSH key {key.path} needs a passphrase and no ssh-agent holds it; run"
                f" ssh-add {key.path.with_suffix('') if _is_public(key.path) else key.path},"
                " or sign in: roar login"
            )
        raise ConfigError(f"ssh-keygen cannot sign with {key.path}: {_last_line(done.stderr)}")
    return "".join(armour[2].split())


def message_of(at_s: int, method: str, target: str, body: bytes) -> bytes:
    """What is signed of a request; `target` is the path with the query."""
    lines = [str(at_s), method, target]
    if body:
        lines.append(hashlib.sha256(body).hexdigest())
    return "\n".join(lines).encode()


def header(key: SshKey, at_s: int, signed: str) -> str:
    """The value of `Authorization`."""
    return f'Signature keyid="{key.fingerprint}" ts="{at_s}" sig="{signed}"'


def now_s() -> int:
    return int(time.time())


def _key(path: Path, environ: Mapping[str, str], *, is_named: bool) -> SshKey:
    if _is_public(path):  # the private half is in an agent, or on a token behind one
        return SshKey(path, _public_line(path), is_named, is_locked=True)
    beside = path.with_name(f"{path.name}.pub")
    stated = _public_line(beside) if beside.is_file() else ""
    own, is_locked = _halves(path, environ)
    if own and stated and fingerprint_of(own) != fingerprint_of(stated):
        raise ConfigError(
            f"{path} and {beside.name} beside it are no pair; write the public half anew:"
            f" ssh-keygen -y -f {path} > {beside}"
        )
    if not (own or stated):
        raise ConfigError(
            f"{path} is no SSH key that can be read without its passphrase, and has no"
            f" {beside.name} beside it"
        )
    return SshKey(path, own or stated, is_named, is_locked)


def _halves(path: Path, environ: Mapping[str, str]) -> tuple[str, bool]:
    """The public line in a private key's file, empty when unreadable; whether it is locked."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"the SSH key {path} cannot be read: {error.strerror}") from error
    if b"OPENSSH PRIVATE KEY" in content:
        try:
            return _of_openssh(content)
        except (binascii.Error, ValueError, IndexError):
            return "", True
    # An older format, whose public half only its opener can tell.
    done = _ssh_keygen(("ssh-keygen", "-y", "-P", "", "-f", str(path)), environ, b"")
    line = done.stdout.decode("ascii", "replace").strip()
    return ("", True) if done.returncode or not line else (line, False)


def _of_openssh(content: bytes) -> tuple[str, bool]:
    blob = base64.b64decode(b"".join(content.split(b"-----")[2].split()), validate=True)
    if not blob.startswith(_MAGIC):
        raise ValueError("another version of the format")
    fields, at = [], len(_MAGIC)
    for number in range(5):  # cipher, kdf, its options, how many keys, the first public one
        if number == 3:
            at += 4
            continue
        length = int.from_bytes(blob[at : at + 4], "big")
        fields.append(blob[at + 4 : at + 4 + length])
        at += 4 + length
    public = fields[3]
    kind = public[4 : 4 + int.from_bytes(public[:4], "big")].decode("ascii")
    if not kind:
        raise ValueError("it ends too early")
    return f"{kind} {base64.b64encode(public).decode()}", fields[0] != b"none"


def _public_line(path: Path) -> str:
    """The first two words of a .pub file. Raises ConfigError."""
    try:
        with path.open(encoding="ascii", errors="replace") as stream:
            words = stream.read(_MOST_BYTES).split(None, 2)[:2]
        base64.b64decode(words[1], validate=True)
    except (OSError, IndexError, binascii.Error, ValueError) as error:
        raise ConfigError(f"{path} is no public SSH key") from error
    return " ".join(words)


def _is_public(path: Path) -> bool:
    return path.suffix == ".pub"


def _ssh_keygen(
    command: tuple[str, ...], environ: Mapping[str, str], given: bytes
) -> subprocess.CompletedProcess[bytes]:
    """Run it without a terminal, which it would ask for a passphrase. Raises ConfigError."""
    quiet = {"LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}
    try:
        return subprocess.run(
            command,
            input=given,
            capture_output=True,
            env={**environ, **quiet},
            timeout=_SIGNING_S,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            "signing with an SSH key needs ssh-keygen: apt install openssh-client"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"ssh-keygen did not sign within {_SIGNING_S} s; does your ssh-agent answer?"
        ) from error


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else "it says no reason"
