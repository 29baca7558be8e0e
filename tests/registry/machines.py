"""Machines with a user's home and a project in which work was recorded, and `roar` run there."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import attrs
from blake3 import blake3

from roar_core.identity import Leaf, tree_hash
from roar_core.model.composite import Component, CompositeUse, Dataset
from roar_core.model.environment import Environment, GitState, Packages
from roar_core.model.job import Edge, Job
from roar_core.store.composites import Datasets
from roar_core.store.labels import write_labels
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
from roar_core.testing.forking import Forking, new_forking_roar

# Recognisable, and nobody's.
CANARY = "hunter2-not-a-real-password"
STARTED = 1_767_225_600_123_456_789
PARTS = ("part-0.parquet", "part-1.parquet", "part-2.parquet")


@attrs.frozen
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        assert self.exit_code == 0, self.stderr
        return json.loads(self.stdout)


@attrs.define
class Machine:
    """A home and a project; `environ` is what its user sets."""

    root: Path
    environ: dict[str, str] = attrs.field(factory=dict)

    @property
    def project(self) -> Path:
        return self.root / "project"

    def environment(self) -> dict[str, str]:
        own = ("ROAR_", "XDG_", "GIT_", "GLAAS_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(own)}
        home = {"HOME": str(self.root / "home"), "ROAR_NO_TELEMETRY": "1"}
        return kept | home | self.environ

    def roar(self, *words: str) -> Ended:
        """Run `roar` in the project, with nobody to answer questions."""
        done = roar_commands().run(words, cwd=self.project, environ=self.environment())
        return Ended(done.returncode, done.stdout, done.stderr)

    def store(self) -> Store:
        return Store.open(self.project / ".roar", create=True)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.project / ".roar" / "roar.db")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def change(self, statement: str) -> None:
        """Change the session database behind roar's back."""
        connection = sqlite3.connect(self.project / ".roar" / "roar.db")
        with connection:
            connection.execute(statement)
        connection.close()

    def twin(self, root: Path) -> Machine:
        """Another machine with a copy of the project, and a home of its own."""
        shutil.copytree(self.project, root / "project")
        (root / "home").mkdir()
        return Machine(root, dict(self.environ))

    def rename_jobs(self) -> None:
        """Give every job another uid, as if all had been run once more."""
        self.change("UPDATE job SET uid = lower(hex(randomblob(16)))")


@functools.cache
def roar_commands() -> Forking:
    """What commands of `roar` are forked from; the fixture `forking_roar` ends it."""
    return new_forking_roar()


def kill_newest(number: int = signal.SIGKILL) -> None:
    """Kill the `roar` of a machine that was begun last, or send it another signal."""
    newest = roar_commands().newest
    assert newest is not None
    newest.kill(number)


def new_machine(root: Path, url: str, **environ: str) -> Machine:
    """An empty project, whose user has said which registry is theirs."""
    (root / "home").mkdir(parents=True)
    (root / "project").mkdir()
    return Machine(root, {"ROAR_REGISTRY__URL": url} | environ)


def edge(project: Path, path: str, content: bytes, **more: Any) -> Edge:
    where = path if path.startswith("/") else f"{project}/{path}"
    digest = blake3(content).hexdigest()
    return Edge(where, len(content), **({"digests": {"blake3": digest}} | more))


def record(
    machine: Machine,
    *command: str,
    reads: tuple[Edge, ...] = (),
    writes: tuple[Edge, ...] = (),
    datasets: tuple[Dataset, ...] = (),
    second: int | None = None,
    **more: Any,
) -> Job:
    """A job of the machine's project that has ended: begun in this second, or after all others."""
    root = str(machine.project)
    with machine.store() as store:
        with store.reading() as db:
            number = second or db.execute("SELECT count(*) FROM job").fetchone()[0]
        begun = store.begin(
            Job(
                uid=uuid.uuid4().hex,
                kind="run",
                command=command,
                cwd=root,
                project=root,
                state="running",
                started_at_ns=STARTED + number * 1_000_000_000,
            ),
            owner=Owner.current(),
        )
        ended = {
            "state": "succeeded",
            "exit_code": 0,
            "duration_s": 0.5,
            "tracer": "preload",
            "git": GitState("c" * 40, "main", f"https://ada:{CANARY}@git.example.org/x.git"),
            "packages": Packages({"numpy": "2.0", "google-auth": "2.3"}, {"libc6": "2.36"}),
            "environment": Environment("Debian 12", "x86_64", "CPython 3.12.1"),
        } | more
        job = attrs.evolve(begun, inputs=reads, outputs=writes, **ended)
        return store.complete(job, Datasets(datasets))


def dataset(project: Path, path: str) -> tuple[Edge, Dataset]:
    """A dataset of three files, of which one is touched."""
    members = tuple(Component(name, blake3(name.encode()).hexdigest(), len(name)) for name in PARTS)
    root = tree_hash(Leaf(one.path, "blake3", one.digest) for one in members).root
    use = CompositeUse("parquet-shards", 1, len(members), False)
    found = edge(
        project,
        path,
        b"x" * 42,
        digests={"composite-blake3": root},
        kind="composite",
        composite=use,
    )
    where = f"{project}/{path}"
    return found, Dataset(where, False, "parquet-shards", members, frozenset({PARTS[1]}))


def record_work(machine: Machine) -> list[str]:
    """Three jobs: one reads part of a dataset, one goes on from it, one fails. Returns uids.

    The first has a label, and its command a password.
    """
    project = machine.project
    data, parts = dataset(project, "data")
    first = record(
        machine,
        *("python", "prepare.py", "--password", CANARY),
        reads=(data, edge(project, "/elsewhere/in.csv", b"in")),
        writes=(edge(project, "clean.csv", b"clean"),),
        datasets=(parts,),
    )
    second = record(
        machine,
        *("python", "train.py"),
        reads=(edge(project, "clean.csv", b"clean"),),
        writes=(edge(project, "model.bin", b"model"),),
    )
    third = record(
        machine,
        *("python", "evaluate.py"),
        reads=(edge(project, "model.bin", b"model"),),
        state="failed",
        exit_code=3,
    )
    with machine.store() as store, store.writing() as db:
        write_labels(db, "job", 1, {"stage": "raw"}, 1)
    return [first.uid, second.uid, third.uid]
