"""Staleness over a real database: limits, cycles, tasks, undone jobs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from roar_core.lineage.read import whole_graph
from roar_core.lineage.stale import Limits, Verdict, judge_steps
from roar_core.store.owner import Owner
from roar_core.store.writer import Store

EVERYTHING = Limits()


def verdicts(store: Store, limits: Limits = EVERYTHING) -> Mapping[str, Verdict]:
    """The verdict on each step of the session, by its place."""
    with store.reading() as db:
        nodes = whole_graph(db, 1)
        found = judge_steps(db, nodes, store, limits)
    return {str(node.shown.place): found[node.shown.id] for node in nodes}


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def test_a_thousand_steps_in_a_row_are_stale_because_of_the_first(
    store: Store, jobs: Any, tmp_path: Path
) -> None:
    for number in range(1000):
        name, content = f"f{number}", b"%d" % number
        (tmp_path / name).write_bytes(b"other" if number == 0 else content)
        jobs.record(
            store,
            f"step{number}",
            reads={name: content},
            writes={f"f{number + 1}": b"%d" % (number + 1)},
        )
    (tmp_path / "f1000").write_bytes(b"1000")
    found = verdicts(store)
    assert codes(found["@1"]) == ["input_changed"]
    assert [codes(found[f"@{n}"]) for n in range(2, 1001)] == [["upstream_stale"]] * 999


def test_beyond_the_limit_of_steps_nothing_passes_for_current(
    store: Store, jobs: Any, tmp_path: Path
) -> None:
    for number in range(5):
        (tmp_path / f"f{number}").write_bytes(b"x")
        jobs.record(store, f"step{number}", reads={f"f{number}": b"x"})
    found = verdicts(store, Limits(steps=2))
    assert [found[f"@{n}"].is_stale for n in range(1, 6)] == [None, None, None, False, False]


def test_beyond_the_limit_of_inputs_nothing_passes_for_current(
    store: Store, jobs: Any, tmp_path: Path
) -> None:
    for number in range(4):
        reads = {f"f{number}.{n}": b"x" for n in range(10)}
        for name in reads:
            (tmp_path / name).write_bytes(b"x")
        jobs.record(store, f"step{number}", reads=reads)
    found = verdicts(store, Limits(inputs=25))
    assert [found[f"@{n}"].is_stale for n in range(1, 5)] == [None, None, False, False]


def test_a_file_too_large_to_be_read_unasked_is_not_checked_unless_its_size_differs(
    store: Store, jobs: Any, tmp_path: Path
) -> None:
    (tmp_path / "same").write_bytes(b"x" * 100)
    (tmp_path / "longer").write_bytes(b"x" * 101)
    jobs.record(store, "a", reads={"same": b"x" * 100})
    jobs.record(store, "b", reads={"longer": b"x" * 100})
    found = verdicts(store, Limits(read_bytes=10))
    assert (found["@1"].is_stale, found["@1"].unchecked[0].code) == (None, "unread")
    assert codes(found["@2"]) == ["input_changed"]
    assert verdicts(store)["@1"].is_stale is False


def test_steps_that_read_from_each_other_end_the_walk(
    store: Store, jobs: Any, tmp_path: Path
) -> None:
    jobs.record(store, "a", reads={"y": b"y", "in": b"1"}, writes={"x": b"x"})
    jobs.record(store, "b", reads={"x": b"x"}, writes={"y": b"y"})
    jobs.record(store, "a", reads={"y": b"y", "in": b"1"}, writes={"x": b"x"})
    for name, content in {"x": b"x", "y": b"y", "in": b"2"}.items():
        (tmp_path / name).write_bytes(content)
    found = verdicts(store)
    assert "input_changed" in codes(found["@1"])
    assert codes(found["@2"]) == ["upstream_stale"]


def test_what_a_task_read_counts_for_the_step_that_started_it(
    store: Store, jobs: Any, tmp_path: Path
) -> None:
    driver = jobs.record(store, "driver")
    for name in ("raw", "between"):
        (tmp_path / name).write_bytes(b"changed")
    first = attrs.evolve(jobs("t1"), kind="task", parent=driver.uid)
    second = attrs.evolve(jobs("t2"), kind="task", parent=driver.uid)
    for task, reads, writes in (
        (first, {"raw": b"raw"}, {"between": b"b"}),
        (second, {"between": b"b"}, {"out": b"o"}),
    ):
        begun = store.begin(task, owner=Owner.current())
        store.complete(
            attrs.evolve(
                begun,
                state="succeeded",
                exit_code=0,
                inputs=jobs.edges(reads),
                outputs=jobs.edges(writes),
            )
        )
    [reason] = verdicts(store)["@1"].reasons
    assert (reason.code, reason.path) == ("input_changed", str(tmp_path / "raw"))


def test_code_that_nobody_noted_down_is_not_checked(store: Store, jobs: Any) -> None:
    from roar_core.model.environment import GitState

    jobs.record(store, "a", git=GitState("c" * 40))
    jobs.record(store, "b", git=GitState("c" * 40), sources={})
    found = verdicts(store)
    assert [u.code for u in found["@1"].unchecked] == ["code"]
    assert found["@2"].is_stale is False


def test_an_object_elsewhere_and_an_unknown_hash_are_not_checked(store: Store, jobs: Any) -> None:
    begun = store.begin(jobs("a"), owner=Owner.current())
    store.complete(
        attrs.evolve(
            begun,
            state="succeeded",
            exit_code=0,
            inputs=(
                jobs.edge("s3://bucket/x", digests={"etag": '"1"'}, kind="object"),
                jobs.edge("gone", digests={}, hash_state="unknown"),
            ),
        )
    )
    found = verdicts(store)["@1"]
    assert found.is_stale is None
    assert {unchecked.code for unchecked in found.unchecked} == {"object", "unknown_hash"}
