"""Which jobs a reproduction runs, and in which order, from rows in a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from roar_core.model.job import Edge, Job, JobKind
from roar_core.reproduce.needed import needed_jobs
from roar_core.store.owner import Owner
from roar_core.store.writer import Store


@attrs.define
class Records:
    """Records jobs by what they read and wrote; a file's content is its name and a version."""

    store: Store
    count: int = 0

    def job(
        self,
        command: str,
        reads: str = "",
        writes: str = "",
        kind: JobKind = "run",
        parent: str | None = None,
    ) -> str:
        self.count += 1
        begun = self.store.begin(
            Job(
                uid=f"{self.count:032x}",
                kind=kind,
                command=tuple(command.split()),
                cwd="/p",
                project="/p",
                state="running",
                started_at_ns=self.count,
                parent=parent,
            ),
            owner=Owner.current(),
        )
        done = attrs.evolve(
            begun,
            state="succeeded",
            exit_code=0,
            inputs=tuple(map(_edge, reads.split())),
            outputs=tuple(map(_edge, writes.split())),
        )
        return self.store.complete(done).uid

    def needed(self, *uids: str) -> list[str]:
        with self.store.reading() as db:
            return list(needed_jobs(db, uids).order)


def _edge(word: str) -> Edge:
    name = word.partition("=")[0]
    return Edge(f"/p/{name}", 1, {"blake3": word.encode().hex().ljust(64, "0")[:64]})


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Store.open(tmp_path / ".roar", create=True) as store:
        yield Records(store)


def test_only_what_the_bytes_came_from_is_needed(records: Records) -> None:
    first = records.job("a", writes="x=1")
    records.job("other", writes="y=1")
    second = records.job("b", reads="x=1", writes="z=1")
    assert records.needed(second) == [first, second]


def test_a_rerun_takes_part_only_when_its_bytes_were_consumed(records: Records) -> None:
    first = records.job("a", writes="x=1")
    second = records.job("b", reads="x=1", writes="y=1")
    rerun = records.job("a", writes="x=2")
    last = records.job("c", reads="x=2 y=1", writes="z=1")
    assert records.needed(second) == [first, second]
    assert records.needed(last) == [first, second, rerun, last]


def test_of_attempts_that_did_the_same_the_newest_runs_once(records: Records) -> None:
    records.job("a", writes="x=1")
    second = records.job("b", reads="x=1", writes="y=1")
    rerun = records.job("a", writes="x=1")
    last = records.job("c", reads="x=1 y=1", writes="z=1")
    assert records.needed(last) == [rerun, second, last]


def test_builds_before_the_job_come_first_and_later_ones_do_not(records: Records) -> None:
    first = records.job("a", writes="x=1")
    records.job("make", kind="build")
    build = records.job("make", kind="build")
    last = records.job("b", reads="x=1")
    records.job("later", kind="build")
    assert records.needed(last) == [build, first, last]


def test_a_build_that_read_what_a_step_made_comes_after_it(records: Records) -> None:
    first = records.job("a", writes="x=1")
    build = records.job("make", reads="x=1", writes="tool=1", kind="build")
    last = records.job("b", reads="tool=1")
    assert records.needed(last) == [first, build, last]


def test_a_get_may_be_run_again_and_a_put_is_nobodys_source(records: Records) -> None:
    get = records.job("get s3://b/x x", writes="x=1", kind="get")
    last = records.job("b", reads="x=1", writes="y=1")
    put = records.job("put y", reads="y=1", kind="put")
    assert records.needed(last) == [get, last]
    assert records.needed(put) == []


def test_tasks_come_with_their_driver_and_with_what_they_read(records: Records) -> None:
    source = records.job("a", writes="x=1")
    driver = records.job("drive")
    records.job("task", reads="x=1", writes="y=1", kind="task", parent=driver)
    last = records.job("b", reads="y=1")
    assert records.needed(last) == [source, driver, last]


def test_jobs_that_read_from_each_other_run_as_they_were_started(records: Records) -> None:
    first, second = records.job("a", writes="x=1"), records.job("b", reads="x=1", writes="y=1")
    with records.store.writing() as db:
        db.execute(
            "INSERT INTO edge (job, direction, path, artifact, size, kind, hash_state, producer) "
            "SELECT a.id, 0, 'y', NULL, 1, 'file', 'unknown', b.id FROM job a, job b "
            "WHERE a.uid = ? AND b.uid = ?",
            (first, second),
        )
    assert records.needed(second) == [first, second]


def test_a_long_chain_is_walked_to_its_end(records: Records) -> None:
    chain = [records.job(f"s{n}", f"f{n - 1}=1" if n else "", f"f{n}=1") for n in range(60)]
    assert records.needed(chain[-1]) == chain
