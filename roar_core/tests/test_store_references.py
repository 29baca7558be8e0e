"""What a REF argument names."""

from __future__ import annotations

import os
from typing import Any

import attrs
import pytest

from roar_core.errors import NotFoundError
from roar_core.model.job import Job
from roar_core.store.found import ArtifactInfo, PathHistory
from roar_core.store.owner import Owner
from roar_core.store.writer import Store

ME = Owner.current()


def uid_of(store: Store, jobs: Any, ref: str) -> str:
    found = store.resolve(ref, jobs.root, jobs.root)
    assert isinstance(found, Job)
    return found.uid


def test_a_step_is_its_newest_attempt_not_undone(store: Store, jobs: Any) -> None:
    first, second, third = (jobs.record(store, "a") for _ in range(3))
    store.mark_undone(third.uid, 1)
    assert uid_of(store, jobs, "@1") == second.uid
    assert uid_of(store, jobs, "@1.1") == first.uid
    assert uid_of(store, jobs, "@1.3") == third.uid


def test_builds_are_named_with_a_b(store: Store, jobs: Any) -> None:
    store.begin(jobs("run"), owner=ME)
    build = store.begin(jobs("make", kind="build"), owner=ME)
    assert {uid_of(store, jobs, ref) for ref in ("@B1", "@b1")} == {build.uid}


def test_a_job_is_named_by_uid_or_hash_or_the_start_of_either(store: Store, jobs: Any) -> None:
    job = jobs.record(store, "a", writes={"x": b"1"})
    digest = job.hash.removeprefix("blake3:")
    refs = (job.uid, job.uid[:6], job.hash, digest, digest[:9].upper(), f"blake3:{digest[:7]}")
    assert {uid_of(store, jobs, ref) for ref in refs} == {job.uid}


def test_a_hash_that_attempts_share_names_the_newest(store: Store, jobs: Any) -> None:
    first = jobs.record(store, "a", writes={"x": b"1"})
    second = jobs.record(store, "a", writes={"x": b"1"})
    assert first.hash == second.hash
    assert uid_of(store, jobs, first.hash) == second.uid


def test_an_artifact_is_named_by_its_hash(store: Store, jobs: Any) -> None:
    jobs.record(store, "a", writes={"x": b"content"})
    name = jobs.edge("x", b"content").hash
    for ref in (name, name.removeprefix("blake3:"), name[:15]):
        found = store.resolve(ref, jobs.root, jobs.root)
        assert isinstance(found, ArtifactInfo)
        assert found.hash == name


def test_an_artifact_is_named_by_any_digest(store: Store, jobs: Any) -> None:
    edge = jobs.edge("x", b"1", digests={"blake3": "a" * 64, "sha256": "b" * 64})
    begun = store.begin(jobs("a"), owner=ME)
    store.complete(attrs.evolve(begun, state="succeeded", outputs=(edge,)))
    found = store.resolve("sha256:bbbb", jobs.root, jobs.root)
    assert isinstance(found, ArtifactInfo)
    assert found.hash == edge.hash


@pytest.mark.parametrize("ref", ["out/x", "./out/../out/x", "{root}/out/x"])
def test_a_path_gives_its_history(store: Store, jobs: Any, ref: str) -> None:
    job = jobs.record(store, "a", writes={"out/x": b"1"})
    found = store.resolve(ref.format(root=jobs.root), jobs.root, jobs.root)
    assert isinstance(found, PathHistory)
    assert [event.summary.job.uid for event in found.events] == [job.uid]


def test_a_relative_path_is_that_of_the_working_directory(store: Store, jobs: Any) -> None:
    jobs.record(store, "a", writes={"out/x": b"1"})
    assert store.resolve("x", f"{jobs.root}/out", jobs.root)
    with pytest.raises(NotFoundError):
        store.resolve("x", jobs.root, jobs.root)


def test_a_file_is_found_through_a_symbolic_link(store: Store, jobs: Any) -> None:
    jobs.record(store, "a", writes={"real": b"1"})
    os.symlink("real", f"{jobs.root}/link")
    found = store.resolve("link", jobs.root, jobs.root)
    assert isinstance(found, PathHistory)
    assert found.path == f"{jobs.root}/real"


def test_a_file_whose_name_looks_like_a_hash_is_found(store: Store, jobs: Any) -> None:
    jobs.record(store, "a", writes={"deadbeef": b"1"})
    assert isinstance(store.resolve("deadbeef", jobs.root, jobs.root), PathHistory)


def test_an_object_is_found_by_its_url(store: Store, jobs: Any) -> None:
    job = jobs.record(store, "a", outputs=(jobs.edge("s3://b/k", b"1", kind="object"),))
    found = store.resolve("s3://b/k", jobs.root, jobs.root)
    assert [event.summary.job.uid for event in found.events] == [job.uid]


def test_an_ambiguous_prefix_lists_what_it_could_be(store: Store, jobs: Any) -> None:
    for last in "0123456789":
        store.begin(jobs("a", uid="abcd" + "0" * 27 + last), owner=ME)
    with pytest.raises(NotFoundError) as failure:
        store.resolve("abcd", jobs.root, jobs.root)
    message = str(failure.value)
    assert message.startswith("'abcd' is ambiguous: abcd000")
    assert message.count("(job)") == 5
    assert message.endswith("…")


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        ("@9", "no step @9 in this session; it has @1"),
        ("@1.5", "no attempt @1.5; the step has 1"),
        ("@", "'@' is no step: write @3"),
        ("@99999999999999999999", "is no step"),
        ("@1.", "is no step"),
        ("@١", "is no step"),
        ("abc", "is no step (@N), job, hash or path that is recorded here"),
        ("ffff", "is no step (@N), job, hash or path"),
        ("blake3:zz", "is no step (@N), job, hash or path"),
        ("sha999:ffff", "is no step (@N), job, hash or path"),
        ("", "is no step (@N), job, hash or path"),
        ("%", "is no step (@N), job, hash or path"),
        ("a" * 5000, "is no step (@N), job, hash or path"),
        ("\udcff\n", "is no step (@N), job, hash or path"),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(
    store: Store, jobs: Any, ref: str, sentence: str
) -> None:
    jobs.record(store, "a")
    with pytest.raises(NotFoundError) as failure:
        store.resolve(ref, jobs.root, jobs.root)
    assert sentence in str(failure.value)


def test_an_undone_step_says_how_to_see_it(store: Store, jobs: Any) -> None:
    store.mark_undone(jobs.record(store, "a").uid, 1)
    with pytest.raises(NotFoundError, match=r"step @1 has been undone; its last attempt was @1\.1"):
        store.resolve("@1", jobs.root, jobs.root)


def test_an_empty_project_has_no_steps(store: Store, jobs: Any) -> None:
    with pytest.raises(NotFoundError, match="no step @1 in this session; it has none yet"):
        store.resolve("@1", jobs.root, jobs.root)
