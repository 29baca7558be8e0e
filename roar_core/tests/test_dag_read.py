"""The graph as it is read from a real database."""

from __future__ import annotations

from typing import Any

import pytest

from roar_core.lineage.read import newest_graph, whole_graph
from roar_core.lineage.session import (
    count_states,
    count_steps,
    find_session,
    jobs_by_uid,
    session_jobs,
)
from roar_core.store.writer import Store


@pytest.fixture
def chain(store: Store, jobs: Any) -> Store:
    """Thirty steps, each reading what the two before it wrote; @3 and @28 were run again."""
    for number in range(30):
        _record(store, jobs, number, "")
    _record(store, jobs, 2, "")
    _record(store, jobs, 27, "other")
    return store


def _record(store: Store, jobs: Any, number: int, salt: str) -> None:
    reads = {f"f{n}": f"{n}".encode() for n in (number - 1, number - 2) if n >= 0}
    jobs.record(
        store, "step", str(number), reads=reads, writes={f"f{number}": f"{number}{salt}".encode()}
    )


@pytest.mark.parametrize("last", [1, 3, 10, 29, 30, 100])
def test_the_newest_steps_are_those_of_the_whole_graph(chain: Store, last: int) -> None:
    with chain.reading() as db:
        assert newest_graph(db, 1, last) == whole_graph(db, 1)[-last:]


@pytest.mark.parametrize("last", [1, 3, 29])
def test_the_newest_attempts_are_those_of_the_whole_expanded_graph(chain: Store, last: int) -> None:
    with chain.reading() as db:
        newest = newest_graph(db, 1, last, expanded=True)
        whole = whole_graph(db, 1, expanded=True)
    assert newest == whole[-len(newest) :]
    assert len(whole) == 32
    assert len({str(node.shown.place) for node in newest}) == last


def test_a_rerun_step_is_superseded_only_where_its_bytes_changed(chain: Store) -> None:
    with chain.reading() as db:
        nodes = {str(node.shown.place): node for node in whole_graph(db, 1)}
    assert not any(source.is_superseded for source in nodes["@4"].sources)
    superseded = [source for source in nodes["@30"].sources if source.is_superseded]
    assert [source.place and source.place.exact for source in superseded] == ["@28.1"]


def test_steps_and_states_are_counted_without_what_is_undone(chain: Store, jobs: Any) -> None:
    failed = jobs.record(chain, "false", state="failed", exit_code=1)
    undone = jobs.record(chain, "oops")
    chain.mark_undone(undone.uid, 1)
    with chain.reading() as db:
        assert count_steps(db, 1) == (31, 0)
        assert count_states(db, 1) == ({"succeeded": 32, "failed": 1, "undone": 1}, 0)
        assert [job.uid for job in session_jobs(db, 1, limit=1)] == [failed.uid]
        assert session_jobs(db, 1, with_undone=True, limit=1)[0].state == "undone"


def test_a_job_is_called_so_that_show_finds_it_again(store: Store, jobs: Any) -> None:
    first = jobs.record(store, "a")
    again = jobs.record(store, "a")
    store.reset(1)
    now = jobs.record(store, "a")
    with store.reading() as db:
        rows = jobs_by_uid(db, [first.uid, again.uid, now.uid])
    assert [rows[job.uid].label for job in (first, again, now)] == ["@1.1", "@1", "@1"]
    assert [rows[job.uid].reference for job in (first, again, now)] == [
        first.uid[:8],
        again.uid[:8],
        "@1",
    ]


def test_names_and_commands_of_any_bytes_come_back(store: Store, jobs: Any) -> None:
    odd = b"na\xefve \xff\n".decode("utf-8", "surrogateescape")
    job = jobs.record(store, "python", odd, "é", name=odd)
    with store.reading() as db:
        found = jobs_by_uid(db, [job.uid])[job.uid]
    assert found.command == ["python", odd, "é"]
    assert found.name == odd


def test_the_active_session_is_the_newest(store: Store, jobs: Any) -> None:
    with store.reading() as db:
        assert find_session(db, None) is None
    jobs.record(store, "a")
    store.reset(2)
    with store.reading() as db:
        newest, first = find_session(db, None), find_session(db, 1)
    assert newest is not None
    assert first is not None
    assert (newest.number, newest.is_active, first.is_active) == (2, True, False)
