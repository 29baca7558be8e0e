"""Results pass from task to task without a file, and lineage passes with them."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import attrs
import pytest

from roar_core.lineage.closure import downstream, upstream
from roar_core.lineage.tasks import family_of, needs_of, task_groups, ties_below
from roar_core.model.job import Job
from roar_core.store.needs import add_driver_needs, unmet_needs
from roar_core.store.pruning import prune
from roar_core.store.tasks import PartKey, TaskPart, merge_parts
from roar_core.store.writer import Store

SECOND = 10**9


def part(
    jobs: Any,
    driver: Job,
    task: str,
    *needs: str,
    at: float = 0,
    attempt: int = 1,
    name: str = "",
    reads: str | None = None,
    writes: str | None = None,
    state: str = "succeeded",
    **traits: Any,
) -> TaskPart:
    """One that began `at` seconds after the driver, and took half a second."""
    job = jobs(
        task,
        kind="task",
        parent=driver.uid,
        name=task.rstrip("0123456789"),
        state=state,
        started_at_ns=driver.started_at_ns + round(at * SECOND),
        duration_s=0.5,
        inputs=jobs.edges({reads: reads.encode()} if reads else {}),
        outputs=jobs.edges({writes: writes.encode()} if writes else {}),
    )
    return TaskPart(PartKey("ray", task, attempt, name), job, needs=needs, **traits)


def ids(store: Store, *parts: TaskPart | Job) -> list[int]:
    with store.reading() as db:
        uids = [p.uid if isinstance(p, Job) else p.job.uid for p in parts]
        return [db.execute("SELECT id FROM job WHERE uid = ?", (u,)).fetchone()[0] for u in uids]


def given_by(store: Store, taker: TaskPart | Job) -> list[str | None]:
    uid = taker.uid if isinstance(taker, Job) else taker.job.uid
    with store.reading() as db:
        return [need.uid for need in needs_of(db, uid)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_newest_attempt_that_succeeded_gave_the_result(
    store: Store, jobs: Any, driver: Job, order: tuple[int, ...]
) -> None:
    parts = [
        part(jobs, driver, "load", attempt=1, state="interrupted"),
        part(jobs, driver, "load", attempt=2),
        part(jobs, driver, "load", attempt=3, state="failed"),
        part(jobs, driver, "train", "load", "lost"),
    ]
    add_driver_needs(store, driver.uid, "ray", ["train"])
    for index in (*order, *order):
        merge_parts(store, driver.uid, [parts[index]])
    add_driver_needs(store, driver.uid, "ray", ["train"])
    assert given_by(store, parts[3]) == [parts[1].job.uid, None]
    assert given_by(store, driver) == [parts[3].job.uid]
    assert unmet_needs(store, driver.uid, "ray") == 1
    with store.reading() as db:
        assert family_of(db, parts[3].job.uid).results == (("load", 1), (None, 1))


def test_a_result_leads_from_what_one_read_to_what_another_wrote(
    store: Store, jobs: Any, driver: Job
) -> None:
    load = part(jobs, driver, "load", reads="data")
    train = part(jobs, driver, "train", "load", at=0.6, writes="model")
    other = part(jobs, driver, "other", at=0.1, reads="else")
    merge_parts(store, driver.uid, [train, other, load])
    first, second, third, top = ids(store, load, train, other, driver)
    with store.reading() as db:
        up, down = upstream(db, [second]), downstream(db, [first])
    assert set(up.distances) == {second, first, top}
    assert set(down.distances) == {first, second}
    [passed] = [p for p in up.passings if p.producer == first]
    assert (passed.consumer, passed.artifact, passed.is_result) == (second, None, True)
    assert third not in up.distances


def test_what_the_driver_got_may_be_in_what_it_started_later_only(
    store: Store, jobs: Any, driver: Job
) -> None:
    """b = ray.get(a.remote()); train.remote(b): only time tells what the driver passed on."""
    early = part(jobs, driver, "early", at=0, reads="data")
    before = part(jobs, driver, "before", at=1)
    train = part(jobs, driver, "train", at=10, writes="model")
    late = part(jobs, driver, "late", at=20)
    merge_parts(store, driver.uid, [early, before, train, late])
    add_driver_needs(store, driver.uid, "ray", ["early", "before", "late"])
    first, second, third, fourth, top = ids(store, early, before, train, late, driver)
    with store.reading() as db:
        assert set(upstream(db, [third]).distances) == {third, top, first, second}
        assert set(upstream(db, [top]).distances) == {top, first, second, fourth}
        # It is as if both clocks were right to a second.
        assert set(downstream(db, [first]).distances) == {first, top, second, third, fourth}
        assert set(downstream(db, [second]).distances) == {second, top, third, fourth}
        assert set(downstream(db, [fourth]).distances) == {fourth, top}


def test_who_tells_only_what_an_attempt_was_given_leaves_its_edges(
    store: Store, jobs: Any, driver: Job
) -> None:
    load = part(jobs, driver, "load", writes="data")
    train = part(jobs, driver, "train", at=1, reads="data", writes="model")
    merge_parts(store, driver.uid, [load, train])
    query = "SELECT edge.*, hash, input_count FROM edge JOIN job ON job.id = edge.job"
    with store.reading() as db:
        before = db.execute(query).fetchall()
    given = part(jobs, driver, "train", "load", name="+given", at=1)
    assert merge_parts(store, driver.uid, [given]) == 1
    with store.reading() as db:
        assert db.execute(query).fetchall() == before
    assert given_by(store, train) == [load.job.uid]
    # Of two parts that come together each is told.
    more = part(jobs, driver, "train", name="more", at=1, reads="else")
    last = part(jobs, driver, "train", "before", name="last", at=1, writes="log", group="rank 3")
    assert merge_parts(store, driver.uid, [more, last, more]) == 2
    whole = store.job(train.job.uid)
    assert [edge.path for edge in whole.inputs] == [f"{jobs.root}/data", f"{jobs.root}/else"]
    assert [edge.path for edge in whole.outputs] == [f"{jobs.root}/log", f"{jobs.root}/model"]
    assert [edge.producer for edge in whole.inputs] == [load.job.uid, None]
    with store.reading() as db:
        assert db.execute("SELECT grouped FROM task WHERE task = 'train'").fetchall() == [
            ("rank 3",)
        ]


def test_results_that_go_round_in_a_circle_end(store: Store, jobs: Any, driver: Job) -> None:
    parts = [part(jobs, driver, "a", "b"), part(jobs, driver, "b", "a", "b")]
    merge_parts(store, driver.uid, parts)
    first, second, top = ids(store, *parts, driver)
    with store.reading() as db:
        assert set(upstream(db, [first]).distances) == {first, second, top}
        assert set(downstream(db, [first]).distances) == {first, second}
    assert given_by(store, parts[1]) == [parts[0].job.uid]


def test_what_was_observed_takes_the_place_of_what_was_declared(
    store: Store, jobs: Any, driver: Job
) -> None:
    declared = part(jobs, driver, "t", "load", name="spec", reads="plan", declared=True)
    seen = part(jobs, driver, "t", name="seen", reads="real")
    for parts in ([declared, seen], [seen, declared]):
        tasks = [p._replace(key=p.key._replace(task=f"{p.key.task}{id(parts)}")) for p in parts]
        tasks = [p._replace(job=attrs.evolve(p.job, uid=os.urandom(16).hex())) for p in tasks]
        merge_parts(store, driver.uid, tasks[:1])
        merge_parts(store, driver.uid, tasks[1:])
        job = store.job(tasks[0].job.uid)
        assert [edge.path for edge in job.inputs] == [f"{jobs.root}/real"]
        with store.reading() as db:
            family = family_of(db, job.uid)
        assert family.task is not None
        assert not family.task.is_declared
        assert family.results == ((None, 1),)


def test_tasks_are_told_by_name(store: Store, jobs: Any, driver: Job) -> None:
    parts = [
        part(jobs, driver, "work1", attempt=1, state="interrupted", group="rank 1"),
        part(jobs, driver, "work1", attempt=2, group="rank 1"),
        part(jobs, driver, "work2", "work1", state="failed", group="rank 2"),
        part(jobs, driver, "stats", at=1, role="infrastructure"),
        part(jobs, driver, "sum", "work1", "work2", at=2),
    ]
    merge_parts(store, driver.uid, parts)
    add_driver_needs(store, driver.uid, "ray", ["sum"])
    with store.reading() as db:
        work, stats, total = task_groups(db, driver.uid)
        ties = ties_below(db, driver.uid)
        listed = task_groups(db, driver.uid, with_rows=True)
    assert (work.name, work.number, work.attempts) == ("work", 2, 3)
    assert work.states == {"succeeded": 1, "failed": 1}
    assert work.ended == {"interrupted": 1, "succeeded": 1, "failed": 1}
    assert sorted(work.groups) == ["rank 1", "rank 2"]
    assert (stats.is_hidden, total.is_hidden) == (True, False)
    assert {tuple(tie) for tie in ties} == {
        ("work", "work", 1),
        ("work", "sum", 2),
        ("sum", None, 1),
    }
    assert [len(group.rows) for group in listed] == [3, 1, 1]


def test_a_pruned_task_leaves_its_name(store: Store, jobs: Any, driver: Job) -> None:
    load, train = part(jobs, driver, "load"), part(jobs, driver, "train", "load")
    merge_parts(store, driver.uid, [load, train])
    store.complete(attrs.evolve(driver, state="succeeded"))
    prune(store, ids(store, load), Path(jobs.root, ".roar", "objects"))
    assert given_by(store, train) == [None]
    prune(store, ids(store, driver), Path(jobs.root, ".roar", "objects"))
    with store.reading() as db:
        assert db.execute("SELECT count(*) FROM need").fetchone() == (0,)
