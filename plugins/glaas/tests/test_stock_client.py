"""The client that people use today, `roar-cli`, speaks to this server as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
from stock import Checkout, registered

from roar_glaas.access.people import add_person
from roar_glaas.access.tokens import issue_personal
from roar_glaas.storage.database import sqlite_address

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

pytestmark = [pytest.mark.needs("git"), pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    from plugins.glaas.tests.conftest import serving

    root = tmp_path_factory.mktemp("server")
    with serving(sqlite_address(root / "glaas.db"), root / "data") as found:
        yield found


@pytest.fixture
def project(recorded: Checkout, server: Registry) -> Checkout:
    return recorded.at(server)


def test_it_registers_anonymously_and_reads_back(project: Checkout, server: Registry) -> None:
    register = ("register", "-y", "--anonymous", "end")
    name = registered(project, *register)
    assert registered(project, *register) == name
    digest = project.digest("end")
    reader = server.client
    found = reader.get(f"/api/v1/artifacts/{digest}/dag").json()
    commands = ["python3 double.py", "sh -c 'tr s S < out > end'"]
    assert [job["command"] for job in found["jobs"]] == commands
    assert len(reader.get(f"/api/v1/sessions/{name}").json()["jobs"]) == 2

    other = project.elsewhere()
    shown = other.roar("show", digest, "--remote")
    assert "Source:     GLaaS" in shown
    assert "tr s S" in shown
    assert "Run Steps (2)" in other.roar("reproduce", digest)
    assert "Run Steps (2)" in other.roar("reproduce", name, "--lineage")
    other.roar("config", "set", "glaas.query_nonlocal_ids_on_glaas", "true")
    compared = other.roar("diff", digest, project.digest("out"))
    assert "only in A: sh -c 'tr s S < out > end'" in compared


def test_what_it_puts_is_registered_each_time(project: Checkout, server: Registry) -> None:
    put = ("-m", "for a test", "--anonymous", "-y", "--no-tag")
    names = [
        registered(project, "put", "end", f"s3://bucket/{place}", *put)
        for place in ("first", "second")
    ]
    assert len(set(names)) == 2
    reader = server.client
    for name, place in zip(names, ("first", "second"), strict=True):
        jobs = reader.get(f"/api/v1/sessions/{name}").json()["jobs"]
        (job,) = [one for one in jobs if one["jobType"] == "put"]
        assert [edge["hash"] for edge in job["inputs"]] == [project.digest("end")]
        told = json.loads(job["metadata"])["put"]
        assert told["destination"] == f"s3://bucket/{place}"
    name = registered(project, "put", "parts", "s3://bucket/parts", "--dataset", *put)
    (job,) = reader.get(f"/api/v1/sessions/{name}").json()["jobs"]
    (dataset,) = job["outputs"]
    found = reader.get(f"/api/v1/artifacts/{dataset['hash']}").json()
    assert (found["isComposite"], found["isProven"], found["componentCount"]) == (True, True, 3)


def test_where_there_are_no_registration_sessions_it_takes_the_legacy_path(
    recorded: Checkout, tmp_path: Path
) -> None:
    from plugins.glaas.tests.conftest import serving

    data = tmp_path / "data"
    data.mkdir()
    (data / "glaas.toml").write_text("registration_sessions = false\n")
    with serving(sqlite_address(tmp_path / "glaas.db"), data) as registry:
        project = recorded.at(registry)
        name = registered(project, "register", "-y", "--anonymous", "end")
        assert registered(project, "register", "-y", "--anonymous", "end") == name
        reader = registry.client
        digest = project.digest("end")
        jobs = reader.get(f"/api/v1/artifacts/{digest}/dag").json()["jobs"]
        assert [job["stepNumber"] for job in jobs] == [1, 2]
        found = reader.get(f"/api/v1/sessions/{name}").json()["sessionHash"]
        asked = {"entity_type": "job", "session_hash": found, "job_uid": jobs[0]["jobUid"]}
        labelled = reader.get("/api/v1/labels/current", params=asked).json()
        assert labelled["keyOrigins"]["roar.git.commit"] == "system"
        # Nobody opened a registration session, and each job was registered once.
        assert len(reader.get(f"/api/v1/sessions/{name}").json()["jobs"]) == 2
        put = registered(
            project, "put", "end", "s3://bucket/p", "-m", "x", "--anonymous", "-y", "--no-tag"
        )
        jobs = reader.get(f"/api/v1/sessions/{put}").json()["jobs"]
        assert [job["jobType"] for job in jobs] == ["put"]
        assert [edge["hash"] for edge in jobs[0]["inputs"]] == [digest]
        verified = registry.glaas("verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr


def test_somebody_labels_what_they_registered(recorded: Checkout, server: Registry) -> None:
    home = recorded.folder.parent / "home-of-somebody"
    home.mkdir()
    with server.database() as database, database.write() as connection:
        person = add_person(connection, "somebody")
        secret = issue_personal(connection, person.id, "for a test", days=1)
    token = home / "token.json"
    token.write_text(json.dumps({"access_token": secret}))
    project = recorded.at(server)
    project = attrs.evolve(project, environ=project.environ | {"HOME": str(home)})
    project.roar("login", "--token-file", str(token), "--glaas-api-url", server.url)
    name = registered(project, "register", "-y", "--private", "out")
    asked = {"entity_type": "artifact", "session_hash": name}
    asked["artifact_hash"] = project.digest("out")

    def versions() -> list[dict[str, object]]:
        answer = server.client.get(
            "/api/v1/labels/history",
            params=asked,
            headers={"Authorization": f"Bearer {secret}"},
        )
        if answer.status_code == 404:
            return []
        return [one["metadata"] for one in answer.json()["labels"]]

    project.roar("label", "set", "artifact", "out", "team.name=blue", "quality=high")
    assert "created=1" in project.roar("label", "sync", "artifact", "out")
    assert "noops=1" in project.roar("label", "sync", "artifact", "out", "--dry-run")
    project.roar("label", "unset", "artifact", "out", "quality")
    assert "deleted_keys=1" in project.roar("label", "sync", "-y", "artifact", "out")
    remote = ("artifact", asked["artifact_hash"][:12])
    project.roar("label", "set", "--remote", *remote, "note=seen")
    assert "version 3, editable" in project.roar("label", "show", "--remote", *remote)
    project.roar("label", "unset", "--remote", *remote, "note")
    assert versions() == [
        {"quality": "high", "team": {"name": "blue"}},
        {"team": {"name": "blue"}},
        {"note": "seen", "team": {"name": "blue"}},
        {"team": {"name": "blue"}},
    ]
    assert "note" in project.roar("label", "history", "--remote", *remote)
    # What is private is told to nobody else.
    assert server.client.get("/api/v1/labels/current", params=asked).status_code == 404
    # Twice, because the second sends work along that is registered by then.
    for place in ("first", "second"):
        put = ("put", "out", f"s3://bucket/{place}", "-m", "x", "--private", "-y", "--no-tag")
        assert registered(project, *put) != name
