"""`roar register` against a real registry: what is there afterwards, and who sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from between import standing_between
from machines import CANARY, Machine, edge, new_machine, record, record_work
from registrants import Person, somebody
from tests.test_json_documents import validate

from roar_core.registry.publishing.job_documents import from_wire

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


@pytest.fixture
def machine(shared: Registry, tmp_path: Path) -> Machine:
    return new_machine(tmp_path / "one", shared.url)


@pytest.fixture
def ada(shared: Registry) -> Person:
    return somebody(shared)


def jobs_of(registry: Registry, session_hash: str, person: Person | None = None) -> list[Any]:
    headers = {"Authorization": f"Bearer {person.secret}"} if person else {}
    answer = registry.client.get(f"/api/v1/sessions/{session_hash}/jobs", headers=headers)
    if answer.status_code == 404:
        return []
    return list(answer.json()["jobs"])


def told(registry: Registry, uid: str, person: Person | None = None) -> Any:
    headers = {"Authorization": f"Bearer {person.secret}"} if person else {}
    answer = registry.client.get(f"/api/v1/graph/jobs/{uid}", headers=headers)
    return answer.json() if answer.is_success else None


def test_nothing_is_sent_without_a_yes(shared: Registry, machine: Machine) -> None:
    uids = record_work(machine)
    refused = machine.roar("register")
    assert refused.exit_code == 1
    assert "-y" in refused.stderr
    shown = machine.roar("register", "--dry-run", "--show-masked")
    assert shown.exit_code == 0
    assert CANARY not in shown.stdout
    assert "/…/in.csv" in shown.stdout
    assert "everybody" in shown.stdout
    assert all(told(shared, uid) is None for uid in uids)


def test_all_of_a_session_is_registered_and_read_back(shared: Registry, machine: Machine) -> None:
    uids = record_work(machine)
    document = machine.roar("register", "-y", "--json").document
    (session,) = document["sessions"]
    assert session["jobs"] == uids
    assert CANARY not in json.dumps(document)
    validate(document, "registration")
    graph = json.loads(machine.roar("export", "--format", "json").stdout)
    for expected in graph["jobs"]:
        found = from_wire(told(shared, expected["uid"]))
        expected["labels"] = {}
        for side in ("inputs", "outputs"):
            expected[side].sort(key=lambda one: (one["path"], one["hash"] or ""))
        assert found == expected
    text = json.dumps([told(shared, uid) for uid in uids])
    assert CANARY not in text
    assert str(machine.project) not in text
    again = machine.roar("register", "-y", "--json").document
    assert (again["jobs"], again["sessions"]) == ([], [])


def test_more_work_registers_the_difference(shared: Registry, machine: Machine) -> None:
    uids = record_work(machine)
    machine.roar("register", "-y", "model.bin")
    project = machine.project
    new = record(
        machine,
        *("python", "report.py"),
        reads=(edge(project, "model.bin", b"model"),),
        writes=(edge(project, "report.txt", b"report"),),
    )
    document = machine.roar("register", "-y", "report.txt", "--json").document
    (session,) = document["sessions"]
    assert session["jobs"] == [new.uid]
    assert {one["uid"] for one in document["there"]} == set(uids[:2])
    whole = machine.roar("register", "-y", "--json").document
    assert whole["jobs"] == [uids[2]]


def test_another_machine_knows_what_is_there(
    shared: Registry, machine: Machine, tmp_path: Path
) -> None:
    uids = record_work(machine)
    other = machine.twin(tmp_path / "two")
    machine.roar("register", "-y")
    document = other.roar("register", "-y", "--json").document
    assert document["jobs"] == []
    assert {one["uid"] for one in document["there"]} == set(uids)
    assert other.rows("SELECT count(*) FROM receipt") == [(3,)]


def test_private_work_is_seen_by_its_owner_alone_until_it_is_made_public(
    shared: Registry, machine: Machine, ada: Person
) -> None:
    machine.environ["ROAR_TOKEN"] = ada.secret
    uids = record_work(machine)
    document = machine.roar("register", "-y", "--json").document
    assert document["visibility"] == "private"
    assert told(shared, uids[0]) is None
    assert told(shared, uids[0], somebody(shared)) is None
    assert told(shared, uids[0], ada)["jobUid"] == uids[0]
    project = machine.project
    record(machine, "python", "more.py", writes=(edge(project, "more", b"more"),))
    refused = machine.roar("register", "--public")
    assert refused.exit_code == 1
    assert "becomes public" in refused.stderr
    public = machine.roar("register", "--public", "-y", "--json").document
    assert [one["hash"] for one in public["sessions"]][:1] == [document["sessions"][0]["hash"]]
    assert told(shared, uids[0])["jobUid"] == uids[0]
    assert machine.rows("SELECT DISTINCT visibility FROM receipt") == [("public",)]
    # Nothing takes it back, and nobody has to be told so.
    after = machine.roar("register", "--private", "-y", "--json").document
    assert after["jobs"] == []


def test_two_people_publish_the_same_checkout(
    shared: Registry, machine: Machine, ada: Person, tmp_path: Path
) -> None:
    uids = record_work(machine)
    bob = somebody(shared)
    other = machine.twin(tmp_path / "two")
    machine.environ["ROAR_TOKEN"], other.environ["ROAR_TOKEN"] = ada.secret, bob.secret
    first = machine.roar("register", "-y", "--json").document["sessions"][0]
    second = other.roar("register", "-y", "--json").document["sessions"][0]
    assert first["jobs"] == second["jobs"] == uids
    assert first["hash"] != second["hash"]


def test_undone_and_running_jobs_stay_here(machine: Machine, shared: Registry) -> None:
    uids = record_work(machine)
    machine.roar("pop", "-y")
    document = machine.roar("register", "-y", "--json").document
    assert document["jobs"] == uids[:2]


def test_a_package_is_written_in_place_of_sending(
    shared: Registry, machine: Machine, tmp_path: Path
) -> None:
    from roar_core.registry.publishing.package import checksum_of

    uids = record_work(machine)
    path = tmp_path / "work.json"
    assert machine.roar("register", "--package", str(path)).exit_code == 0
    content = path.read_bytes()
    package = json.loads(content)
    assert CANARY.encode() not in content
    assert [job["job_uid"] for job in package["jobs"]] == uids
    assert package["manifest"]["package_sha256"] == checksum_of(package)
    assert package["manifest"]["uncompressed_size_bytes"] == len(content)
    assert len(package["composites"]) == 1
    assert told(shared, uids[0]) is None


def test_a_package_is_registered_from_another_machine(
    shared: Registry, machine: Machine, tmp_path: Path
) -> None:
    uids = record_work(machine)
    path = tmp_path / "work.json"
    assert machine.roar("register", "--package", str(path)).exit_code == 0
    courier = new_machine(tmp_path / "courier", shared.url, **machine.environ)
    read = courier.roar("register", "--from-package", str(path), "--dry-run", "--json").document
    validate(read, "package_registration")
    assert (read["dry_run"], read["jobs"], read["sessions"]) == (True, uids, [])
    planned = courier.roar("register", "--from-package", str(path), "--dry-run")
    assert "jobs      3" in planned.stdout
    assert "clean.csv" in planned.stdout
    assert told(shared, uids[0]) is None
    sent = courier.roar("register", "--from-package", str(path), "-y", "--json").document
    assert (sent["jobs"], sent["there"]) == (uids, [])
    again = courier.roar("register", "--from-package", str(path), "-y")
    assert "already" in again.stderr
    assert not (courier.project / ".roar").exists()
    job = courier.roar("show", uids[0], "--remote", "--json").document
    assert job["there"]["labels"] == {"stage": "raw"}
    assert [edge["relative"] for edge in job["outputs"]] == ["clean.csv"]
    # The machine that wrote it registers the same, and sends nothing twice.
    own = machine.roar("register", "-y", "--json").document
    assert (own["jobs"], own["there"][0]["session"]) == ([], sent["sessions"][0]["hash"])


def test_a_package_that_is_sent_where_it_was_written_is_noted_as_registered(
    shared: Registry, machine: Machine, tmp_path: Path
) -> None:
    """Also at a registry that cannot be asked what it has: nothing is sent again."""
    uids = record_work(machine)
    path = tmp_path / "work.json"
    with standing_between(shared.url) as between:
        between.hidden = frozenset({"known_jobs"})
        machine.environ["ROAR_REGISTRY__URL"] = between.url
        assert machine.roar("register", "--package", str(path)).exit_code == 0
        sent = machine.roar("register", "--from-package", str(path), "-y", "--json").document
        (session,) = sent["sessions"]
        assert session["jobs"] == uids
        between.requests.clear()
        for words in (("register", "-y", "--json"), ("register", "-y", "--from-package", path)):
            again = machine.roar(*map(str, words))
            assert again.exit_code == 0, again.stderr
        assert not any(one.startswith("POST registration-sessions") for one in between.requests)
        known = machine.roar("register", "--dry-run", "--json").document
    assert sorted(one["uid"] for one in known["there"]) == sorted(uids)
    assert {one["session"] for one in known["there"]} == {session["hash"]}


def test_a_project_that_cannot_be_used_does_not_keep_a_package_from_being_sent(
    shared: Registry, machine: Machine, tmp_path: Path
) -> None:
    uids = record_work(machine)
    path = tmp_path / "work.json"
    assert machine.roar("register", "--package", str(path)).exit_code == 0
    (machine.project / ".roar" / "roar.db").write_bytes(b"no database" * 1000)
    sent = machine.roar("register", "--from-package", str(path), "-y", "--json")
    assert sent.exit_code == 0, sent.stderr
    assert sent.document["jobs"] == uids
    assert "not noted down here" in sent.stderr


def test_a_package_of_work_that_has_grown_registers_the_difference(
    shared: Registry, machine: Machine, tmp_path: Path
) -> None:
    uids = record_work(machine)
    machine.roar("label", "set", "@2", "stage=made")
    for ref in ("@1", "@2"):
        assert machine.roar("register", ref, "--package", str(tmp_path / ref)).exit_code == 0
    courier = new_machine(tmp_path / "courier", shared.url)
    for ref, uid in (("@1", uids[0]), ("@2", uids[1])):
        sent = courier.roar("register", "--from-package", str(tmp_path / ref), "-y", "--json")
        assert sent.document["jobs"] == [uid]
    told_of = courier.roar("show", uids[1], "--remote", "--json").document
    assert told_of["there"]["labels"] == {"stage": "made"}


def test_what_is_private_is_not_made_public_by_a_package(
    shared: Registry, machine: Machine, ada: Person, tmp_path: Path
) -> None:
    uids = record_work(machine)
    path = tmp_path / "work.json"
    assert machine.roar("register", "--package", str(path)).exit_code == 0
    machine.environ["ROAR_TOKEN"] = ada.secret
    assert machine.roar("register", "-y", "--private").exit_code == 0
    sent = machine.roar("register", "--from-package", str(path), "-y", "--public")
    assert sent.exit_code == 0
    assert "stays private" in sent.stderr
    assert told(shared, uids[0]) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda p: p["jobs"][0].update(command="rm"), "its checksum is another"),
        (lambda p: p["jobs"][0].update(job_uid="../x"), "without a uid"),
        (lambda p: p["links"][0].update(job_uid="0" * 32), "a job that is not in it"),
        (lambda p: p["links"][0].update(job_uid=[]), "a job that is not in it"),
        (lambda p: p["links"][0].update(direction={}), "a job that is not in it"),
        (lambda p: p["jobs"][0].update(parent_job_uid=[]), "started by none"),
        (lambda p: p["jobs"][0].update(duration=float("nan")), "it is no JSON"),
        (lambda p: p["labels"][0].update(job_uid="0" * 32), "labels of a job that is not in it"),
        (lambda p: p["labels"][0].update(metadata=1), "labels of nothing"),
        (lambda p: p.update(version=True), "this roar reads version 1"),
        (lambda p: p.update(links={}), "no whole registration package"),
        (lambda p: p.update(version=2), "this roar reads version 1"),
        (lambda p: p.update(format="x"), "no registration package"),
        (lambda p: p.update(jobs=[], links=[]), "no job"),
    ],
)
def test_a_package_that_is_none_is_refused(
    machine: Machine, tmp_path: Path, change: Callable[[Any], None], sentence: str
) -> None:
    from roar_core.registry.publishing.package import checksum_of

    record_work(machine)
    path = tmp_path / "work.json"
    machine.roar("register", "--package", str(path))
    package = json.loads(path.read_bytes())
    change(package)
    if "checksum" not in sentence:
        package["manifest"]["package_sha256"] = checksum_of(package)
    path.write_text(json.dumps(package))
    refused = machine.roar("register", "--from-package", str(path), "-y")
    assert refused.exit_code == 1
    assert sentence in refused.stderr
    assert "defect" not in refused.stderr


def test_absolute_paths_are_sent_when_asked(shared: Registry, machine: Machine) -> None:
    uids = record_work(machine)
    machine.roar("register", "-y", "--absolute-paths")
    assert "/elsewhere/in.csv" in json.dumps(told(shared, uids[0]))
