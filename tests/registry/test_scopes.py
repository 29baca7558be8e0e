"""For whom something is published: flags, scope and account, at real registries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs
import pytest
from browsing import somebody

from roar_core.config.layers import load
from roar_core.errors import ConfigError, RoarError, UnauthorisedError, UsageError
from roar_core.registry.connection import connect
from roar_core.registry.scopes import Intent, intent_of
from roar_core.testing.projects import ProjectUnderTest
from roar_glaas.access.caller import Role
from roar_glaas.access.projects import add_organization, add_project, grant
from roar_glaas.access.tokens import issue_personal

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

OWN = {"owner_resolution": "current_user", "owner_type": "user", "visibility": "private"}


@attrs.frozen
class Lab:
    """Ada may write to cats, which is private, and to the public fish, and reads dogs."""

    registry: Registry
    name: str
    ada: str
    environ: dict[str, str]
    folder: Path

    def intent(
        self, scope: str = "", file: str = "", *, known: bool = True, **flags: bool
    ) -> Intent:
        environ = self.environ | ({"ROAR_REGISTRY__SCOPE": scope} if scope else {})
        if not known:
            del environ["ROAR_TOKEN"]
        (self.folder / "roar.toml").write_text(file)
        config = load(self.folder, None, environ)
        with connect(config, environ) as connection:
            return intent_of(connection, config, **flags)


@pytest.fixture(scope="module")
def lab(shared: Registry, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    tmp_path = tmp_path_factory.mktemp("lab")
    ada = somebody(shared)
    with shared.database() as database, database.write() as connection:
        found = add_organization(connection, f"lab-{uuid4().hex[:8]}")
        for slug, visibility, role in (
            ("cats", "private", Role.WRITER),
            ("fish", "public", Role.WRITER),
            ("dogs", "private", Role.READER),
        ):
            project = add_project(connection, found, slug, visibility=visibility)
            grant(connection, project, ada, role)
        secret = issue_personal(connection, ada.id, "", days=1)
    environ = {"ROAR_REGISTRY__URL": shared.url, "ROAR_TOKEN": secret, "HOME": str(tmp_path)}
    return Lab(shared, found.name, ada.name, environ, tmp_path)


@pytest.mark.parametrize(
    ("scope", "flags", "kind", "visibility", "asked"),
    [
        ("", {}, "private", "private", OWN),
        ("", {"private": True}, "private", "private", OWN),
        ("", {"public": True}, "public", "public", None),
        ("", {"anonymous": True}, "anonymous", "public", None),
        ("private", {}, "private", "private", OWN),
        ("private", {"public": True}, "public", "public", None),
        ("public", {}, "public", "public", None),
        ("public", {"private": True}, "private", "private", OWN),
        ("public", {"anonymous": True}, "anonymous", "public", None),
        ("anonymous", {}, "anonymous", "public", None),
        ("anonymous", {"private": True}, "private", "private", OWN),
        ("anonymous", {"public": True}, "public", "public", None),
    ],
)
def test_flags_go_before_the_scope_and_the_scope_before_the_rule(
    lab: Lab,
    scope: str,
    flags: dict[str, bool],
    kind: str,
    visibility: str,
    asked: Mapping[str, Any] | None,
) -> None:
    found = lab.intent(scope, **flags)
    assert (found.kind, found.visibility, found.scope_request) == (kind, visibility, asked)
    assert found.owner == ("" if kind == "anonymous" else lab.ada)
    assert (found.is_anonymous, found.is_public) == (kind == "anonymous", visibility == "public")


def test_a_project_is_published_to_as_the_registry_knows_it(lab: Lab) -> None:
    cats = lab.intent(f"{lab.name}/cats")
    assert (cats.kind, cats.visibility, cats.project) == ("project", "private", f"{lab.name}/cats")
    assert cats.scope_request is not None
    assert set(cats.scope_request) == {"owner_id", "owner_type", "visibility", "project_id"}
    assert cats.scope_request["owner_type"] == "organization"
    assert cats == lab.intent(f"{lab.name}/cats", private=True)
    fish = lab.intent(f"{lab.name}/fish", public=True)
    assert (fish.visibility, fish.words) == ("public", f"public, as {lab.ada}, in {lab.name}/fish")
    assert lab.intent(f"{lab.name}/cats", anonymous=True).is_anonymous
    # The registry takes what is asked for.
    with connect(load(None, None, lab.environ), lab.environ) as connection:
        opened = connection.post("registration-sessions", {})["registration_session_id"]
        job = {"command": "x", "timestamp": 1.0, "job_uid": uuid4().hex, "step_number": 1}
        job |= {"duration_seconds": 1.0, "exit_code": 0}
        connection.post(f"registration-sessions/{opened}/jobs/batch", {"jobs": [job]})
        body = {"git_commit": "c" * 40, "scope_request": cats.scope_request}
        done = connection.post(f"registration-sessions/{opened}/finalize", body)
        own = connection.get("sessions/" + done["session_hash"])
    assert own["hash"] == done["session_hash"]
    path = f"/api/v1/sessions/{own['hash']}"
    assert lab.registry.client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("project", "flags", "error", "sentence"),
    [
        ("cats", {"public": True}, UsageError, "--public contradicts the scope"),
        ("fish", {"private": True}, UsageError, "--private contradicts the scope"),
        ("dogs", {}, RoarError, "ask for the role of a writer"),
        ("none", {}, RoarError, "you see no project"),
    ],
)
def test_what_a_project_does_not_allow_is_refused(
    lab: Lab, project: str, flags: dict[str, bool], error: type[RoarError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        lab.intent(f"{lab.name}/{project}", **flags)


def test_nobody_publishes_anonymously_or_not_at_all(lab: Lab) -> None:
    assert lab.intent(known=False).is_anonymous
    assert lab.intent("anonymous", known=False).is_anonymous
    for scope, flags in (
        ("", {"private": True}),
        ("", {"public": True}),
        ("private", {}),
        ("public", {}),
        ("lab/cats", {}),
    ):
        for asks in (True, False):  # a preview tells what would happen
            with pytest.raises(UnauthorisedError, match="nobody is signed in"):
                lab.intent(scope, known=False, asks=asks, **flags)


def test_a_preview_tells_as_much_as_is_known_without_asking(lab: Lab) -> None:
    assert lab.intent("private", asks=False).visibility == "private"
    planned = lab.intent(f"{lab.name}/fish", asks=False)
    assert (planned.visibility, planned.is_public, planned.is_anonymous) == ("", False, False)
    assert planned.words == f"in {lab.name}/fish"
    unusable = attrs.evolve(lab, environ=lab.environ | {"ROAR_TOKEN": "no token"})
    with pytest.raises(UnauthorisedError, match="holds no token"):
        unusable.intent("private", asks=False)


def test_a_refused_token_publishes_nothing(lab: Lab) -> None:
    bad = attrs.evolve(lab, environ=lab.environ | {"ROAR_TOKEN": "canary-not-a-real-token"})
    for scope in ("", "public", "lab/cats"):
        with pytest.raises(UnauthorisedError, match="ROAR_TOKEN must hold a token"):
            bad.intent(scope)
    assert bad.intent(anonymous=True).is_anonymous


def test_a_project_s_file_may_choose_a_project_and_not_the_public(lab: Lab) -> None:
    chosen = f'[registry]\nscope = "{lab.name}/cats"\n'
    assert lab.intent(file=chosen).project == f"{lab.name}/cats"
    for scope in ("public", "anonymous"):
        with pytest.raises(ConfigError, match="cannot make your records public"):
            lab.intent(file=f'[registry]\nscope = "{scope}"\n')
    with pytest.raises(UsageError, match="give one of"):
        lab.intent(public=True, private=True)
    for scope in ("everybody", "a/b/c", "/b", "a /b"):
        with pytest.raises(ConfigError, match="is no scope"):
            lab.intent(scope)


@pytest.mark.slow
def test_the_scope_is_chosen_listed_and_left(lab: Lab, project: ProjectUnderTest) -> None:
    project.environ |= {name: lab.environ[name] for name in ("ROAR_REGISTRY__URL", "ROAR_TOKEN")}
    listed = {one["name"]: one for one in project.json("scope", "list")["scopes"]}
    assert list(listed)[:3] == ["anonymous", "private", "public"]
    assert [listed[f"{lab.name}/{name}"]["can_write"] for name in ("cats", "dogs")] == [True, False]
    refused = project.roar("scope", "use", f"{lab.name}/dogs")
    assert (refused.exit_code, "not publish to it" in refused.stderr) == (1, True)
    assert project.json("scope")["holds"] == "private"
    done = project.roar("scope", "use", f"{lab.name}/cats")
    assert (done.exit_code, done.stderr) == (0, "roar: registry.scope set in .roar/config.toml\n")
    assert f"*  {lab.name}/cats" in project.roar("scope", "list").stdout
    shown = project.json("scope", "status")
    assert (shown["scope"], shown["origin"]) == (f"{lab.name}/cats", ".roar/config.toml")
    assert [project.roar("scope", "clear").exit_code for _ in range(2)] == [0, 1]
    assert project.roar("scope", "use", "everybody").exit_code == 2
