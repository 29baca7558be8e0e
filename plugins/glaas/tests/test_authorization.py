"""Everybody asks every endpoint about work in every scope: role x scope x endpoint.

Each piece of work carries a word of its own in its command, paths, labels and metadata. Whoever may
see it finds the word where it is told; nobody else finds it anywhere. A route of the server that no
table here names fails the test.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

import attrs
import httpx
import pytest

from roar_core.identity import Leaf, tree_hash
from roar_glaas.access.caller import Role
from roar_glaas.access.people import add_person
from roar_glaas.access.projects import add_organization, add_project, grant
from roar_glaas.access.tokens import issue_personal

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

OPEN = "/api/v1/registration-sessions"
NOWHERE = "0" * 64

# What tells of a piece of work: {output}, {dataset}, {uid}, {session}, {word}, {member}, {leaf} are
# its own. Every one of these answers holds the word for who may see it, and for nobody else.
TELLING = (
    "/api/v1/artifacts/{output}",
    "/api/v1/artifacts/{output}/lineage",
    "/api/v1/artifacts/{output}/dag",
    "/api/v1/artifacts/{dataset}/components",
    "/api/v1/sessions/{session}",
    "/api/v1/labels/current?entity_type=job&session_hash={session}&job_uid={uid}",
    "/api/v1/labels/history?entity_type=job&session_hash={session}&job_uid={uid}",
    "/api/v1/log/entries?start={leaf}&limit=5",
    "/api/v1/log/records/{leaf}",
    "/api/v1/log/records/{leaf}/proof",
    "/api/v1/export",
    "/api/v1/graph/artifacts/{output}/producers",
    "/api/v1/graph/artifacts/{input}/consumers",
    "/api/v1/graph/artifacts/{output}/upstream",
    "/api/v1/graph/artifacts/{input}/downstream",
    "/api/v1/graph/artifacts/{output}/sources",
    "/api/v1/graph/artifacts/{input}/results",
    "/api/v1/graph/artifacts/{dataset}/members",
    "/api/v1/graph/artifacts/{dataset}/members/{member}",
    "/api/v1/graph/path?start={input}&end={output}",
    "/api/v1/graph/jobs?command={word}",
    "/api/v1/graph/jobs/{uid}",
    "/api/v1/graph/jobs/{uid:.9}",
    "/api/v1/graph/jobs/{done}",
    "/api/v1/graph/jobs/{done:.9}",
    "/api/v1/graph/jobs?job_hash={done}",
    "/api/v1/graph/labels?key=note&value={word}",
    "/api/v1/graph/files?path=out-{word}",
    "/api/v1/graph/whole?of={output}&direction=upstream",
    "/api/v1/graph/whole?of={input}&direction=downstream",
    "/api/v1/graph/whole?of={input},{output}",
    "/api/v1/graph/whole?of={dataset}",
    "/api/v1/graph/whole?of={uid}",
    "/api/v1/graph/whole?of={session}&direction=upstream",
    "/artifacts/{output}",
    "/artifacts/{output}/recipe",
    "/artifacts/{output}/recipe/graph",
    "/artifacts/{input}/uses",
    "/compare?a={output}&b={output}",
    "/dag/{session}",
    "/dag/{session}/graph",
    "/jobs/{uid}",
    "/jobs/{done}",
    "/search?q=marked",
)
# These name the work by a hash of its own: known to who may see it, unknown to all others.
NAMING = (
    "/api/v1/graph/compare/artifacts?left={output}&right={output}",
    "/api/v1/graph/compare/sessions?left={session}&right={session}",
    "/api/v1/graph/datasets?member={member}",
    "/api/v1/graph/sessions?commit={commit}",
    "/api/v1/log/sessions/{session}",
    "/search?q={done}",
    "/api/v1/sessions?limit=100",
    "/projects/{lab}/cats",
    "/organizations/{lab}",
    "/my/sessions",
)
# Where clients look second, with the same credentials.
SECOND_LOOK = (
    "/api/v1/public/artifacts/{output}",
    "/api/v1/public/artifacts/{output}/lineage",
    "/api/v1/public/artifacts/{output}/dag",
    "/api/v1/public/artifacts/{dataset}/components",
    "/api/v1/public/sessions/{session}/reproduction",
)
# These tell nothing of anybody's work.
OPEN_TO_ALL = (
    *("/", "/api/v1/health", "/ready", "/metrics", "/style.css", "/account.css", "/icon.svg"),
    *("/built/graph.js", "/schema", "/schema/openapi.json", "/sign-in", "/sign-in/oidc"),
    *("/sign-in/oidc/back", "/projects", "/account", "/device"),
    *("/api/v1/auth/me", "/api/v1/auth/access-context", "/api/v1/user/access-context"),
    *("/api/v1/log/head", "/api/v1/log/keys", "/api/v1/log/proof/inclusion?leaf={leaf}"),
    "/api/v1/log/proof/consistency?from=1",
    "/api/v1/fragments/sessions/{uid}/fragments",
)


@attrs.frozen
class Work:
    """Something registered in one scope, and what is its own."""

    word: str = attrs.field(factory=lambda: f"w{uuid4().hex}")
    uid: str = attrs.field(factory=lambda: uuid4().hex)
    done: str = attrs.field(factory=lambda: uuid4().hex * 2)
    input: str = attrs.field(factory=lambda: uuid4().hex * 2)
    output: str = attrs.field(factory=lambda: uuid4().hex * 2)
    member: str = attrs.field(factory=lambda: uuid4().hex * 2)
    commit: str = attrs.field(factory=lambda: uuid4().hex + "00000000")
    session: str = ""
    leaf: int = 0
    lab: str = ""

    @property
    def dataset(self) -> str:
        return tree_hash([Leaf(f"{self.word}.bin", "blake3", self.member)]).root

    def at(self, template: str) -> str:
        values = attrs.asdict(self) | {"dataset": self.dataset}
        return template.format_map(values)

    def bodies(self) -> list[tuple[str, Any]]:
        member = {"relative_path": f"{self.word}.bin", "leaf_kind": "file"}
        member |= {"component_algorithm": "blake3", "component_digest": self.member}
        dataset = {"hash": self.dataset, "component_count_total": 1, "components": [member]}
        dataset |= {"hashes": [{"algorithm": "composite-blake3", "digest": self.dataset}]}
        job = {"command": f"python marked {self.word}", "timestamp": 1.0, "job_uid": self.uid}
        job |= {"step_number": 1, "git_commit": self.commit, "job_hash": self.done}
        said = {"hashes": [{"algorithm": "blake3", "digest": self.output}]}
        said |= {"metadata": {"note": self.word}}
        read = {"hash": self.input, "path": f"/data/in-{self.word}"}
        wrote = {"hash": self.output, "path": f"/data/out-{self.word}"}
        return [
            ("artifacts/composites", dataset),
            ("jobs/batch", {"jobs": [job]}),
            ("artifacts/batch", {"artifacts": [said]}),
            (f"jobs/{self.uid}/inputs", {"artifacts": [read]}),
            (f"jobs/{self.uid}/outputs", {"artifacts": [wrote]}),
        ]


@attrs.frozen
class Matrix:
    """Everybody, everything, and who sees what."""

    registry: Registry
    secrets: dict[str, str]
    works: dict[str, Work]

    def ask(self, who: str, path: str, method: str = "GET", body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.secrets[who]}"} if who in self.secrets else {}
        return self.registry.client.request(method, path, json=body, headers=headers)


# Who may see the work of each scope.
SEES = {
    "public": {"nobody", "stranger", "author", "lab-reader", "cats-reader", "dogs-admin"},
    "private": {"author"},
    "cats": {"author", "lab-reader", "cats-reader"},
}
WHO = ("nobody", "stranger", "author", "lab-reader", "cats-reader", "dogs-admin")


@pytest.fixture(scope="module")
def matrix(shared: Registry) -> Matrix:
    secrets: dict[str, str] = {}
    with shared.database() as database, database.write() as connection:
        lab = add_organization(connection, f"lab-{uuid4().hex[:8]}")
        cats = add_project(connection, lab, "cats")
        dogs = add_project(connection, lab, "dogs")
        for name, place, role in (
            ("stranger", None, None),
            ("author", cats, Role.WRITER),
            ("lab-reader", lab, Role.READER),
            ("cats-reader", cats, Role.READER),
            ("dogs-admin", dogs, Role.ADMIN),
        ):
            person = add_person(connection, f"{name}-{uuid4().hex[:8]}")
            secrets[name] = issue_personal(connection, person.id, "for a test", days=1)
            if place is not None and role is not None:
                grant(connection, place, person, role)
    found = Matrix(shared, secrets, {})
    scopes: dict[str, dict[str, Any]] = {
        "public": {},
        "private": {"owner_resolution": "current_user", "owner_type": "user"},
        "cats": {"owner_id": lab.public_id, "owner_type": "organization"},
    }
    scopes["private"]["visibility"] = scopes["cats"]["visibility"] = "private"
    scopes["cats"]["project_id"] = cats.public_id
    for name, scope in scopes.items():
        work = Work(lab=lab.name)
        opened = found.ask("author", OPEN, "POST").json()["registration_session_id"]
        for path, body in work.bodies():
            answer = found.ask("author", f"{OPEN}/{opened}/{path}", "POST", body)
            assert answer.status_code == 201, answer.text
        body = {"git_commit": work.commit} | ({"scope_request": scope} if scope else {})
        answer = found.ask("author", f"{OPEN}/{opened}/finalize", "POST", body)
        assert answer.status_code == 200, answer.text
        session = answer.json()["session_hash"]
        label = {"entity_type": "job", "session_hash": session, "job_uid": work.uid}
        label["metadata"] = {"note": work.word}
        body = {"labels": [label]}
        answer = found.ask("author", f"{OPEN}/{opened}/labels/batch", "POST", body)
        assert answer.status_code == 200, answer.text
        told = found.ask("author", f"/api/v1/sessions/{session}").json()
        leaf = told["jobs"][0]["logIndex"]
        found.works[name] = attrs.evolve(work, session=session, leaf=leaf)
    return found


@pytest.mark.parametrize("scope", SEES)
@pytest.mark.parametrize("template", [*TELLING, *SECOND_LOOK, *NAMING, *OPEN_TO_ALL])
def test_nobody_reads_what_they_may_not_see(matrix: Matrix, template: str, scope: str) -> None:
    work = matrix.works[scope]
    path = work.at(template)
    for who in WHO:
        answer = matrix.ask(who, path)
        assert answer.status_code < 500, answer.text
        is_told = work.word in answer.text
        sees = who in SEES[scope]
        if template in TELLING or template in SECOND_LOOK:
            assert is_told == sees, f"{who} at {path}: {answer.status_code} {answer.text[:500]}"
        elif template in OPEN_TO_ALL:
            assert not is_told, f"{who} at {path}"
        if not sees:
            # Nor is there any name of it that was not in the question.
            names = {work.session, work.uid, work.done, work.output, work.dataset, work.word}
            told = {name for name in names if name not in path and name in answer.text}
            assert told == set(), f"{who} at {path}: {answer.text[:500]}"


@pytest.mark.parametrize("scope", SEES)
def test_who_asks_what_is_registered_is_told_of_what_they_may_see(
    matrix: Matrix, scope: str
) -> None:
    work = matrix.works[scope]
    body = {"job_uids": [work.uid, NOWHERE[:32]]}
    for who in WHO:
        known = matrix.ask(who, "/api/v1/jobs/known", "POST", body).json()["known"]
        told = [(one["job_uid"], one["job_hash"], one["session_hash"]) for one in known]
        sees = [(work.uid, work.done, work.session)] if who in SEES[scope] else []
        assert told == sees, who
        is_own = who == "author" and scope != "cats"
        assert all(one["is_own"] == is_own for one in known)


@pytest.mark.parametrize("scope", SEES)
def test_labels_of_many_things_are_those_that_may_be_seen(matrix: Matrix, scope: str) -> None:
    work = matrix.works[scope]
    target = {"entity_type": "job", "session_hash": work.session, "job_uid": work.uid}
    missing = target | {"job_uid": NOWHERE[:32]}, target | {"session_hash": NOWHERE}
    body = {"labels": [missing[0], target, missing[1]]}
    for who in WHO:
        alone = matrix.ask(who, f"/api/v1/labels/current?{urlencode(target)}")
        told = matrix.ask(who, "/api/v1/labels/current/batch", "POST", body).json()["labels"]
        is_seen = who in SEES[scope]
        assert told == [None, alone.json() if is_seen else None, None], who
        assert (alone.status_code == 200) is is_seen


@pytest.mark.parametrize("scope", ["private", "cats"])
@pytest.mark.parametrize("template", [one for one in (*TELLING, *NAMING) if "{session}" in one])
def test_what_is_hidden_is_told_like_what_is_not_there(
    matrix: Matrix, template: str, scope: str
) -> None:
    hidden = matrix.works[scope]
    missing = attrs.evolve(hidden, session=NOWHERE, uid=NOWHERE[:32])
    for who in ("nobody", "stranger", "dogs-admin"):
        answers = [matrix.ask(who, work.at(template)) for work in (hidden, missing)]
        told, untold = (
            answer.text.replace(work.session, NOWHERE)
            .replace(work.uid, NOWHERE[:32])
            .replace(work.session[:12], NOWHERE[:12])
            for answer, work in zip(answers, (hidden, missing), strict=True)
        )
        assert answers[0].status_code == answers[1].status_code
        assert told == untold


LABEL = {"entity_type": "dag", "session_hash": "{session}", "metadata": {"note": "seen"}}
READ = {"hash": "a" * 64, "path": "/data/more"}
JOB = {"command": "more", "timestamp": 1.0, "job_uid": "{uid}", "step_number": 1}
SAID = {"hashes": [{"algorithm": "blake3", "digest": "a" * 64}]}
OF_SESSION = {"session_hash": "{session}"}
DATASET = dict(Work(word="w", member="a" * 64).bodies()[0][1])
EVENT = {"payload_schema_version": 1, "trigger": "init"}
FRAGMENTS = {"session_id": str(uuid4()), "token_hash": "a" * 64, "ttl_seconds": 60}
VIEW = {"relation": "consumes", "target_hash": "a" * 64, "selected_count": 1, "parent_total": 2}

# What is sent where, and the answers that nobody, a stranger, a reader of the project and its
# writer get. The work is in the project cats, {opened} is a registration that the writer opened.
WRITING: dict[str, tuple[Any, tuple[int, int, int, int]]] = {
    "/api/v1/labels/reconcile": (
        {"session_hash": "{session}", "labels": [LABEL]},
        (401, 404, 403, 200),
    ),
    "/api/v1/labels/sync": ({"labels": [LABEL]}, (401, 404, 403, 200)),
    OPEN: (None, (401, 201, 201, 201)),
    f"{OPEN}/{{opened}}/artifacts/composites": (DATASET, (401, 404, 404, 201)),
    f"{OPEN}/{{opened}}/artifacts/batch": ({"artifacts": [SAID]}, (401, 404, 404, 201)),
    f"{OPEN}/{{opened}}/jobs/batch": ({"jobs": [JOB]}, (401, 404, 404, 201)),
    f"{OPEN}/{{opened}}/jobs": (JOB, (401, 404, 404, 201)),
    f"{OPEN}/{{opened}}/links/batch": ({"links": [{"job_uid": "{uid}"}]}, (401, 404, 404, 201)),
    f"{OPEN}/{{opened}}/jobs/{{uid}}/inputs": ({"artifacts": [READ]}, (401, 404, 404, 201)),
    f"{OPEN}/{{opened}}/jobs/{{uid}}/outputs": ({"artifacts": [READ]}, (401, 404, 404, 201)),
    f"{OPEN}/{{opened}}/jobs/{{uid}}/view-edges": ({"view_edges": [VIEW]}, (401, 404, 404, 201)),
    f"{OPEN}/{{opened}}/labels/batch": ({"labels": [LABEL]}, (401, 404, 404, 404)),
    f"{OPEN}/{{opened}}/finalize": ({}, (401, 404, 404, 200)),
    # The legacy path is nobody's: what it makes is anonymous, and of others it takes nothing.
    "/api/v1/sessions": ({"hash": "e" * 64}, (201, 403, 403, 403)),
    "/api/v1/sessions/{session}/jobs": (JOB, (404, 404, 404, 404)),
    "/api/v1/sessions/{session}/jobs/batch": ({"jobs": [JOB]}, (404, 404, 404, 404)),
    "/api/v1/sessions/{session}/jobs/{uid}/inputs": ({"artifacts": [READ]}, (404, 404, 404, 404)),
    "/api/v1/sessions/{session}/jobs/{uid}/outputs": ({"artifacts": [READ]}, (404, 404, 404, 404)),
    # To a writer a conflict: what a project's members see is for the project to say.
    "/api/v1/sessions/{session}/publish": (None, (401, 404, 403, 409)),
    # There is no session in its address, and none is open any more when a client asks.
    "/api/v1/jobs/{uid}/artifacts": ({"view_edges": [VIEW]}, (409, 409, 409, 409)),
    "/api/v1/jobs/known": ({"job_uids": ["{uid}"]}, (200, 200, 200, 200)),
    "/api/v1/labels/current/batch": ({"labels": []}, (200, 200, 200, 200)),
    "/api/v1/artifacts": (SAID | OF_SESSION, (404, 404, 404, 404)),
    "/api/v1/artifacts/batch": ({"artifacts": [SAID | OF_SESSION]}, (404, 404, 404, 404)),
    "/api/v1/artifacts/composites": (DATASET | OF_SESSION, (404, 404, 404, 404)),
    "/api/v1/telemetry/roar": (EVENT, (204, 204, 204, 204)),
    "/api/v1/fragments/sessions": (
        FRAGMENTS,
        (201, 201, 201, 201),
    ),  # as anonymous registration is on
    "/api/v1/fragments/sessions/{uid}/fragments": ({}, (400, 400, 400, 400)),
    "/api/v1/fragments/sessions/{uid}/renew": ({}, (400, 400, 400, 400)),
    "/api/v1/auth/device/start": ({}, (200, 200, 200, 200)),
    "/api/v1/auth/device/token": ({}, (400, 400, 400, 400)),
    "/api/v1/auth/refresh": ({}, (400, 400, 400, 400)),
    # Of pages a token opens none that change something: a form needs a browser's session.
    "/account/browsers/sign-out": ({}, (403, 403, 403, 403)),
    "/account/browsers/1/sign-out": ({}, (403, 403, 403, 403)),
    "/account/keys": ({}, (403, 403, 403, 403)),
    "/account/keys/remove": ({}, (403, 403, 403, 403)),
    "/account/password": ({}, (403, 403, 403, 403)),
    "/account/tokens": ({}, (403, 403, 403, 403)),
    "/account/tokens/1/revoke": ({}, (403, 403, 403, 403)),
    "/device": ({}, (403, 403, 403, 403)),
    "/organizations/{lab}/members": ({}, (403, 403, 403, 403)),
    "/projects/{lab}/cats/members": ({}, (403, 403, 403, 403)),
    "/sign-in": ({}, (403, 403, 403, 403)),
    "/sign-out": ({}, (403, 403, 403, 403)),
    # The last one: it ends the tokens that it is asked with.
    "/api/v1/auth/logout": (None, (401, 200, 200, 200)),
}


def test_who_may_write(matrix: Matrix) -> None:
    work = attrs.evolve(matrix.works["cats"])
    opened = matrix.ask("author", OPEN, "POST").json()["registration_session_id"]

    def filled(text: str) -> str:
        return (
            text.replace("{opened}", opened)
            .replace("{session}", work.session)
            .replace("{uid}", work.uid)
            .replace("{lab}", work.lab)
        )

    wrong = {}
    for path, (body, expected) in WRITING.items():
        sent = json.loads(filled(json.dumps(body)))
        who = ("nobody", "stranger", "cats-reader", "author")
        answers = [matrix.ask(one, filled(path), "POST", sent) for one in who]
        found = tuple(answer.status_code for answer in answers)
        if found != expected:
            wrong[path] = (found, expected, [answer.text[:150] for answer in answers])
    assert wrong == {}


def test_every_route_is_in_a_table(matrix: Matrix) -> None:
    described = matrix.registry.client.get("/schema/openapi.json").json()["paths"]
    asked = (*TELLING, *NAMING, *SECOND_LOOK, *OPEN_TO_ALL)
    tables = {"get": {pattern(one.partition("?")[0]) for one in asked}}
    tables["post"] = {pattern(one) for one in WRITING}
    missing = [
        f"{method} {path}"
        for path, methods in described.items()
        for method in methods
        if not any(re.fullmatch(one, path.rstrip("/") or "/") for one in tables[method])
    ]
    assert missing == []


def pattern(template: str) -> str:
    """What matches a described path: a segment in braces there is one of ours, or a fixed one."""
    parts = [
        r"(?:\{[^}]+\}|" + re.escape(part) + ")" if "{" not in part else r"\{[^}]+\}"
        for part in template.split("/")
    ]
    return "/".join(parts)
