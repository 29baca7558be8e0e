"""What a registry is told of a job says all of it: read back, nothing is missing or changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roar_core.errors import RoarError
from roar_core.redaction import mask_command, mask_in
from roar_core.registry.publishing.job_documents import from_wire, session_of, to_wire
from roar_core.registry.publishing.link_documents import is_part, links_of

Document = dict[str, Any]

SESSION = {"id": "5" * 32, "number": 7, "started_at": "2026-01-02T03:04:05.000000006Z"}


def as_told(job: Document, wire: Document) -> Document:
    """What a registry answers about a job: masked once more, its links by path."""
    kept, _ = mask_in(json.loads(wire["metadata"]))
    sides = {}
    for side in ("inputs", "outputs"):
        rows = {
            (link["hash"], link["path"]): {
                **link,
                "byteRanges": None,
                "selectedCount": None,
                "total": None,
            }
            for link in links_of(job[side]).links
        }
        views = [
            {
                "hash": edge["hash"].partition(":")[2],
                "path": None,
                "size": edge["size"],
                "selectedCount": edge["composite"]["touched"],
                "total": edge["composite"]["members"],
            }
            for edge in job[side]
            if edge["hash"] is not None and is_part(edge)
        ]
        sides[side] = sorted([*rows.values(), *views], key=lambda row: row["path"] or "")
    return {
        "jobUid": wire["job_uid"],
        "command": wire["command"],
        "jobType": wire["job_type"],
        "stepNumber": wire["step_number"],
        "startedAt": round(wire["timestamp"] * 1e6) / 1e6,
        "durationSeconds": wire["duration_seconds"],
        "exitCode": wire["exit_code"],
        "gitCommit": wire["git_commit"],
        "gitBranch": wire["git_branch"],
        "sessionHash": "ab" * 32,
        "metadata": json.dumps(kept, sort_keys=True),
        **sides,
    }


def spelled(edges: list[Document]) -> list[str]:
    return sorted(json.dumps(edge, sort_keys=True) for edge in edges)


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
names = st.sampled_from(["numpy", "google-auth", "tokenizers", "secret", "PyYAML", "key"])
hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
uids = st.text("0123456789abcdef", min_size=32, max_size=32)
few_uids = st.sampled_from(["1" * 32, "2" * 32, "3" * 32])
sizes = st.integers(0, 2**53 - 1)
maybe_words = st.none() | words
paths = st.sampled_from(["a", "a b", "data/x.csv", "/…/x", "/…2/x", "/dev/null", "é", ".", "z"])


@st.composite
def edges(draw: st.DrawFn) -> Document:
    kind = draw(st.sampled_from(["file", "file", "file", "object", "composite"]))
    state = draw(st.sampled_from(["exact", "exact", "before_change", "unknown"]))
    path = draw(paths)
    digest = f"blake3:{draw(hexes)}"
    if kind == "object":
        path = f"s3://bucket/{path}"
        digest = draw(st.sampled_from([digest, "etag:9bb58f26192e4ba00f01e2e7b136bbd8-2"]))
    if kind == "composite":
        digest = f"composite-blake3:{draw(hexes)}"
    place = "store" if kind == "object" else "outside" if path.startswith("/") else "project"
    edge = {
        "path": path,
        "place": place,
        "hash": None if state == "unknown" else digest,
        "size": draw(sizes),
        "kind": kind,
        "hash_state": state,
        "producer": draw(st.none() | few_uids),
        "further_producers": draw(st.lists(few_uids, max_size=2)),
        "composite": None,
    }
    if kind == "composite":
        edge["composite"] = {
            "layout": "zarr",
            "members": draw(st.none() | st.integers(2, 9)),
            "touched": draw(st.integers(1, 9)),
            "whole": draw(st.booleans()),
            "bits": draw(st.none() | st.just("AAE=")),
        }
    if kind == "object":
        told = {"version": draw(maybe_words), "etag": draw(maybe_words)}
        edge |= {key: value for key, value in told.items() if value is not None}
    if draw(st.integers(0, 9)) == 0:
        edge["raw"] = "/w=="
    return edge


several = st.lists(edges(), max_size=8)
plain_objects = st.dictionaries(words, words, max_size=3)


@st.composite
def jobs(draw: st.DrawFn) -> Document:
    """A job as a graph document tells it, which is without secrets."""
    is_step = draw(st.booleans())
    started = "2026-03-04T05:06:07.123456789Z"
    duration = draw(st.none() | st.floats(0, 1e6))
    command = mask_command(draw(st.lists(words, min_size=1, max_size=4)))[0]
    job = {
        "uid": draw(uids),
        "hash": draw(st.none() | hexes.map("blake3:{}".format)),
        "session": SESSION["id"],
        "step": draw(st.sampled_from(["@1", "@B12"])) if is_step else None,
        "attempt": draw(st.integers(1, 5)) if is_step else None,
        "kind": draw(st.sampled_from(["run", "build", "get", "put", "task"])),
        "name": draw(maybe_words),
        "command": command,
        "cwd": draw(st.sampled_from([".", "src", "/…/elsewhere"])),
        "state": draw(st.sampled_from(["succeeded", "failed", "interrupted"])),
        "exit_code": draw(st.none() | st.integers(0, 255)),
        "signal": draw(st.none() | st.just("SIGTERM")),
        "started_at": started,
        "ended_at": None if duration is None else "2026-03-04T05:06:09.1Z",
        "duration_s": duration,
        "rerun_of": draw(st.none() | uids),
        "parent": draw(st.none() | uids),
        "tracer": draw(st.none() | st.just("preload")),
        "coverage": draw(
            st.sampled_from(
                [
                    {"state": "complete", "reasons": []},
                    {"state": "partial", "reasons": [{"code": "lost", "count": 2, "detail": ""}]},
                ]
            )
        ),
        "inputs": draw(several),
        "outputs": draw(several),
        "git": {
            "commit": draw(st.none() | st.sampled_from(["c" * 40, "d" * 64, "main"])),
            "branch": draw(maybe_words),
            "remote": draw(maybe_words),
            "dirty": draw(st.booleans()),
            "snapshot": draw(st.none() | st.just("blake3:" + "e" * 64)),
        },
        "packages": {
            "python": draw(st.dictionaries(names, words, max_size=4)),
            "system": draw(st.dictionaries(names, words, max_size=2)),
        },
        "environment": draw(
            st.none()
            | st.fixed_dictionaries(
                {
                    "os": words,
                    "arch": words,
                    "interpreter": st.none() | st.just("CPython 3.12.1") | words,
                    "cpu": maybe_words,
                    "memory_bytes": st.none() | sizes,
                    "gpus": st.lists(
                        st.fixed_dictionaries(
                            {
                                "name": words,
                                "memory_bytes": st.none() | sizes,
                                "driver": maybe_words,
                            }
                        ),
                        max_size=2,
                    ),
                    "cuda": maybe_words,
                    "container": maybe_words,
                    "variables": plain_objects,
                }
            )
        ),
        "trackers": draw(st.lists(st.just({"tracker": "wandb", "run_id": "r", "url": None}))),
        "labels": {},
        "task": draw(st.none() | st.just({"backend": "ray", "task": "t", "attempt": 0})),
        "masked": draw(st.lists(st.just({"where": "git", "argument": None, "what": "token"}))),
    }
    if draw(st.booleans()):
        job["raw"] = {"cwd": "/w=="}
    # Nothing but the versions of packages, which no secret names hide, is changed on the way in.
    packages = job.pop("packages")
    return dict(mask_in(job)[0]) | {"packages": packages}  # type: ignore[call-overload]


@settings(max_examples=60)
@given(jobs())
def test_a_job_is_read_back_exactly(job: Document) -> None:
    told = as_told(job, to_wire(job, SESSION, "1.2.3"))
    ordered = {
        side: sorted(job[side], key=lambda edge: (edge["path"], edge["hash"] or ""))
        for side in ("inputs", "outputs")
    }
    found = from_wire(told)
    for side, expected in ordered.items():
        assert spelled(found.pop(side)) == spelled(expected)
    assert found == {key: value for key, value in job.items() if key not in ordered}
    assert session_of(told) == SESSION


def test_a_job_of_another_client_tells_what_it_can() -> None:
    told = {
        "jobUid": "1" * 32,
        "command": "python train.py --name 'a b'",
        "jobType": "ray_task",
        "stepNumber": 3,
        "startedAt": 1_767_225_600.25,
        "durationSeconds": 1.5,
        "exitCode": 1,
        "gitCommit": "c" * 40,
        "gitBranch": "main",
        "sessionHash": "ab" * 32,
        "metadata": json.dumps(
            {
                "packages": {"pip": {"numpy": "2.0"}},
                "runtime": {"os": {"system": "Linux", "release": "6.1"}, "hostname": "h"},
                "cwd": "src",
            }
        ),
        "inputs": [
            {"hash": "a" * 64, "path": "/p/x", "size": None, "selectedCount": None, "total": None},
            {"hash": "b" * 64, "path": None, "size": 9, "selectedCount": 2, "total": 5},
        ],
        "outputs": [],
    }
    job = from_wire(told)
    assert (job["kind"], job["step"], job["state"]) == ("task", "@3", "failed")
    assert job["command"] == ["python", "train.py", "--name", "a b"]
    assert job["started_at"] == "2026-01-01T00:00:00.250000000Z"
    assert job["environment"]["os"] == "Linux 6.1"
    assert [edge["kind"] for edge in job["inputs"]] == ["file", "composite"]
    assert session_of(told)["id"] == "ab" * 16


def test_a_document_that_is_no_job_is_refused() -> None:
    with pytest.raises(RoarError, match="does not understand"):
        from_wire({"jobUid": "1" * 32, "metadata": '{"roar": {"v": 1}}'})


def build(**more: Any) -> Document:
    """A build that read nothing and wrote nothing."""
    return {
        "uid": "1" * 32,
        "hash": "blake3:" + "f" * 64,
        "session": SESSION["id"],
        "step": "@B2",
        "attempt": 1,
        "kind": "build",
        "name": None,
        "command": ["make", "a b"],
        "cwd": ".",
        "state": "succeeded",
        "exit_code": 0,
        "signal": None,
        "started_at": "2026-01-01T00:00:00.5Z",
        "ended_at": None,
        "duration_s": None,
        "rerun_of": None,
        "parent": None,
        "tracer": None,
        "inputs": [],
        "outputs": [],
        "coverage": {"state": "complete", "reasons": []},
        "environment": None,
        "git": {
            "commit": "c" * 40,
            "branch": "main",
            "remote": None,
            "dirty": True,
            "snapshot": None,
        },
        "packages": {"python": {"numpy": "2.0"}, "system": {}},
        "trackers": [],
        "labels": {},
        "task": None,
        "masked": [],
    } | more


def an_object(number: int, **more: Any) -> Document:
    return {
        "path": f"s3://bucket/models/{number}",
        "place": "store",
        "hash": f"blake3:{number:064x}",
        "size": 9,
        "kind": "object",
        "hash_state": "exact",
        "producer": None,
        "further_producers": [],
        "composite": None,
        "etag": f"{number:032x}",
        **more,
    }


def test_ten_thousand_objects_are_told_of_one_job_in_full() -> None:
    objects = [an_object(number) for number in range(10_000)]
    job = build(kind="put", outputs=objects)
    wire = to_wire(job, SESSION, "1.2.3")
    assert len(wire["metadata"]) < 1 << 20
    found = from_wire(as_told(job, wire))["outputs"]
    assert spelled(found) == spelled(objects)


def test_what_stores_call_their_objects_is_left_out_where_it_is_too_much() -> None:
    objects = [an_object(number, version="v" * 64) for number in range(12_000)]
    job = build(kind="get", inputs=objects)
    wire = to_wire(job, SESSION, "1.2.3")
    assert json.loads(wire["metadata"])["roar"]["left_out"] == {"names of objects": 24_000}
    found = from_wire(as_told(job, wire))["inputs"]
    assert {edge["kind"] for edge in found} == {"object"}
    assert {edge["path"] for edge in found} == {edge["path"] for edge in objects}


def test_a_command_is_told_as_far_as_a_registry_takes_it() -> None:
    """A shell's `*` may be a hundred thousand names."""
    names = [f"shards/part-{number:08}.parquet" for number in range(100_000)]
    wire = to_wire(build(command=["cat", *names]), SESSION, "1.2.3")
    metadata = json.loads(wire["metadata"])
    kept = metadata["runtime"]["command"]
    assert len(wire["metadata"]) <= 1 << 20
    assert kept[:-1] == ["cat", *names][: len(kept) - 1]
    assert kept[-1] == "…"
    assert metadata["roar"]["left_out"] == {"arguments": 100_001 - (len(kept) - 1)}
    with pytest.raises(RoarError, match="more than a registry takes of one job"):
        to_wire(build(packages={"python": {"n" * 2_000_000: "1"}, "system": {}}), SESSION, "1")


def test_other_clients_find_what_they_look_for() -> None:
    """The keys of GLaaS v1, section 4.3."""
    wire = to_wire(build(), SESSION, "1.2.3")
    metadata = json.loads(wire["metadata"])
    assert wire["command"] == "make 'a b'"
    assert (wire["step_number"], wire["job_type"], wire["timestamp"]) == (2, "build", 1767225600.5)
    assert wire["job_hash"] == "f" * 64
    assert metadata["packages"]["pip"] == {"numpy": "2.0"}
    assert metadata["runtime"]["command"] == ["make", "a b"]
    assert metadata["git"]["clean"] is False
    assert "edges" not in metadata["roar"]
