"""What a registry tells of jobs is what was recorded: the graph of `roar export`, word for word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from machines import Machine, dataset, edge, new_machine, record
from registrants import somebody

from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.environment import Environment, GitState, Gpu
from roar_core.model.job import Edge
from roar_core.model.tracker import TrackerReference
from roar_core.registry.publishing.job_documents import from_wire
from roar_core.store.labels import write_labels

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

Document = dict[str, Any]


def record_everything(machine: Machine) -> None:
    """Jobs of two sessions with whatever a job may say, but for tasks: `tasked` adds one."""
    project = machine.project
    data, parts = dataset(project, "data")
    etag = {"etag": '"0a1b-2"', "version": "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8g"}
    got = edge(project, "/bucket", b"got", kind="object", **etag)
    record(
        machine,
        *("roar", "get", "s3://bucket/got.bin", "got.bin"),
        reads=(Edge("s3://bucket/got.bin", got.size, got.digests, "object", **etag),),
        writes=(edge(project, "got.bin", b"got"),),
    )
    odd = "x\udcff.txt"
    first = record(
        machine,
        *("python", "prepare.py", odd),
        reads=(data, edge(project, "got.bin", b"got"), edge(project, "/elsewhere/in.csv", b"in")),
        writes=(edge(project, odd, b"odd"), edge(project, "a", b"a"), edge(project, "b", b"a")),
        datasets=(parts,),
        name="prepare \udcfe",
        git=GitState("c" * 40, "main", None, dirty=True, snapshot=f"blake3:{'5' * 64}"),
        environment=Environment(
            *("Debian GNU/Linux 12", "aarch64", "CPython 3.12.1", "a cpu", 1 << 40),
            gpus=(Gpu("a gpu", 1 << 30, "550.1"), Gpu("another")),
            cuda="12.4",
            container="docker",
            variables={"OMP_NUM_THREADS": "4", "odd": "\udcff"},
        ),
        trackers=(
            TrackerReference("wandb", "r1", "p", "e", "n", "https://wandb.example/e/p/r1"),
            TrackerReference("mlflow", host="https://mlflow.example"),
        ),
    )
    for digest in (b"m1", b"m2"):  # the second is another attempt at the same step
        record(
            machine,
            *("python", "train.py"),
            reads=(
                edge(project, odd, b"odd"),
                edge(project, "a", b"before", hash_state="before_change"),
                edge(project, "gone", b"", digests={}, hash_state="unknown"),
            ),
            writes=(edge(project, "a", b"after"), edge(project, "model", digest)),
            rerun_of=first.uid if digest == b"m2" else None,
        )
    record(
        machine,
        *("sh", "-c", "kill -9 $$"),
        reads=(edge(project, "model", b"m2"),),
        state="interrupted",
        exit_code=None,
        signal="SIGKILL",
        packages=first.packages,
        environment=None,
        coverage=Coverage((CoverageReason("lost", 3, "of /…/x"), CoverageReason("static", 1))),
    )
    assert machine.roar("reset").exit_code == 0
    record(machine, "put", reads=(edge(project, "model", b"m2"),), writes=(data,), duration_s=None)
    with machine.store() as store, store.writing() as db:
        write_labels(db, "job", 2, {"tag": {"pii": "yes"}}, 1)


def tasked(graph: Document) -> str:
    """The graph with a job that a backend brought back, as another machine sends it."""
    driver = graph["jobs"][0]
    task = json.loads(json.dumps(graph["jobs"][-1]))
    task |= {"uid": "7a" * 16, "kind": "task", "parent": driver["uid"], "step": None}
    task |= {"attempt": None, "outputs": [], "rerun_of": None, "hash": None, "name": None}
    task["task"] = {"backend": "spool", "task": "t/1", "attempt": 2, "where": None}
    graph["jobs"].append(task)
    return json.dumps(graph)


def exported(machine: Machine, *words: str) -> Document:
    done = machine.roar("export", *words)
    assert done.exit_code == 0, done.stderr
    return dict(json.loads(done.stdout))


def is_told(registry: Registry, machine: Machine, graph: Document) -> int:
    """Compare each job with what the registry tells of it; the number of jobs."""
    again = dict(machine.rows("SELECT uid, rerun_of FROM job"))
    for expected in graph["jobs"]:
        answer = registry.client.get(f"/api/v1/graph/jobs/{expected['uid']}")
        assert answer.is_success, answer.text
        # Labels are told on their own, and an export names no job that is not part of it.
        expected |= {"labels": {}, "rerun_of": again[expected["uid"]]}
        for side in ("inputs", "outputs"):
            expected[side].sort(key=lambda one: (one["path"], one["hash"] or ""))
        assert from_wire(answer.json()) == expected
    return len(graph["jobs"])


def test_no_name_of_a_package_hides_its_version(tmp_path: Path) -> None:
    machine = new_machine(tmp_path / "one", "http://127.0.0.1:9")
    record(machine, "python", "x.py", writes=(edge(machine.project, "x", b"x"),))
    (job,) = exported(machine)["jobs"]
    assert job["packages"]["python"] == {"google-auth": "2.3", "numpy": "2.0"}


def test_whatever_a_job_says_is_told(shared: Registry, tmp_path: Path) -> None:
    machine = new_machine(tmp_path / "one", shared.url)
    record_everything(machine)
    for session, jobs in (("session:2", 4), ("session:1", 5)):
        ended = machine.roar("register", "-y", session)
        assert ended.exit_code == 0, ended.stderr
        assert is_told(shared, machine, exported(machine, session)) == jobs
    # Lineage that came as a file is registered as what it is, by somebody else.
    other = new_machine(tmp_path / "other", shared.url, ROAR_TOKEN=somebody(shared).secret)
    other.store().close()
    (tmp_path / "sent.json").write_text(tasked(exported(machine)))
    assert other.roar("import", str(tmp_path / "sent.json")).exit_code == 0
    ended = other.roar("register", "-y", "--public", "--json", "7a" * 16)
    assert [job for one in ended.document["sessions"] for job in one["jobs"]] == ["7a" * 16]
    graph = exported(other, "7a" * 16)
    graph["jobs"] = [job for job in graph["jobs"] if job["kind"] == "task"]
    assert is_told(shared, other, graph) == 1
