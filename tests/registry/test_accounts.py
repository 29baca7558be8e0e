"""Signing in at real registries, with real keys, and staying so."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs
import pytest
import sqlalchemy as sa
from browsing import signed_in as visitor_of
from browsing import somebody
from jsonschema import Draft202012Validator

from roar_core.config.layers import load
from roar_core.errors import UnauthorisedError
from roar_core.registry.accounts import account_of, signed_in
from roar_core.registry.connection import Connection, connect
from roar_core.registry.scopes import intent_of
from roar_core.testing.projects import ProjectUnderTest, Result
from roar_glaas.access.people import Person
from roar_glaas.access.ssh import add_key
from roar_glaas.access.tokens import issue_pair, issue_personal
from roar_glaas.storage.tables import token

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

_DOCUMENTS = Path(__file__).parents[2] / "roar_core/src/roar_core/schemas/documents.json"
DOCUMENT = Draft202012Validator(json.loads(_DOCUMENTS.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def server(asked_often: Registry) -> Registry:
    """The registry that is signed in to."""
    return asked_often


@attrs.define
class Here:
    """Somebody's machine: a home, a project, and the registry that the settings name."""

    project: ProjectUnderTest
    registry: Registry
    warnings: list[str] = attrs.field(factory=list)

    @property
    def file(self) -> Path:
        return self.project.home / ".config/roar/auth.json"

    @property
    def kept(self) -> dict[str, Any]:
        """What is kept about the registry."""
        found = json.loads(self.file.read_text())["registries"]
        return dict(found[self.registry.url])

    @property
    def environ(self) -> dict[str, str]:
        return self.project.environment()

    def connect(self, *, anonymous: bool = False) -> Connection:
        config = load(self.project.root, self.project.root / ".roar", self.environ)
        return connect(config, self.environ, anonymous=anonymous, warn=self.warnings.append)

    def intent(self, **flags: bool) -> Any:
        config = load(self.project.root, self.project.root / ".roar", self.environ)
        with self.connect() as connection:
            return intent_of(connection, config, **flags)

    def roar(self, *words: str, status: int = 0, **environ: str) -> Result:
        done = self.project.roar(*words, environ=environ)
        assert done.exit_code == status, done.stdout + done.stderr
        return done

    def keep(self, **login: Any) -> None:
        """Write a log-in as if made long ago."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        whole = {"registries": {self.registry.url: {"login": login}}}
        self.file.write_text(json.dumps(whole))

    def logged_in(self, *, ends_in_s: float = 3600) -> Person:
        """Somebody new, signed in with a token that ends so soon."""
        person = somebody(self.registry)
        with self.registry.database() as database, database.write() as connection:
            pair = issue_pair(connection, person.id, "roar-cli")
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ends_in_s))
        self.keep(
            access_token=pair.access,
            refresh_token=pair.refresh,
            expires_at=ends,
            user={"id": person.public_id, "username": person.name},
        )
        return person

    def key(self, name: str = "id_ed25519") -> Path:
        path = self.project.home / ".ssh" / name
        path.parent.mkdir(exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path]
        subprocess.run(command, check=True)
        return path

    def registers(self, person: Person, key: Path) -> None:
        with self.registry.database() as database, database.write() as connection:
            add_key(connection, person, key.with_suffix(".pub").read_text())


@pytest.fixture
def here(project: ProjectUnderTest, server: Registry) -> Here:
    project.environ["ROAR_REGISTRY__URL"] = server.url
    return Here(project, server)


def starts(here: Here, *words: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*here.project.roar_argv, *words],
        cwd=here.project.root,
        env=here.project.environment(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_somebody_signs_in_by_a_code_stays_and_signs_out(here: Here) -> None:
    person = somebody(here.registry)
    opened = here.project.root / "opened"
    browser = here.project.write("browser", f'#!/bin/sh\n(echo "$1"; env) > {opened}\n')
    browser.chmod(0o700)
    canary = "canary-not-a-real-token"
    with starts(here, "login", "--json", BROWSER=f"{browser} %s", ROAR_TOKEN=canary) as process:
        assert process.stdout is not None
        code = json.loads(process.stdout.readline())
        assert (code["type"], code["address"]) == ("login_code", f"{here.registry.url}/device")
        fields = {"code": code["user_code"], "approve": "yes"}
        assert visitor_of(here.registry, person).post("/device", fields).status_code == 200
        title = Path(f"/proc/{process.pid}/cmdline").read_text()
        account = json.loads(process.stdout.readline())
        _, words = process.communicate()
    assert process.returncode == 0, words
    DOCUMENT.validate(code)
    DOCUMENT.validate(account)
    assert f"enter this code: {code['user_code']}" in words
    assert opened.read_text().partition("\n")[0] == code["page"]
    assert canary not in opened.read_text() + words + title
    assert account["user"]["name"] == person.name
    assert (account["credential"], account["accepted"], account["renewable"]) == (
        "login",
        True,
        True,
    )

    assert stat.S_IMODE(here.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(here.file.parent.stat().st_mode) == 0o700
    secrets = [here.kept["login"][name] for name in ("access_token", "refresh_token")]
    assert not any(secret in words + json.dumps(account) for secret in secrets)

    assert here.roar("whoami").stdout == f"{person.name} at {here.registry.url} (log-in)\n"
    assert "accepted    yes" in here.roar("auth", "status").stdout
    again = here.roar("login", status=1)
    assert f"already, as {person.name}; to sign in anew: roar login --force" in again.stderr
    here.roar("logout")
    assert "nobody was signed in" in here.roar("logout").stderr
    assert "nobody is signed in" in here.roar("whoami", status=1).stderr
    for path in ("sessions", "auth/me"):
        headers = {"Authorization": f"Bearer {secrets[0]}"}
        answer = here.registry.client.get(f"/api/v1/{path}", headers=headers)
        assert answer.status_code == 401


@pytest.mark.slow
def test_a_log_in_that_is_refused_or_given_up_leaves_nothing(here: Here) -> None:
    person = somebody(here.registry)
    with starts(here, "login", "--json") as process:
        assert process.stdout is not None
        code = json.loads(process.stdout.readline())
        fields = {"code": code["user_code"], "deny": "yes"}
        visitor_of(here.registry, person).post("/device", fields)
        _, words = process.communicate()
    assert (process.returncode, words.splitlines()[-1]) == (
        *(1, f"roar: somebody refused this log-in at {here.registry.url}"),
    )
    with starts(here, "login", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, words = process.communicate()
    assert (process.returncode, words.splitlines()[-1]) == (130, "roar: interrupted")
    assert not here.file.exists()


def test_a_token_in_a_file_is_tried_before_it_is_kept(here: Here) -> None:
    person = somebody(here.registry)
    with here.registry.database() as database, database.write() as connection:
        secret = issue_personal(connection, person.id, "ci", days=1)
    here.project.write("bad", "canary-not-a-real-token\n")
    here.project.write("empty", "two words")
    here.project.write("plain", f"{secret}\n")
    here.project.write("json", json.dumps({"access_token": secret, "provider": "x"}))
    assert "get another" in here.roar("login", "--token-file", "bad", status=1).stderr
    assert "holds no token" in here.roar("login", "--token-file", "empty", status=1).stderr
    assert "cannot be read" in here.roar("login", "--token-file", "none", status=1).stderr
    assert not here.file.exists()
    for name in ("plain", "json"):
        done = here.roar("login", "--token-file", name, "--force")
        assert done.stderr == f"roar: signed in at {here.registry.url} as {person.name}\n"
    assert (here.kept["login"]["access_token"], secret in done.stdout) == (secret, False)


def test_two_registries_know_one_as_two(here: Here, shared: Registry) -> None:
    one = here.logged_in()
    other = Here(here.project, shared)
    person = somebody(shared)
    with shared.database() as database, database.write() as connection:
        secret = issue_personal(connection, person.id, "", days=1)
    here.project.write("token", secret)
    other.roar("login", "--token-file", "token", "--url", shared.url)
    for registry, who in ((here.registry, one), (shared, person)):
        document = here.project.json("auth", "status", "--url", registry.url)
        assert (document["user"]["name"], document["registry"]) == (who.name, registry.url)
    here.roar("logout", "--url", shared.url)
    assert one.name in here.roar("whoami").stdout
    assert shared.url not in here.file.read_text()


def test_the_other_clients_log_in_is_kept_and_understood_where_it_is_from(here: Here) -> None:
    person = somebody(here.registry)
    with here.registry.database() as database, database.write() as connection:
        pair = issue_pair(connection, person.id, "roar-cli")
    flat = {
        "version": 1,
        "provider": "treqs-device",
        "issuer": here.registry.url,
        "access_token": pair.access,
        "refresh_token": pair.refresh,
        "expires_at": "2999-01-01T00:00:00Z",
        "user": {"db_user_id": person.public_id, "username": person.name},
    }
    here.file.parent.mkdir(parents=True)
    here.file.write_text(json.dumps(flat))
    assert here.project.json("auth", "status")["user"]["name"] == person.name
    assert "another client's" in here.roar("logout", status=1).stderr
    here.project.write("token", pair.access)
    here.roar("login", "--token-file", "token", "--force")
    whole = json.loads(here.file.read_text())
    assert {name: whole[name] for name in flat} == flat
    here.roar("logout", "--url", here.registry.url)
    assert json.loads(here.file.read_text()) == flat
    # Of another issuer, or ended, it says nothing about this registry; nobody refreshes it.
    for changed in ({"issuer": "https://elsewhere.test"}, {"expires_at": "2020-01-01T00:00:00Z"}):
        here.file.write_text(json.dumps(flat | changed))
        assert here.roar("whoami", status=1).stdout == ""


def test_a_log_in_is_renewed_once_by_all_who_need_it(
    project: ProjectUnderTest, shared: Registry
) -> None:
    project.environ["ROAR_REGISTRY__URL"] = shared.url
    here = Here(project, shared)
    here.logged_in(ends_in_s=60)
    before = here.kept["login"]

    def ask(_: int) -> str:
        with here.connect() as connection:
            return account_of(connection).user.name

    with ThreadPoolExecutor(8) as pool:
        processes = [starts(here, "auth", "status", "--json") for _ in range(2)]
        names = set(pool.map(ask, range(16)))
        told = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    after = here.kept["login"]
    assert (
        names
        == {before["user"]["username"]}
        == {json.loads(out)["user"]["name"] for out, _ in told}
    )
    assert (after["access_token"] != before["access_token"], after["user"]) == (
        True,
        before["user"],
    )
    # Had it been exchanged twice, the registry would have ended the log-in: no token of it is good.
    with here.registry.database() as database, database.read() as connection:
        family = sa.select(token.c.family).where(token.c.title == "roar-cli").order_by(token.c.id)
        newest = connection.execute(family).scalars().all()[-1]
        rows = connection.execute(sa.select(token).where(token.c.family == newest)).all()
    assert sum(row.revoked_at_us is None for row in rows) == 3
    assert len(rows) == 4
    with here.connect() as connection:
        account_of(connection)


def test_a_log_in_that_has_ended_reads_what_is_public_and_publishes_nothing(here: Here) -> None:
    here.keep(
        access_token="canary-not-a-real-token",
        refresh_token="canary-not-a-real-one-either",
        expires_at="2020-01-01T00:00:00Z",
        user={"username": "ada"},
    )
    hash_ = here.registry.register(uid=uuid4().hex)
    with here.connect() as connection:
        assert connection.get(f"sessions/{hash_}")["hash"] == hash_
        connection.get(f"sessions/{hash_}")
        assert len(here.warnings) == 1
        assert "asked without a name" in here.warnings[0]
        assert "canary" not in here.warnings[0]
        with pytest.raises(UnauthorisedError, match="sign in again: roar login"):
            connection.post("registration-sessions", {})
        with pytest.raises(UnauthorisedError, match="sign in again: roar login"):
            account_of(connection)
    assert "refresh_token" not in here.kept["login"]  # which nobody asks with a second time
    assert "accepted    no" in here.roar("auth", "status", status=1).stdout


def test_where_nothing_can_be_written_a_log_in_is_used_as_it_is(here: Here) -> None:
    person = here.logged_in(ends_in_s=60)
    here.file.with_name("auth.json.lock").mkdir()
    with here.connect() as connection:
        assert account_of(connection).user.name == person.name
    assert "cannot be written" in here.roar("logout", status=1).stderr


@pytest.mark.needs("ssh-keygen")
def test_a_key_that_the_registry_knows_is_an_account(here: Here) -> None:
    person, key = somebody(here.registry), here.key()
    with pytest.raises(UnauthorisedError, match=r"does not know who asks.*--anonymous"):
        here.intent()
    assert here.intent(anonymous=True).is_anonymous
    assert not here.file.exists()
    DOCUMENT.validate(here.project.json("auth", "key"))
    shown = here.roar("auth", "key")
    assert key.with_suffix(".pub").read_text().strip() in shown.stdout
    assert "have this line added" in shown.stderr
    here.registers(person, key)
    intent = here.intent()
    assert (intent.kind, intent.owner, intent.owner_id) == (
        "private",
        person.name,
        person.public_id,
    )
    assert here.kept["key"]["user"]["username"] == person.name
    assert f"{person.name} at" in here.roar("whoami").stdout
    with here.connect() as connection:
        # The same twice within a second is signed for two.
        opened = [connection.post("registration-sessions", {}) for _ in range(2)]
        assert len({one["registration_session_id"] for one in opened}) == 2
        assert connection.get("sessions", {"limit": "1"}) == {"sessions": []}
        with here.connect() as another:  # as if of another process
            connection.post("registration-sessions", {})
            another.post("registration-sessions", {})


@pytest.mark.needs("ssh-keygen")
def test_a_key_signs_for_no_registry_that_only_the_project_names(here: Here) -> None:
    person, key = somebody(here.registry), here.key()
    here.registers(person, key)
    del here.project.environ["ROAR_REGISTRY__URL"]
    here.project.write("roar.toml", f'[registry]\nurl = "{here.registry.url}/"\n')
    with pytest.raises(UnauthorisedError, match="your SSH key does not sign for"):
        here.intent()
    with here.connect() as connection:
        connection.get("health")
    assert here.warnings == []
    here.project.environ["ROAR_TOKEN"] = "canary-not-a-real-token"
    with pytest.raises(UnauthorisedError, match="ROAR_TOKEN is not sent to"):
        here.intent()
    del here.project.environ["ROAR_TOKEN"]
    here.roar("auth", "key", "--allow")
    assert here.intent().owner == person.name


def test_a_token_of_the_environment_goes_first_and_is_kept_nowhere(here: Here) -> None:
    here.logged_in()
    person = somebody(here.registry)
    with here.registry.database() as database, database.write() as connection:
        secret = issue_personal(connection, person.id, "ci", days=1)
    before = here.file.read_bytes()
    here.project.environ["ROAR_TOKEN"] = f" {secret}\n"
    told = [here.roar(*words) for words in (("whoami", "--json"), ("auth", "status"), ("scope",))]
    assert person.name in told[1].stdout
    assert here.intent().owner == person.name
    here.project.run("env")
    everything = b"".join(p.read_bytes() for p in here.project.root.rglob("*") if p.is_file())
    assert secret.encode() not in everything + here.file.read_bytes()
    assert not any(secret in done.stdout + done.stderr for done in told)
    assert here.file.read_bytes() == before


def test_as_nobody_no_credential_is_read_or_sent(here: Here) -> None:
    here.logged_in()
    here.key()
    seen: list[str] = []
    with here.connect(anonymous=True) as connection:
        assert connection.caller is None
        assert signed_in(connection) is None
        opened = connection._client()
        opened.event_hooks["request"] = [lambda r: seen.append(r.headers.get("authorization", ""))]
        connection.get("health")
        connection.post("registration-sessions", {"mode": "anonymous_public"})
    assert seen == ["", ""]
