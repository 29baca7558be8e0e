"""Whose bytes an input was: the producer of every edge."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from roar_core.errors import NotFoundError
from roar_core.identity import job_hash
from roar_core.store.owner import Owner
from roar_core.store.writer import Store

ME = Owner.current()


def producer(job: Any, name: str) -> str | None:
    (found,) = [edge.producer for edge in job.inputs if edge.path.endswith(name)]
    return found


def test_the_producer_is_the_job_that_wrote_the_bytes(store: Store, jobs: Any) -> None:
    maker = jobs.record(store, "make", writes={"a": b"one"})
    reader = jobs.record(store, "read", reads={"a": b"one", "other": b"x"})
    assert producer(reader, "a") == maker.uid
    assert producer(reader, "other") is None
    assert store.job(reader.uid).inputs == reader.inputs


def test_bytes_are_followed_through_a_rename_outside_of_roar(store: Store, jobs: Any) -> None:
    maker = jobs.record(store, "make", writes={"a": b"one"})
    assert producer(jobs.record(store, "read", reads={"moved": b"one"}), "moved") == maker.uid


def test_other_bytes_at_the_same_path_have_no_producer(store: Store, jobs: Any) -> None:
    jobs.record(store, "make", writes={"a": b"one"})
    assert producer(jobs.record(store, "read", reads={"a": b"edited by hand"}), "a") is None


def test_the_newest_of_several_producers_counts(store: Store, jobs: Any) -> None:
    jobs.record(store, "first", writes={"a": b"one"})
    newest = jobs.record(store, "second", writes={"a": b"one"})
    assert producer(jobs.record(store, "read", reads={"a": b"one"}), "a") == newest.uid


def test_whoever_wrote_the_bytes_to_this_very_path_is_preferred(store: Store, jobs: Any) -> None:
    maker = jobs.record(store, "make", writes={"a": b"one"})
    jobs.record(store, "cp", reads={"a": b"one"}, writes={"copy": b"one"})
    assert producer(jobs.record(store, "read", reads={"a": b"one"}), "a") == maker.uid


def test_empty_files_tie_nothing_together_but_at_their_own_path(store: Store, jobs: Any) -> None:
    maker = jobs.record(store, "touch", writes={"a/__init__.py": b""})
    reader = jobs.record(store, "read", reads={"a/__init__.py": b"", "b/__init__.py": b""})
    assert producer(reader, "a/__init__.py") == maker.uid
    assert producer(reader, "b/__init__.py") is None


def test_a_failed_job_is_a_producer_too(store: Store, jobs: Any) -> None:
    maker = jobs.record(store, "make", writes={"a": b"half"}, state="failed", exit_code=1)
    assert producer(jobs.record(store, "read", reads={"a": b"half"}), "a") == maker.uid


def test_a_job_is_not_its_own_producer(store: Store, jobs: Any) -> None:
    job = jobs.record(store, "touch-up", reads={"a": b"one"}, writes={"a": b"one"})
    assert producer(job, "a") is None


def test_an_unknown_hash_has_no_producer(store: Store, jobs: Any) -> None:
    jobs.record(store, "make", writes={"a": b"one"})
    unknown = jobs.edge("a", digests={}, hash_state="unknown")
    assert producer(jobs.record(store, "read", inputs=(unknown,)), "a") is None


def test_undoing_a_job_hands_its_bytes_to_another_that_wrote_them(store: Store, jobs: Any) -> None:
    first = jobs.record(store, "first", writes={"a": b"one"})
    second = jobs.record(store, "second", writes={"a": b"one"})
    reader = jobs.record(store, "read", reads={"a": b"one"})
    store.mark_undone(second.uid, 1)
    assert producer(store.job(reader.uid), "a") == first.uid
    store.mark_undone(first.uid, 2)
    assert producer(store.job(reader.uid), "a") is None


def test_undoing_a_job_hands_its_bytes_to_nobody_who_came_later(store: Store, jobs: Any) -> None:
    first = jobs.record(store, "first", writes={"a": b"one"})
    second = jobs.record(store, "second", writes={"b": b"one"})
    reader = jobs.record(store, "read", reads={"a": b"one"}, writes={"c": b"one"})
    jobs.record(store, "copy", reads={"c": b"one"}, writes={"a": b"one"})
    store.mark_undone(first.uid, 1)
    assert producer(store.job(reader.uid), "a") == second.uid
    store.mark_undone(second.uid, 2)
    assert producer(store.job(reader.uid), "a") is None


def test_a_producer_recorded_after_its_reader_is_found(store: Store, jobs: Any) -> None:
    maker = store.begin(jobs("make"), owner=ME)
    reader = jobs.record(store, "read", reads={"a": b"one"})
    assert producer(reader, "a") is None
    store.complete(attrs.evolve(maker, state="succeeded", outputs=jobs.edges({"a": b"one"})))
    assert producer(store.job(reader.uid), "a") == maker.uid


def test_a_reader_that_ended_before_is_no_reader(store: Store, jobs: Any) -> None:
    reader = jobs.record(store, "read", reads={"a": b"one"})
    jobs.record(store, "make", writes={"a": b"one"})
    assert producer(store.job(reader.uid), "a") is None


def test_who_began_after_a_job_had_ended_made_nothing_that_it_read(store: Store, jobs: Any) -> None:
    # Its roar was killed: it is recorded only after others have come and gone.
    first = jobs.record(store, "make", writes={"b": b"two"})
    killed = store.begin(jobs("read"), owner=ME)
    jobs.record(store, "make", writes={"a": b"one", "b": b"two"})
    read = jobs.edges({"a": b"one", "b": b"two"})
    ended = attrs.evolve(killed, state="interrupted", duration_s=0.5, inputs=read)
    reader = store.complete(ended)
    assert producer(reader, "a") is None
    assert producer(reader, "b") == first.uid


def test_who_began_while_a_job_ran_made_what_it_read(store: Store, jobs: Any) -> None:
    long = store.begin(jobs("read"), owner=ME)
    maker = jobs.record(store, "make", writes={"a": b"one"})
    read = jobs.edges({"a": b"one"})
    reader = store.complete(attrs.evolve(long, state="succeeded", duration_s=2.0, inputs=read))
    assert producer(reader, "a") == maker.uid


def test_a_clock_that_was_set_back_parts_no_job_from_what_it_read(store: Store, jobs: Any) -> None:
    maker = jobs.record(store, "make", writes={"a": b"one"})
    begun = store.begin(jobs("read", started_at_ns=maker.started_at_ns - 10**12), owner=ME)
    read = jobs.edges({"a": b"one"})
    reader = store.complete(attrs.evolve(begun, state="succeeded", duration_s=1.0, inputs=read))
    assert producer(reader, "a") == maker.uid


def test_a_put_gives_bytes_only_to_whoever_reads_them_where_it_put_them(
    store: Store, jobs: Any
) -> None:
    running = store.begin(jobs("read"), owner=ME)
    put = store.begin(attrs.evolve(jobs("put"), kind="put"), owner=ME)
    early = jobs.edges({"a": b"one", "there": b"one"})
    store.complete(attrs.evolve(running, state="succeeded", duration_s=99.0, inputs=early))
    copied = jobs.edges({"there": b"one"})
    store.complete(attrs.evolve(put, state="succeeded", duration_s=0.5, outputs=copied))
    late = jobs.record(store, "read", reads={"a": b"one", "there": b"one"})
    for reader in (store.job(running.uid), late):
        assert producer(reader, "a") is None
        assert producer(reader, "there") == put.uid


def test_a_producer_is_found_in_an_earlier_session(store: Store, jobs: Any) -> None:
    maker = jobs.record(store, "make", writes={"a": b"one"})
    store.reset(1)
    assert producer(jobs.record(store, "read", reads={"a": b"one"}), "a") == maker.uid


def test_a_moved_project_keeps_its_history(store: Store, jobs: Any) -> None:
    maker = jobs.record(store, "make", writes={"out/a": b"one"})
    moved = "/somewhere/else"
    assert store.producer_of_path(f"{moved}/out/a", moved) == store.job(maker.uid)


def test_the_history_of_a_path_is_newest_first(store: Store, jobs: Any) -> None:
    made = jobs.record(store, "make", writes={"a": b"one"})
    read = jobs.record(store, "read", reads={"a": b"one"})
    again = jobs.record(store, "make", writes={"a": b"two"})
    history = store.history_of_path(f"{jobs.root}/a", jobs.root)
    assert [(event.summary.job.uid, event.direction) for event in history.events] == [
        (again.uid, "output"),
        (read.uid, "input"),
        (made.uid, "output"),
    ]
    assert history.events[0].edge.hash == jobs.edge("a", b"two").hash


def test_an_artifact_knows_who_made_and_used_it(store: Store, jobs: Any) -> None:
    maker = jobs.record(store, "make", writes={"a": b"one"})
    reader = jobs.record(store, "read", reads={"b": b"one"})
    info = store.artifact(jobs.edge("a", b"one").hash)
    assert [use.uid for use in info.producers] == [maker.uid]
    assert [(use.uid, str(use.step)) for use in info.consumers] == [(reader.uid, "@2")]
    assert (info.paths, info.size) == ((f"{jobs.root}/a", f"{jobs.root}/b"), 3)


def test_lineage_follows_producers_to_the_beginning(store: Store, jobs: Any) -> None:
    from roar_core.identity import lineage_hash

    one = jobs.record(store, "one", writes={"a": b"1"})
    two = jobs.record(store, "two", reads={"a": b"1"}, writes={"b": b"2"})
    store.reset(1)
    three = jobs.record(store, "three", reads={"b": b"2"}, writes={"c": b"3"})
    aside = jobs.record(store, "aside", writes={"d": b"4"})
    chain = [one.hash, two.hash, three.hash]
    assert store.artifact_lineage_hash(jobs.edge("c", b"3").hash) == lineage_hash(chain)
    assert store.session_hash() == lineage_hash([*chain, aside.hash])
    assert store.session_hash(1) == lineage_hash(chain[:2])
    with pytest.raises(NotFoundError, match="no recorded job made"):
        store.artifact_lineage_hash(jobs.edge("z", b"?").hash)


def test_a_session_in_which_nothing_succeeded_has_no_hash(store: Store, jobs: Any) -> None:
    jobs.record(store, "a", state="failed", exit_code=1)
    with pytest.raises(NotFoundError, match="nothing has succeeded"):
        store.session_hash()


def test_twenty_thousand_edges_find_their_producers(store: Store, jobs: Any) -> None:
    files = {f"data/{number:05}": b"%d" % number for number in range(10_000)}
    maker = jobs.record(store, "make", writes=files)
    reader = jobs.record(store, "read", reads=files, writes={"sum": b"sum"})
    assert {edge.producer for edge in reader.inputs} == {maker.uid}


def test_every_version_read_at_one_path_is_an_input_with_its_own_producer(
    store: Store, jobs: Any
) -> None:
    first = jobs.record(store, "first", writes={"a": b"one"})
    second = jobs.record(store, "second", writes={"a": b"two"})
    begun = store.begin(jobs("read"), owner=ME)
    inputs = (jobs.edge("a", b"one", hash_state="before_change"), jobs.edge("a", b"two"))
    ended = attrs.evolve(begun, state="succeeded", exit_code=0, inputs=inputs)
    reader = store.complete(ended)
    assert [edge.producer for edge in reader.inputs] == [first.uid, second.uid]
    stored = store.job(reader.uid)
    assert stored.inputs == reader.inputs
    assert job_hash(stored) == reader.hash
