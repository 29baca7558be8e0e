"""Keys made by the real ssh-keygen sign as it verifies, and what cannot sign says why."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from roar_core.config.layers import Config, load
from roar_core.errors import ConfigError
from roar_core.registry import ssh

pytestmark = pytest.mark.needs("ssh-keygen")

MESSAGE = ssh.message_of(1_700_000_000, "POST", "/api/v1/x?y=1", b"{}")


@attrs.define
class Home:
    """A home directory, and the keys in it."""

    folder: Path
    environ: dict[str, str]

    @property
    def config(self) -> Config:
        return load(None, None, self.environ)

    def key(self, name: str = ".ssh/id_ed25519", *options: str, passphrase: str = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        kind = options or ("-t", "ed25519")
        command = ["ssh-keygen", "-q", *kind, "-N", passphrase, "-C", "", "-f", path]
        subprocess.run(command, check=True)
        return path

    def found(self) -> ssh.SshKey:
        found = ssh.find_key(self.config, self.environ)
        assert found is not None
        return found

    def refusal(self) -> str:
        with pytest.raises(ConfigError) as caught:
            ssh.find_key(self.config, self.environ)
        return str(caught.value)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, {"HOME": str(tmp_path), "PATH": os.environ["PATH"]})


@pytest.fixture
def agent(home: Home) -> Iterator[Home]:
    """A home whose user has an agent."""
    socket = home.folder / "agent"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, env=home.environ
    )
    assert process.stdout is not None
    process.stdout.readline()  # it listens before it says where
    home.environ["SSH_AUTH_SOCK"] = str(socket)
    yield home
    process.terminate()
    process.communicate()


def is_verified(home: Home, key: ssh.SshKey) -> bool:
    """Whether `ssh-keygen -Y verify` takes the signature for the key's."""
    signed = ssh.signature(key, MESSAGE, home.environ)
    assert base64.b64decode(signed, validate=True).startswith(b"SSHSIG")
    armour = "\n".join(textwrap.wrap(signed, 70))
    file, allowed = home.folder / "sig", home.folder / "allowed"
    file.write_text(f"-----BEGIN SSH SIGNATURE-----\n{armour}\n-----END SSH SIGNATURE-----\n")
    allowed.write_text(f"me {key.public}\n")
    command = ["ssh-keygen", "-Y", "verify", "-n", "glaas", "-I", "me", "-f", allowed, "-s", file]
    return not subprocess.run(command, input=MESSAGE, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ed25519"),
        ("-t", "rsa", "-b", "2048"),
        ("-t", "ecdsa", "-b", "384"),
        ("-t", "rsa", "-b", "2048", "-m", "PEM"),
    ],
    ids=" ".join,
)
def test_every_kind_of_key_signs(home: Home, options: tuple[str, ...]) -> None:
    path = home.key(f".ssh/id_{options[1]}", *options)
    found = home.found()
    listed = subprocess.run(["ssh-keygen", "-l", "-f", path], capture_output=True, text=True)
    assert found.fingerprint == listed.stdout.split()[1]
    assert (found.is_locked, found.is_named) == (False, False)
    assert is_verified(home, found)


def test_without_its_public_half_beside_it_a_key_signs_too(home: Home) -> None:
    home.key().with_suffix(".pub").unlink()
    assert is_verified(home, home.found())


def test_the_key_is_the_one_that_was_named_else_the_first(home: Home) -> None:
    assert ssh.find_key(home.config, home.environ) is None
    ecdsa = home.key(".ssh/id_ecdsa", "-t", "ecdsa")
    assert home.found().path == ecdsa
    first = home.key()
    assert home.found().path == first
    in_config = home.key("mine")
    file = home.folder / ".config/roar/global.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[registry]\nssh_key = "~/mine"\n')
    assert (home.found().path, home.found().is_named) == (in_config, True)
    home.environ["ROAR_SSH_KEY"] = str(ecdsa)
    assert home.found().path == ecdsa
    home.environ["ROAR_SSH_KEY"] = "~/none"
    assert "ROAR_SSH_KEY names" in home.refusal()


def test_a_project_cannot_choose_the_key(home: Home) -> None:
    (home.folder / "roar.toml").write_text('[registry]\nssh_key = "/etc/key"\n')
    with pytest.raises(ConfigError, match=r"registry\.ssh_key is for you alone to set"):
        load(home.folder, None, home.environ)


def test_halves_of_two_keys_are_no_pair(home: Home) -> None:
    path, other = home.key(), home.key("other")
    shutil.copy(other.with_suffix(".pub"), path.with_suffix(".pub"))
    assert f"{path} and id_ed25519.pub beside it are no pair" in home.refusal()


def test_a_passphrase_needs_an_agent(agent: Home) -> None:
    path = agent.key(passphrase="canary-passphrase")
    found = agent.found()
    assert found.is_locked
    with pytest.raises(ConfigError, match=f"needs a passphrase and no ssh-agent .* ssh-add {path}"):
        ssh.signature(found, MESSAGE, agent.environ)
    helper = agent.folder / "askpass"
    helper.write_text("#!/bin/sh\necho canary-passphrase\n")
    helper.chmod(0o700)
    asking = {"SSH_ASKPASS": str(helper), "SSH_ASKPASS_REQUIRE": "force"}
    add = ["ssh-add", "-q", path]
    subprocess.run(add, check=True, env=agent.environ | asking, capture_output=True)
    assert is_verified(agent, found)


def test_a_key_that_only_an_agent_holds_is_named_by_its_public_half(agent: Home) -> None:
    path = agent.key("token")
    subprocess.run(["ssh-add", "-q", path], check=True, env=agent.environ, capture_output=True)
    path.unlink()
    agent.environ["ROAR_SSH_KEY"] = f"{path}.pub"
    assert is_verified(agent, agent.found())


def test_without_ssh_keygen_it_says_what_to_install(home: Home) -> None:
    home.key()
    home.environ["PATH"] = "/nonexistent"
    with pytest.raises(ConfigError, match="apt install openssh-client"):
        ssh.signature(home.found(), MESSAGE, home.environ)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 99,
        b"-----BEGIN OPENSSH PRIVATE KEY-----",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END-----",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
        + base64.b64encode(b"openssh-key-v1\0" + b"\xff" * 40)
        + b"\n-----END",
    ],
)
def test_what_is_no_key_is_called_none(home: Home, content: bytes) -> None:
    path = home.folder / "id"
    path.write_bytes(content)
    home.environ["ROAR_SSH_KEY"] = str(path)
    assert "is no SSH key" in home.refusal()
