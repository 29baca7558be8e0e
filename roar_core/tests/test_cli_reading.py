"""What the reading commands tell of a real database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from told import Roar

from roar_core.store.writer import Store

ODD = os.fsdecode(b"bad\x1b[31m\n\xff.txt")


COMMANDS = [["show"], ["log"], ["dag"], ["status"], ["session", "hash"], ["reset"], ["show", "@1"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_record_one_sentence_says_how_to_start(command: list[str], roar: Roar) -> None:
    told = roar(*command)
    assert (told.status, told.out) == (1, "")
    assert told.err.count("\n") == 1
    assert "roar run" in told.err


@pytest.mark.parametrize("command", ["log", "dag", "status"])
def test_an_initialised_project_has_an_empty_session(command: str, roar: Roar) -> None:
    assert roar("init").status == 0
    told = roar(command)
    assert told.status == 0
    assert "nothing is recorded" in told.err
    assert roar(command, "--json").document["session"] is None


def test_the_log_is_newest_first_with_the_state_and_the_reason(pipeline: Store, roar: Roar) -> None:
    lines = roar("log").out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["✗", "@3"],
        ["✓", "@2"],
        ["✓", "@2.1"],
        ["✓", "@1"],
    ]
    assert lines[0].endswith("sh -c 'report > out'  failed with exit code 3  partial")
    assert lines[1].endswith("train.py")


def test_the_log_says_how_much_it_leaves_out(pipeline: Store, roar: Roar) -> None:
    told = roar("log", "-n", "1")
    assert told.out.splitlines()[1:] == ["… and 3 older: --all"]
    document = roar("log", "-n", "1", "--json").document
    assert (document["total"], len(document["jobs"])) == (4, 1)


def test_json_of_the_log_is_never_cut_unasked(store: Store, jobs: Any, roar: Roar) -> None:
    for number in range(25):
        jobs.record(store, "step", str(number))
    assert len(roar("log", "--json").document["jobs"]) == 25
    assert len(roar("log").out.splitlines()) == 21


def test_an_undone_job_is_in_the_log_only_when_all_is_asked_for(
    pipeline: Store, roar: Roar
) -> None:
    newest = roar("log", "--json").document["jobs"][0]
    pipeline.mark_undone(newest["uid"], 1)
    assert newest["uid"][:8] not in roar("log").out
    assert "undone" in roar("log", "--all").out


def test_the_graph_draws_steps_with_their_sources(pipeline: Store, roar: Roar) -> None:
    lines = roar("dag").out.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "✓ @1 prepare.py 1 in 1 out",
        "✓ @2 train.py 1 in 1 out ← @1",
        "✗ @3 sh -c 'report > out' 1 in 0 out ← @2.1"
        " failed with exit code 3 partial @2.1 superseded stale",
    ]


def test_the_graph_lists_artifacts_when_asked(pipeline: Store, roar: Roar) -> None:
    lines = [line.split() for line in roar("dag", "--show-artifacts").out.splitlines()]
    assert lines[1][:4] == ["<", "raw.csv", "3", "B"]
    assert lines[4][:2] == ["<", "data.npz"]
    assert lines[4][-2:] == ["←", "@1"]
    assert lines[5][:2] == [">", "model.pkl"]


def test_the_graph_in_json_names_what_show_accepts(pipeline: Store, roar: Roar) -> None:
    document = roar("dag", "--json").document
    assert [(e["from"], e["to"], e["superseded"]) for e in document["edges"]] == [
        ("@1", "@2", False),
        ("@2.1", "@3", True),
    ]
    for edge in document["edges"]:
        assert roar("show", edge["from"]).status == 0


def test_a_long_session_is_drawn_from_its_end(store: Store, jobs: Any, roar: Roar) -> None:
    for number in range(60):
        jobs.record(store, "step", str(number))
    lines = roar("dag").out.splitlines()
    assert lines[0] == "… 10 earlier: --all"
    assert len(lines) == 51
    assert len(roar("dag", "--all").out.splitlines()) == 60
    assert len(roar("dag", "--json").document["steps"]) == 60


def test_a_source_in_another_session_is_called_by_its_uid(
    store: Store, jobs: Any, roar: Roar
) -> None:
    maker = jobs.record(store, "make", writes={"a": b"a"})
    store.reset(1)
    jobs.record(store, "use", reads={"a": b"a"})
    assert f"← {maker.uid[:8]}" in roar("dag").out
    assert roar("dag", "--json").document["edges"][0]["from"] == maker.uid
    assert f"← {maker.uid[:8]}" in roar("show", "@1").out
    assert "make" in roar("log", "--session", "1").out


def test_the_status_counts_steps_and_states(pipeline: Store, roar: Roar) -> None:
    out = roar("status").out
    assert "3 steps; 4 jobs: 1 failed, 3 succeeded" in out
    assert "partial for 1 job" in out
    assert "@3 sh -c 'report > out', failed with exit code 3" in out
    document = roar("status", "--json").document
    assert (document["steps"], document["jobs"]) == (3, {"failed": 1, "succeeded": 3})
    assert document["last"]["step"] == "@3"


def test_hostile_names_cannot_steer_the_terminal(
    store: Store, jobs: Any, roar: Roar, tmp_path: Path
) -> None:
    (tmp_path / ODD).write_bytes(b"x")
    jobs.record(store, "cat", ODD, reads={ODD: b"x"}, writes={"out": b"x"}, name=ODD)
    for command in (["show"], ["log"], ["dag"], ["dag", "--show-artifacts"], ["status"]):
        told = roar(*command)
        assert told.status == 0
        assert "\x1b" not in told.out
        assert "\\x1b[31m\\n\\xff.txt" in told.out
    assert roar("show", ODD).status == 0


def test_names_that_are_not_text_keep_their_bytes_in_json(
    store: Store, jobs: Any, roar: Roar
) -> None:
    jobs.record(store, "cat", ODD, reads={ODD: b"x"})
    document = roar("show", "--json").document
    import base64

    (edge,) = document["inputs"]
    assert os.path.basename(base64.b64decode(edge["raw"])) == os.fsencode(ODD)
    assert base64.b64decode(document["raw"]["command"][1]) == os.fsencode(ODD)
    assert edge["relative"].endswith("\ufffd.txt")


def test_a_session_has_a_hash_and_reset_begins_another(pipeline: Store, roar: Roar) -> None:
    name = roar("session", "hash").out.strip()
    assert name.startswith("blake3:")
    assert roar("reset", "--json").document == {
        "schema": 1,
        "type": "reset",
        "session": 2,
        "previous": 1,
    }
    assert "nothing is recorded in session 2" in roar("log").err
    assert roar("session", "hash", "--session", "1").out.strip() == name
    assert roar("session", "hash").status == 1
    assert "used on" in roar("reset").err


def test_a_session_that_does_not_exist_is_named(pipeline: Store, roar: Roar) -> None:
    for command in (["log"], ["dag"], ["session", "hash"]):
        told = roar(*command, "--session", "7")
        assert (told.status, told.err) == (1, "roar: there is no session 7; there are 1 to 1\n")


def test_the_database_tells_its_size_and_its_health(pipeline: Store, roar: Roar) -> None:
    assert "job                 4" in roar("db").out
    assert roar("db", "--json").document["rows"]["job"] == 4
    assert roar("db", "integrity").out == "ok\n"
    assert "nothing had to be done" in roar("db", "recover").err


def test_a_damaged_database_is_kept_aside_and_what_can_be_read_is_saved(
    store: Store, jobs: Any, roar: Roar, tmp_path: Path
) -> None:
    for number in range(300):
        jobs.record(store, "step", str(number), writes={f"f{number}": str(number).encode()})
    store.close()
    database = tmp_path / ".roar" / "roar.db"
    with database.open("r+b") as stream:
        stream.seek(database.stat().st_size // 2)
        stream.write(b"\xff" * 8192)
    assert roar("db", "integrity").status == 1
    told = roar("db", "recover", "--json")
    assert told.status == 0
    assert Path(told.document["kept_aside"]).exists()
    assert roar("db", "integrity").status == 0


def test_what_is_no_database_is_said_so_with_the_remedy(roar: Roar, tmp_path: Path) -> None:
    (tmp_path / ".roar").mkdir()
    (tmp_path / ".roar" / "roar.db").write_bytes(b"this is not a database" * 100)
    for command in (["log"], ["show"], ["dag"], ["status"], ["session", "hash"]):
        told = roar(*command)
        assert (told.status, told.out, told.err.count("\n")) == (1, "", 1)
        assert "roar db recover" in told.err
    assert roar("db", "integrity").status == 1


def test_a_pipe_that_closes_early_is_no_error(pipeline: Store, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            "sh",
            "-c",
            f"{sys.executable} -m roar_core log | true; {sys.executable} -m roar_core dag",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_lines_fit_a_narrow_terminal(store: Store, jobs: Any, tmp_path: Path) -> None:
    from roar_core.cli.wording import display_width

    long = "数据" * 60
    jobs.record(store, "python", f"{long}.py", reads={f"{long}.csv": b"x"}, writes={"out": b"x"})
    for command in ("log", "dag", "show"):
        text = _on_terminal([sys.executable, "-m", "roar_core", command], tmp_path, columns=100)
        assert "…" in text
        for line in text.splitlines():
            if "command" not in line:
                assert display_width(_without_colour(line)) <= 100


def _without_colour(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _on_terminal(argv: list[str], cwd: Path, *, columns: int) -> str:
    """What a command prints on a terminal of this width."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environ = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        argv, cwd=cwd, stdout=theirs, stdin=theirs, env=environ | {"TERM": "xterm"}
    ) as process:
        os.close(theirs)
        chunks = []
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # EIO: the last holder of the other side has closed it
                break
            if not chunk:
                break
            chunks.append(chunk)
        os.close(ours)
    assert process.returncode == 0
    return b"".join(chunks).decode()
