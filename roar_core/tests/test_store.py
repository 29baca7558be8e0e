"""What goes into the session database comes out of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import pytest

from roar_core.errors import DatabaseError, NotFoundError, RoarError
from roar_core.identity import job_hash
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.environment import Environment, GitState, Gpu, Packages
from roar_core.model.tracker import TrackerReference
from roar_core.store.owner import Owner
from roar_core.store.writer import Store

ME = Owner.current()
ODD = os.fsdecode(b"na\xefve \xff\n\t'\"")


def test_a_job_is_visible_as_running_before_its_command_starts(store: Store, jobs: Any) -> None:
    begun = store.begin(jobs("python", "x.py", name="training"), owner=ME)
    assert begun.state == "running"
    assert store.job(begun.uid) == begun
    assert [(running.job.uid, running.owner) for running in store.running_jobs()] == [
        (begun.uid, ME)
    ]


def test_everything_about_a_job_comes_back(store: Store, jobs: Any) -> None:
    begun = store.begin(jobs("python", ODD, "é😀"), owner=ME)
    ended = attrs.evolve(
        begun,
        state="failed",
        name=ODD,
        exit_code=3,
        duration_s=1.25,
        tracer="preload",
        coverage=Coverage((CoverageReason("static", 2, "busybox"), CoverageReason("lost", 1))),
        inputs=(
            jobs.edge("a.csv", b"a", hash_state="before_change"),
            jobs.edge("/data/outside.bin", b"bb"),
            jobs.edge("gone", digests={}, hash_state="unknown"),
        ),
        outputs=(
            jobs.edge("b.csv", b"b"),
            jobs.edge("set", b"composite", kind="composite"),
            jobs.edge("s3://bucket/a//b", digests={"etag": '"abc-2"'}, kind="object"),
            jobs.edge(f"{ODD}/{ODD}", b"odd"),
        ),
        git=GitState("c" * 40, ODD, "https://example.org/x.git", True, "blake3:" + "d" * 64),
        sources={"train.py": "e" * 64, ODD: None},
        packages=Packages({"numpy": "2.0"}, {"libc6": "2.36"}),
        environment=Environment(
            "Debian 12",
            "x86_64",
            "cpython 3.11.7",
            gpus=(Gpu("T4", 1, "550"),),
            variables={"A": ODD},
        ),
        trackers=(TrackerReference("mlflow", "42", name=ODD, url="http://127.0.0.1/42"),),
        labels={"team": {"name": "é"}},
    )
    recorded = store.complete(ended)
    assert recorded == attrs.evolve(ended, hash=job_hash(ended))
    back = store.job(begun.uid)
    by_path = {"key": lambda edge: edge.path}
    assert sorted(back.inputs, **by_path) == sorted(ended.inputs, **by_path)
    assert sorted(back.outputs, **by_path) == sorted(ended.outputs, **by_path)
    assert attrs.evolve(back, inputs=(), outputs=()) == attrs.evolve(
        recorded, inputs=(), outputs=()
    )


def test_names_that_are_not_utf8_are_stored_as_their_bytes(store: Store, jobs: Any) -> None:
    job = jobs.record(store, "x", writes={ODD: b"1", "plain": b"2"})
    with store.reading() as db:
        stored = {path for (path,) in db.execute("SELECT path FROM edge")}
    assert stored == {os.fsencode(ODD), "plain"}
    assert {edge.path for edge in store.job(job.uid).outputs} == {
        f"{jobs.root}/{ODD}",
        f"{jobs.root}/plain",
    }


def test_a_project_whose_own_name_is_not_utf8_keeps_its_paths(store: Store, job_maker: Any) -> None:
    jobs = job_maker(os.fsdecode(b"/data/\xff\n"))
    job = jobs.record(store, "cp", reads={"in": b"x"}, writes={"out": b"x"})
    assert [edge.path for edge in store.job(job.uid).inputs] == [f"{jobs.root}/in"]
    assert store.job(job.uid) == job


def test_more_digests_of_one_artifact_gather(store: Store, jobs: Any) -> None:
    edge = jobs.edge("a", b"a")
    for extra in ({"md5": "1" * 32}, {"sha256": "2" * 64}, {}):
        begun = store.begin(jobs("x"), owner=ME)
        outputs = (attrs.evolve(edge, digests={**edge.digests, **extra}),)
        store.complete(attrs.evolve(begun, state="succeeded", outputs=outputs))
    assert store.artifact(edge.hash).digests == {
        **edge.digests,
        "md5": "1" * 32,
        "sha256": "2" * 64,
    }


def test_a_weak_digest_may_name_two_artifacts(store: Store, jobs: Any) -> None:
    both = {"etag": "same"}
    outputs = tuple(
        attrs.evolve(edge, digests={**edge.digests, **both})
        for edge in (jobs.edge("a", b"a"), jobs.edge("b", b"b"))
    )
    begun = store.begin(jobs("x"), owner=ME)
    store.complete(attrs.evolve(begun, state="succeeded", outputs=outputs))
    assert [len(store.artifact(edge.hash).paths) for edge in outputs] == [1, 1]
    with pytest.raises(NotFoundError, match="'etag:same' is ambiguous"):
        store.resolve("etag:same", jobs.root, jobs.root)


def test_objects_known_by_an_etag_alone_are_one_artifact(store: Store, jobs: Any) -> None:
    for _ in range(2):
        begun = store.begin(jobs("x"), owner=ME)
        edge = jobs.edge("s3://b/k", b"12", digests={"etag": "e"}, kind="object")
        store.complete(attrs.evolve(begun, state="succeeded", outputs=(edge,)))
    assert len(store.artifact("etag:e").producers) == 2


def test_jobs_share_packages_and_environment(store: Store, jobs: Any) -> None:
    surroundings = {
        "packages": Packages({"a": "1"}),
        "environment": Environment("Debian", "x86_64"),
    }
    for name in ("a", "b"):
        jobs.record(store, name, **surroundings)
    with store.reading() as db:
        counts = [
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("package_set", "environment")
        ]
    assert counts == [1, 1]


def test_completing_twice_changes_nothing(store: Store, jobs: Any) -> None:
    first = jobs.record(store, "a", writes={"x": b"1"})
    second = store.complete(attrs.evolve(first, state="failed", exit_code=9, outputs=()))
    assert second == first


def test_a_job_never_begun_cannot_be_completed(store: Store, jobs: Any) -> None:
    with pytest.raises(NotFoundError, match="no job"):
        store.complete(jobs("a", state="succeeded"))


def test_a_job_is_not_completed_as_running(store: Store, jobs: Any) -> None:
    with pytest.raises(DatabaseError, match="cannot be completed as running"):
        store.complete(store.begin(jobs("a"), owner=ME))


def test_an_undone_job_is_hidden_but_not_deleted(store: Store, jobs: Any) -> None:
    kept = jobs.record(store, "a")
    undone = jobs.record(store, "b")
    store.mark_undone(undone.uid, 1)
    assert [job.uid for job in store.jobs_of_session()] == [kept.uid]
    assert [job.state for job in store.jobs_of_session(include_undone=True)] == [
        "succeeded",
        "undone",
    ]
    assert store.job(undone.uid).state == "undone"


def test_a_running_job_cannot_be_undone(store: Store, jobs: Any) -> None:
    begun = store.begin(jobs("a"), owner=ME)
    with pytest.raises(RoarError, match="still running"):
        store.mark_undone(begun.uid, 1)


def test_reset_begins_a_session_once(store: Store, jobs: Any) -> None:
    jobs.record(store, "a")
    assert (store.reset(1), store.reset(2)) == (2, 2)
    jobs.record(store, "b")
    assert [job.command for job in store.jobs_of_session()] == [("b",)]
    assert [job.command for job in store.jobs_of_session(1)] == [("a",)]


def test_a_session_is_summed_up(store: Store, jobs: Any) -> None:
    jobs.record(store, "a")
    jobs.record(store, "a", state="failed", exit_code=1)
    store.mark_undone(jobs.record(store, "b").uid, 1)
    store.begin(jobs("c"), owner=ME)
    (summary,) = store.sessions()
    assert summary == store.session_summary()
    numbers = (summary.jobs, summary.steps, summary.running, summary.succeeded, summary.failed)
    assert (numbers, summary.undone) == ((3, 2, 1, 1, 1), 1)


def test_a_job_of_a_process_that_is_gone_is_an_orphan(store: Store, jobs: Any) -> None:
    store.begin(jobs("mine"), owner=ME)
    gone = store.begin(jobs("gone"), owner=ME._replace(start_ticks=ME.start_ticks - 1))
    reboot = store.begin(jobs("reboot"), owner=ME._replace(boot_id="another"))
    store.begin(jobs("container"), owner=ME._replace(pid_namespace=7, pid=1))
    assert [orphan.job.uid for orphan in store.orphans()] == [gone.uid, reboot.uid]


def test_a_job_of_another_machine_is_left_to_it_where_a_project_is_shared() -> None:
    elsewhere = ME._replace(boot_id="another", machine="another")
    assert not elsewhere.is_gone(is_shared=True)
    # A container of the same disk has another name each time; an older roar told none.
    assert elsewhere.is_gone(is_shared=False)
    assert ME._replace(boot_id="another").is_gone(is_shared=True)
    assert ME._replace(boot_id="another", machine="").is_gone(is_shared=True)


def test_a_zombie_is_gone(store: Store, jobs: Any) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert ME._replace(pid=child).is_gone(is_shared=False)
    os.waitpid(child, 0)
    assert ME._replace(pid=child).is_gone(is_shared=False)
    assert not ME.is_gone(is_shared=False)


def test_damaged_json_is_told_in_a_sentence(store: Store, jobs: Any) -> None:
    job = jobs.record(store, "a")
    with store.writing() as db:
        db.execute("UPDATE job SET command = '[\"cut'")
    with pytest.raises(DatabaseError, match=r"damaged JSON .*`roar db recover`"):
        store.job(job.uid)


def test_what_callers_raise_while_reading_stays_theirs(store: Store) -> None:
    with pytest.raises(BrokenPipeError), store.reading():
        raise BrokenPipeError


def test_a_failed_transaction_leaves_nothing(store: Store, jobs: Any, tmp_path: Path) -> None:
    begun = store.begin(jobs("a"), owner=ME)
    broken = attrs.evolve(begun, state="succeeded", outputs=(jobs.edge("a", b"a", kind="weird"),))
    with pytest.raises(DatabaseError, match="CHECK constraint failed"):
        store.complete(broken)
    assert store.job(begun.uid) == begun
    with store.reading() as db:
        assert db.execute("SELECT count(*) FROM artifact").fetchone() == (0,)


def test_outputs_of_earlier_runs_are_known(store: Store, jobs: Any) -> None:
    jobs.record(store, "a", reads={"in": b"1"}, writes={"out": b"2"})
    assert store.is_output(f"{jobs.root}/out")
    assert not store.is_output(f"{jobs.root}/in")
