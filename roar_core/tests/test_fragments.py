"""Fragments survive the way from a worker, and what is none is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.fragments import Attempt, from_json, is_running, recover, to_json
from roar_core.model.coverage import CoverageReason
from roar_core.model.environment import Environment, Gpu, Packages
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.fragment import ObservedObject, TaskFile, TaskFragment

NAMES = st.binary(max_size=20).map(os.fsdecode)
PATHS = NAMES.map(lambda name: name.replace("\0", "/"))
FILES = st.builds(
    TaskFile,
    path=PATHS,
    size=st.integers(0, 2**63 - 1),
    digests=st.dictionaries(st.just("md5"), st.text("0123456789abcdef"))
    | st.just({"blake3": "5e" * 32}),
    fingerprint=st.none() | st.builds(Fingerprint, *[st.integers(0, 2**64)] * 7),
    is_changed=st.booleans(),
    is_code=st.booleans(),
    node=st.text(),
)
FRAGMENTS = st.builds(
    TaskFragment,
    task=st.text(min_size=1),
    name=NAMES,
    state=st.sampled_from(["succeeded", "failed", "interrupted"]),
    started_at_ns=st.integers(0, 2**63 - 1),
    attempt=st.integers(1, 9),
    part=st.text(),
    command=st.lists(PATHS).map(tuple),
    read=st.lists(FILES, max_size=3).map(tuple),
    written=st.lists(FILES, max_size=3).map(tuple),
    objects=st.just((ObservedObject("s3://b/k", "input", 1, {"etag": '"x"'}),)),
    coverage=st.just((CoverageReason("lost", 2, "here"),)),
    packages=st.just(Packages({"numpy": "2"}, {})),
    environment=st.none() | st.just(Environment("linux", "x86_64", gpus=(Gpu("a", 1),))),
    needs=st.lists(st.text()).map(tuple),
    role=st.sampled_from(["task", "infrastructure"]),
    group=NAMES,
    declared=st.booleans(),
)


@given(FRAGMENTS)
def test_a_fragment_comes_back_as_it_was(fragment: TaskFragment) -> None:
    data = to_json(fragment)
    assert data.isascii()
    assert data.count(b"\n") == 1
    assert from_json(data) == fragment


def test_unknown_fields_are_passed_over_and_missing_ones_have_defaults() -> None:
    least = {"roar_fragment": 1, "task": "t", "name": "n", "state": "failed", "started_at_ns": 1}
    fragment = from_json(json.dumps(least | {"colour": "red"}).encode())
    assert fragment == TaskFragment("t", "n", "failed", 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"roar_fragment": 2}',
        b'{"roar_fragment": 1, "task": "t"}',
        b'{"roar_fragment": 1, "task": "", "name": "", "state": "failed", "started_at_ns": 1}',
        b'{"roar_fragment": 1, "task": "t", "name": "", "state": "fine", "started_at_ns": 1}',
        b'{"roar_fragment": 1, "task": "t", "name": "", "state": "failed", "started_at_ns": "1"}',
        *(
            b'{"roar_fragment": 1, "task": "t", "name": "", "state": "failed", "started_at_ns": 1, '
            + field
            for field in (b'"needs": [1]}', b'"needs": null}', b'"role": "x"}', b'"declared": 1}')
        ),
    ],
)
def test_what_is_no_fragment_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(data)


WHOLE = attrs.evolve(
    TaskFragment("t", "n", "succeeded", 1),
    read=(TaskFile("/in", 1, {"blake3": "ab" * 32}),),
    objects=(ObservedObject("s3://b/k", "input", 1),),
    coverage=(CoverageReason("lost", 1),),
    environment=Environment("linux", "x86_64", gpus=(Gpu("a"),)),
)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("task", ["\ud800"]),
        ("started_at_ns", [2**63, True]),
        ("attempt", [2**63, 1.5]),
        ("command", [[1], ["a\0b"]]),
        ("cwd", [5, "\0"]),
        ("duration_s", ["x", float("inf"), float("nan")]),
        ("exit_code", [2**63, "0"]),
        ("signal", [["SIGTERM"]]),
        ("packages.python", [5, {"a": 1}]),
        ("read.path", [None, "a\0b", "\ud800"]),
        ("read.size", ["x", -1, 2**63]),
        ("read.digests", [[1], {"blake3": 5}, {"blake3": "abc"}]),
        ("read.fingerprint", [["x"] * 7]),
        ("read.is_code", ["yes"]),
        ("objects.direction", ["x", None]),
        ("objects.url", [5]),
        ("objects.ranges", [[[1]], [["a", "b"]]]),
        ("coverage.count", ["many"]),
        ("environment.os", [None]),
        ("environment.gpus", [[{"name": 3}]]),
    ],
)
def test_what_no_record_could_hold_is_no_fragment(field: str, values: list[object]) -> None:
    assert from_json(to_json(WHOLE)) == WHOLE
    for value in values:
        told = json.loads(to_json(WHOLE))
        place, _, name = field.rpartition(".")
        found = told[place] if place else told
        (found[0] if isinstance(found, list) else found)[name] = value
        with pytest.raises(ValueError, match=rf"{name}.* is |no fragment of a task"):
            from_json(json.dumps(told).encode())


def test_an_attempt_without_a_journal_is_told_as_such(tmp_path: Path) -> None:
    attempt = Attempt("t", ("sh", "task.sh"), os.fspath(tmp_path))
    delivered: list[TaskFragment] = []
    journal = tmp_path / "none.jnl"
    assert not is_running(journal)
    fragment = recover(attempt, journal, delivered.append, cwd=tmp_path)
    assert delivered == [fragment]
    assert (fragment.state, fragment.name) == ("interrupted", "sh")
    assert "journal_lost" in {reason.code for reason in fragment.coverage}
