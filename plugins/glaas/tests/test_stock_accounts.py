"""The client that people use today signs in here, and registers where it says it does."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs
import pytest
from stock import Checkout, registered

from roar_glaas.access.caller import Role
from roar_glaas.access.people import Person, add_person
from roar_glaas.access.projects import add_organization, add_project, grant
from roar_glaas.access.ssh import add_key
from roar_glaas.access.tokens import issue_personal

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

pytestmark = [pytest.mark.slow, pytest.mark.needs("git")]

REGISTER = ("register", "-y", "end")


@pytest.fixture(scope="module")
def server(asked_often: Registry) -> Registry:
    """The registry that is signed in to."""
    return asked_often


@pytest.fixture
def user(recorded: Checkout, server: Registry, tmp_path: Path) -> Checkout:
    """Somebody new, who has not signed in."""
    return recorded.at(server).of(tmp_path / "home")


@attrs.frozen
class Lab:
    """Ada may write to cats and read dogs; bob, whose token this is, reads cats."""

    name: str
    ada: Person
    of_bob: str


@pytest.fixture
def lab(server: Registry) -> Lab:
    """A new one for each test."""
    with server.database() as database, database.write() as connection:
        ada, bob = (add_person(connection, f"{who}-{uuid4().hex[:8]}") for who in ("ada", "bob"))
        found = add_organization(connection, f"lab-{uuid4().hex[:8]}")
        cats, dogs = (add_project(connection, found, slug) for slug in ("cats", "dogs"))
        for where, person, role in (
            (cats, ada, Role.WRITER),
            (dogs, ada, Role.READER),
            (cats, bob, Role.READER),
        ):
            grant(connection, where, person, role)
        return Lab(found.name, ada, issue_personal(connection, bob.id, "", days=1))


def log_in(user: Checkout, registry: Registry, name: str) -> str:
    """`roar login`, approved at the server's command line; what it prints."""
    with subprocess.Popen(
        [user.client, "login", "--glaas-api-url", registry.url],
        cwd=user.folder,
        env=user.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = ""
        while "Enter this code" not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
        code = re.search(r"[A-Z]{4}-[A-Z]{4}", told)
        assert code is not None, told
        done = registry.glaas("user", "approve", code[0], "--user", name)
        assert done.returncode == 0, done.stderr
        told += process.stdout.read()
    assert process.returncode == 0, told
    return told


def status(registry: Registry, name: str, secret: str = "") -> int:
    """Of asking for a session."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return registry.client.get(f"/api/v1/sessions/{name}", headers=headers).status_code


def test_it_signs_in_registers_in_every_scope_and_signs_out(
    user: Checkout, server: Registry, lab: Lab
) -> None:
    assert f"Stored auth state for {lab.ada.name}" in log_in(user, server, lab.ada.name)
    assert lab.ada.name in user.roar("whoami")
    assert "Token accepted by server" in user.roar("auth", "status")

    private = registered(user, *REGISTER)
    file = user.home / ".config/roar/auth.json"
    auth: dict[str, Any] = json.loads(file.read_text())
    assert auth["user"]["db_user_id"] == lab.ada.public_id
    assert status(server, private) == status(server, private, lab.of_bob) == 404
    assert status(server, private, auth["access_token"]) == 200
    assert registered(user, *REGISTER) == private
    assert "tr s S" in user.elsewhere().roar("show", user.digest("end"), "--remote")

    listed = {line.split()[0]: line for line in user.roar("scope", "list").splitlines()[1:]}
    assert " yes" in listed[f"{lab.name}/cats"]
    assert " read-only" in listed[f"{lab.name}/dogs"]
    assert "not writable" in user.roar("scope", "use", f"{lab.name}/dogs", status=1)
    user.roar("scope", "use", f"{lab.name}/cats")
    of_lab = registered(user, *REGISTER)
    assert of_lab != private
    assert (status(server, of_lab), status(server, of_lab, lab.of_bob)) == (404, 200)

    user.roar("scope", "clear")
    assert registered(user, *REGISTER, "--public") == private
    assert status(server, private) == 200
    refused = user.roar(*REGISTER, "--private", status=1)
    assert "what was published cannot be taken back" in " ".join(refused.split())

    file.write_text(json.dumps(auth | {"expires_at": "2020-01-01T00:00:00Z"}))
    assert registered(user, *REGISTER, "--public") == private
    renewed = json.loads(file.read_text())["access_token"]
    assert renewed != auth["access_token"]
    assert status(server, of_lab, renewed) == 200
    user.roar("logout")
    assert not file.exists()
    assert status(server, of_lab, renewed) == 401


@pytest.mark.needs("ssh-keygen")
def test_it_signs_with_an_ssh_key(user: Checkout, server: Registry, lab: Lab) -> None:
    key = user.home / ".ssh" / "id_ed25519"
    key.parent.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    assert "Key not registered" in user.roar("auth", "status", status=1)
    with server.database() as database, database.write() as connection:
        add_key(connection, lab.ada, key.with_suffix(".pub").read_text())
        of_ada = issue_personal(connection, lab.ada.id, "", days=1)
    assert "Signature accepted by server" in user.roar("auth", "status")
    private = registered(user, *REGISTER, "--private")
    assert status(server, private) == status(server, private, lab.of_bob) == 404
    public = registered(user, *REGISTER, "--public")
    headers = {"Authorization": f"Bearer {of_ada}"}
    told = server.client.get("/api/v1/sessions", headers=headers).json()["sessions"]
    assert {(one["hash"], one["owner"], one["visibility"]) for one in told} == {
        (private, lab.ada.name, "private"),
        (public, lab.ada.name, "public"),
    }


def test_it_takes_a_token_from_a_file(
    user: Checkout, server: Registry, lab: Lab, tmp_path: Path
) -> None:
    with server.database() as database, database.write() as connection:
        secret = issue_personal(connection, lab.ada.id, "", days=1)
    file = tmp_path / "token.json"
    for given, code in (("glaas_of_nobody", 1), (secret, 0)):
        file.write_text(json.dumps({"access_token": given}))
        user.roar("login", "--token-file", str(file), status=code)
    assert status(server, registered(user, *REGISTER), secret) == 200
