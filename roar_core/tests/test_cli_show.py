"""What `roar show` tells of jobs, files and artifacts of a real database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import pytest
from told import Roar

from roar_core.store.owner import Owner
from roar_core.store.writer import Store


def test_show_without_a_reference_shows_the_newest_job(pipeline: Store, roar: Roar) -> None:
    assert roar("show", "--json").document["step"] == "@3"
    out = roar("show").out
    assert "failed with exit code 3" in out
    assert "not seen  static x2: busybox" in out


def test_a_job_answers_to_its_step_its_uid_and_its_hash(pipeline: Store, roar: Roar) -> None:
    job = roar("show", "@2", "--json").document
    for reference in (job["uid"], job["uid"][:10], job["hash"], job["hash"][7:19]):
        assert roar("show", reference, "--json").document["uid"] == job["uid"]
    assert roar("show", "@2.1", "--json").document["uid"] != job["uid"]


def test_show_tells_a_job_with_its_surroundings(pipeline: Store, roar: Roar) -> None:
    out = roar("show", "@2").out
    assert "python -u train.py" in out
    assert "cccccccccccc (main) with uncommitted changes kept as blake3:dddddddddddd" in out
    assert "numpy 2.0, scipy 1.14" in out
    assert "attempt 2" in out


def test_the_recipe_of_a_file_names_the_job_that_made_it(pipeline: Store, roar: Roar) -> None:
    out = roar("show", "model.pkl").out
    assert "as recorded" in out.splitlines()[0]
    assert "made by   @2  train.py, succeeded in 0.50 s" in out
    assert "data.npz" in out
    assert "also made by  1" in out
    document = roar("show", "model.pkl", "--json").document
    assert (document["type"], document["now"]) == ("file", "changed")


def test_a_file_changed_since_it_was_recorded_is_said_so(
    pipeline: Store, roar: Roar, tmp_path: Path
) -> None:
    (tmp_path / "data.npz").write_bytes(b"edited by hand")
    assert "changed since it was recorded; this is the record" in roar("show", "data.npz").out
    document = roar("show", "data.npz", "--json").document
    assert (document["now"], document["producer"]["step"]) == ("changed", "@1")


def test_a_file_of_the_same_size_and_time_but_other_bytes_is_changed(
    pipeline: Store, roar: Roar, tmp_path: Path
) -> None:
    file = tmp_path / "data.npz"
    before = file.stat()
    file.write_bytes(b"atad")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert roar("show", "data.npz", "--json").document["now"] == "changed"


def test_a_huge_file_is_compared_only_when_asked(
    store: Store, jobs: Any, roar: Roar, tmp_path: Path
) -> None:
    size = 300 * 1024 * 1024
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(size)
    job = store.begin(jobs("make"), owner=Owner.current())
    edge = attrs.evolve(jobs.edge("huge", b"other bytes"), size=size)
    store.complete(attrs.evolve(job, state="succeeded", exit_code=0, outputs=(edge,)))
    assert "not compared with the record: --verify" in roar("show", "huge").out
    assert roar("show", "huge", "--verify", "--json").document["now"] == "changed"
    os.truncate(tmp_path / "huge", size + 1)
    assert roar("show", "huge", "--json").document["now"] == "changed"


def test_a_file_put_back_to_an_older_version_is_told_by_its_bytes(
    pipeline: Store, roar: Roar, tmp_path: Path
) -> None:
    (tmp_path / "model.pkl").write_bytes(b"model 1")
    out = roar("show", "model.pkl").out
    assert "attempt" not in out
    assert "@3" in out


def test_a_file_that_is_gone_still_has_its_recipe(
    pipeline: Store, roar: Roar, tmp_path: Path
) -> None:
    (tmp_path / "data.npz").unlink()
    assert "no longer there" in roar("show", "data.npz").out
    assert roar("show", "data.npz", "--json").document["now"] == "missing"


def test_a_copy_nobody_recorded_is_known_by_its_bytes(
    pipeline: Store, roar: Roar, tmp_path: Path
) -> None:
    (tmp_path / "copy").write_bytes(b"data")
    assert "the same bytes as data.npz" in roar("show", "copy").out
    document = roar("show", "copy", "--json").document
    assert (document["recorded"], document["producer"]["step"]) == (None, "@1")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nothing.here", "nothing.here"),
        ("unrecorded", "no job read or wrote it"),
        ("folder", "is a directory"),
        ("@9", "it has @1 to @3"),
        ("@2.7", "2"),
        ("@x", "@3"),
        ("0000000", "0000000"),
    ],
)
def test_what_is_not_recorded_is_said_in_one_sentence(
    reference: str, words: str, pipeline: Store, roar: Roar, tmp_path: Path
) -> None:
    (tmp_path / "unrecorded").write_bytes(b"never seen")
    (tmp_path / "folder").mkdir()
    told = roar("show", reference)
    assert (told.status, told.out, told.err.count("\n")) == (1, "", 1)
    assert words in told.err


def test_an_artifact_lists_who_wrote_and_who_read_it(pipeline: Store, roar: Roar) -> None:
    edge = roar("show", "@1", "--json").document["outputs"][0]
    document = roar("show", edge["hash"], "--json").document
    assert [place["job"]["step"] for place in document["producers"]] == ["@1"]
    assert [place["job"]["attempt"] for place in document["consumers"]] == [2, 1]
    out = roar("show", edge["hash"][:15]).out
    assert out.splitlines()[0].startswith(edge["hash"])
    assert "read by  2" in out


def test_long_lists_are_cut_and_say_so(store: Store, jobs: Any, roar: Roar) -> None:
    files = {f"in/{number:03}": f"{number}".encode() for number in range(40)}
    jobs.record(store, "merge", reads=files | {"/elsewhere/x": b"x"}, writes={"out": b"out"})
    out = roar("show").out
    assert "inputs  41" in out
    assert "… and 29 more: --all" in out
    assert "/elsewhere" not in out
    assert "/elsewhere/x" in roar("show", "--all").out
    assert len(roar("show", "--json").document["inputs"]) == 41


def test_an_input_changed_before_it_was_hashed_is_said_to_be_unknown(
    store: Store, jobs: Any, roar: Roar
) -> None:
    begun = store.begin(jobs("sh"), owner=Owner.current())
    gone = jobs.edge("gone", digests={}, hash_state="unknown")
    early = jobs.edge("early", b"old", hash_state="before_change")
    store.complete(attrs.evolve(begun, state="succeeded", exit_code=0, inputs=(gone, early)))
    out = roar("show").out
    assert "changed before it could be hashed" in out
    assert "as it was before the job changed it" in out
    assert roar("show", "--json").document["inputs"][1]["hash"] is None
