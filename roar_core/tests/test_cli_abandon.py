"""`roar abandon` closes a job that nobody here can see, and no other."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from roar_core.journal_format import JOURNAL_MAGIC
from roar_core.model.job import Job
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
from roar_core.testing.projects import ProjectUnderTest

ME = Owner.current()
# A process of a container: of this boot, with process numbers of its own.
ELSEWHERE = ME._replace(pid=1, pid_namespace=7, machine="node7")

Begin = Callable[[Owner], Job]


@pytest.fixture
def begin(project: ProjectUnderTest, job_maker: Any) -> Begin:
    """Begins a job of an owner in the project; nobody completes it."""
    make = job_maker(project.root)

    def begun(owner: Owner) -> Job:
        with Store.open(project.root / ".roar", create=True) as store:
            job: Job = store.begin(make("python", "train.py"), owner=owner)
        return job

    return begun


def test_a_job_of_elsewhere_is_closed_and_its_record_says_so(
    project: ProjectUnderTest, begin: Begin
) -> None:
    job = begin(ELSEWHERE)
    assert project.json("show")["state"] == "running"
    told = project.roar("abandon", "@1", "-y")
    assert (told.exit_code, told.stdout) == (0, "")
    assert "abandoned: @1 " in told.stderr
    shown = project.json("show", job.uid)
    assert (shown["state"], shown["inputs"], shown["outputs"]) == ("interrupted", [], [])
    [reason] = shown["coverage"]["reasons"]
    assert reason["code"] == "abandoned"
    assert "node7" in reason["detail"]
    assert project.roar("pop", "-y").exit_code == 0


def test_a_person_is_asked_who_reads_where_it_runs(project: ProjectUnderTest, begin: Begin) -> None:
    begin(ELSEWHERE)
    told = project.roar("abandon", "@1")
    assert told.exit_code == 1
    assert "on node7 " in told.stderr
    assert "nothing was done" in told.stderr
    assert project.shell("echo n | roar abandon @1").exit_code == 1
    assert project.json("show")["state"] == "running"
    assert project.shell("echo y | roar abandon @1").exit_code == 0
    assert project.json("show")["state"] == "interrupted"


def test_a_job_that_runs_here_is_refused(project: ProjectUnderTest, begin: Begin) -> None:
    begin(ME)
    told = project.roar("abandon", "@1", "-y")
    assert told.exit_code == 1
    assert "@1 runs on this machine; stop it" in told.stderr
    assert project.json("show")["state"] == "running"


def test_a_job_of_a_container_is_refused_while_it_is_observed(
    project: ProjectUnderTest, begin: Begin
) -> None:
    job = begin(ELSEWHERE)
    journal = project.write(f".roar/journals/{job.uid}.jnl", JOURNAL_MAGIC)
    with journal.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told = project.roar("abandon", "@1", "-y")
        assert told.exit_code == 1
        assert "still observed there" in told.stderr
    assert project.roar("abandon", "@1", "-y").exit_code == 0


@pytest.mark.parametrize(
    ("ref", "words"),
    [("@1", "@1 has ended (interrupted)"), ("@9", "@9"), ("session:1", "is no job")],
)
def test_what_cannot_be_abandoned_is_said(
    project: ProjectUnderTest, begin: Begin, ref: str, words: str
) -> None:
    begin(ELSEWHERE)
    assert project.roar("abandon", "@1", "-y").exit_code == 0
    told = project.roar("abandon", ref, "-y")
    assert told.exit_code in (1, 2)
    assert words in told.stderr
    assert "Traceback" not in told.stderr


def test_undoing_it_tells_the_way(project: ProjectUnderTest, begin: Begin) -> None:
    begin(ELSEWHERE)
    told = project.roar("pop", "-y")
    assert told.exit_code == 1
    assert "still running on node7; if that never comes back: roar abandon @1" in told.stderr


def test_a_roar_that_lived_after_all_leaves_it_closed(
    project: ProjectUnderTest, begin: Begin
) -> None:
    job = begin(ELSEWHERE)
    document = json.loads(project.roar("abandon", job.uid, "-y", "--json").stdout)
    assert document["type"] == "abandoned"
    assert (document["machine"], document["state"]) == ("node7", "interrupted")
    with Store.open(project.root / ".roar") as store:
        kept = store.complete(attrs.evolve(job, state="succeeded", exit_code=0))
    assert kept.state == "interrupted"
