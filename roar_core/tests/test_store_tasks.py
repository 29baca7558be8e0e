"""Tasks are merged exactly once, and their bytes are tied to those who made them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from roar_core.errors import NotFoundError
from roar_core.lineage.tasks import needs_of
from roar_core.model.coverage import CoverageReason
from roar_core.model.job import Job
from roar_core.store.tasks import (
    PartKey,
    TaskPart,
    count_tasks,
    merge_parts,
    merged_parts,
    replace_reasons,
    settle_tasks,
)
from roar_core.store.writer import Store


def part(
    jobs: Any,
    driver: Job,
    task: str,
    *,
    attempt: int = 1,
    name: str = "",
    reads: Mapping[str, bytes] | None = None,
    writes: Mapping[str, bytes] | None = None,
    **fields: Any,
) -> TaskPart:
    outcome: dict[str, Any] = {"state": "succeeded", "duration_s": 0.5, "name": "work"} | fields
    job = jobs(
        task,
        kind="task",
        parent=driver.uid,
        inputs=jobs.edges(reads or {}),
        outputs=jobs.edges(writes or {}),
        **outcome,
    )
    return TaskPart(PartKey("spool", task, attempt, name), job, "node-1")


def children(store: Store, driver: Job) -> list[Job]:
    return [job for job in store.jobs_of_session(include_undone=True) if job.parent == driver.uid]


def test_a_task_becomes_a_child_job_of_its_drivers_session(
    store: Store, jobs: Any, driver: Job
) -> None:
    assert merge_parts(store, driver.uid, [part(jobs, driver, "t", reads={"a": b"1"})]) == 1
    [child] = children(store, driver)
    assert (child.kind, child.step, child.session) == ("task", None, driver.session)
    assert [edge.path for edge in child.inputs] == [f"{jobs.root}/a"]
    assert child.hash is not None


def test_merging_again_changes_nothing(store: Store, jobs: Any, driver: Job) -> None:
    parts = [part(jobs, driver, name, writes={name: b"x"}) for name in "ab"]
    assert merge_parts(store, driver.uid, parts) == 2
    before = children(store, driver)
    assert merge_parts(store, driver.uid, parts) == 0
    assert children(store, driver) == before
    assert merged_parts(store, driver.uid) == {each.key for each in parts}
    assert count_tasks(store, driver.uid, "spool") == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_parts_make_one_job_in_whatever_order_they_come(
    store: Store, jobs: Any, driver: Job, order: tuple[int, ...]
) -> None:
    unfinished: dict[str, Any] = {"state": "interrupted", "duration_s": None}
    parts = [
        part(jobs, driver, "t", name="0", reads={"a": b"1"}, **unfinished),
        part(jobs, driver, "t", name="1", reads={"a": b"1", "b": b"2"}, **unfinished),
        part(jobs, driver, "t", name="2", writes={"c": b"3"}, state="failed", exit_code=3),
    ]
    for index in (*order, *order):
        merge_parts(store, driver.uid, [parts[index]])
    [child] = children(store, driver)
    assert (child.state, child.exit_code) == ("failed", 3)
    assert {edge.path for edge in child.inputs} == {f"{jobs.root}/a", f"{jobs.root}/b"}
    assert [edge.path for edge in child.outputs] == [f"{jobs.root}/c"]
    assert child.started_at_ns == parts[0].job.started_at_ns
    assert child.duration_s == 2.5  # they start a second after each other; the last took a half


def test_what_only_adds_needs_leaves_the_job_as_it_is(store: Store, jobs: Any, driver: Job) -> None:
    made = part(jobs, driver, "made")
    first = part(jobs, driver, "t", name="0", reads={"a": b"1"}, writes={"b": b"2"})
    merge_parts(store, driver.uid, [made, first])
    before = children(store, driver)
    bare = attrs.evolve(first.job, uid="f" * 32, inputs=(), outputs=())
    given = first._replace(key=first.key._replace(part="1"), job=bare, needs=("made",))
    assert merge_parts(store, driver.uid, [given]) == 1
    assert children(store, driver) == before
    with store.reading() as db:
        assert [need.uid for need in needs_of(db, first.job.uid)] == [made.job.uid]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_an_attempt_reruns_the_one_before_it(
    store: Store, jobs: Any, driver: Job, order: tuple[int, ...]
) -> None:
    attempts = [part(jobs, driver, "t", attempt=number) for number in (1, 2, 3)]
    for index in order:
        merge_parts(store, driver.uid, [attempts[index]])
    by_uid = {child.uid: child for child in children(store, driver)}
    first, second, third = (by_uid[attempt.job.uid] for attempt in attempts)
    assert (first.rerun_of, second.rerun_of, third.rerun_of) == (None, first.uid, second.uid)


def test_bytes_are_tied_to_who_made_them_in_this_run(store: Store, jobs: Any, driver: Job) -> None:
    jobs.record(store, "before", writes={"in": b"0", "middle": b"1", "out": b"2"})
    second = part(jobs, driver, "two", reads={"middle": b"1"}, writes={"out": b"2"})
    early = attrs.evolve(second.job, started_at_ns=second.job.started_at_ns + 9 * 10**9)
    first = part(jobs, driver, "one", reads={"in": b"0"}, writes={"middle": b"1"})
    # The consumer comes first, although it started later.
    merge_parts(store, driver.uid, [second._replace(job=early)])
    merge_parts(store, driver.uid, [first])
    done = store.complete(
        attrs.evolve(driver, state="succeeded", duration_s=99.0, inputs=jobs.edges({"out": b"2"}))
    )
    consumer = store.job(second.job.uid)
    assert done.inputs[0].producer == second.job.uid
    assert consumer.inputs[0].producer == first.job.uid
    assert store.job(first.job.uid).inputs[0].producer not in (None, second.job.uid)


def test_what_comes_late_is_tied_too(store: Store, jobs: Any, driver: Job) -> None:
    jobs.record(store, "before", writes={"out": b"2"})
    done = store.complete(
        attrs.evolve(driver, state="succeeded", duration_s=99.0, inputs=jobs.edges({"out": b"2"}))
    )
    late = part(jobs, driver, "late", writes={"out": b"2"})
    merge_parts(store, driver.uid, [late])
    settle_tasks(store, driver.uid)
    assert store.job(done.uid).inputs[0].producer == late.job.uid


def test_undoing_a_driver_undoes_its_tasks(store: Store, jobs: Any, driver: Job) -> None:
    merge_parts(store, driver.uid, [part(jobs, driver, "t", writes={"out": b"2"})])
    store.complete(attrs.evolve(driver, state="succeeded"))
    store.mark_undone(driver.uid, 1)
    merge_parts(store, driver.uid, [part(jobs, driver, "late")])
    assert [child.state for child in children(store, driver)] == ["undone", "undone"]
    assert jobs.record(store, "reader", reads={"out": b"2"}).inputs[0].producer is None


def test_an_unknown_driver_is_an_error(store: Store, jobs: Any, driver: Job) -> None:
    with pytest.raises(NotFoundError):
        merge_parts(store, "0" * 32, [part(jobs, driver, "t")])


def test_coverage_is_replaced_by_code(store: Store, jobs: Any, driver: Job) -> None:
    lost, tasks = CoverageReason("lost", 2), CoverageReason("tasks", 1, "of 3")
    store.complete(
        attrs.evolve(
            driver, state="succeeded", coverage=attrs.evolve(driver.coverage, reasons=(lost, tasks))
        )
    )
    replace_reasons(store, driver.uid, {"tasks"}, [])
    assert store.job(driver.uid).coverage.reasons == (lost,)
