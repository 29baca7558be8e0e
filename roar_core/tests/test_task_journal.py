"""A worker's journal, read task by task: whole, growing, cut off, holed, hostile, from afar."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roar_core.errors import JournalError
from roar_core.journal_format import (
    CHUNK,
    HEADER,
    JOURNAL_MAGIC,
    Intent,
    Kind,
    TaskEvent,
    encode_record,
)
from roar_core.model.fingerprint import Fingerprint
from roar_core.task_journal import Eyes, ToldTasks, read_tasks

SECOND = 10**9
# What is to be added to the journal's times to get the wall clock's.
WALL = 1_700_000_000 * SECOND
WORKER = 100


@attrs.define
class Script:
    """A journal, written record by record; each comes a millisecond after the one before."""

    body: bytearray = attrs.Factory(lambda: bytearray(4096))
    now_ns: int = SECOND
    lost: int = 0

    def add(self, kind: int, *, pid: int = WORKER, tid: int = 0, **fields: Any) -> int:
        self.now_ns += 1_000_000
        offset = len(self.body)
        self.body += encode_record(
            offset, kind, pid=pid, tid=tid or pid, time_ns=self.now_ns, **fields
        )
        return offset

    def tell(self, tag: int, event: TaskEvent, facts: object = None, tid: int = 0) -> None:
        text = b"" if facts is None else json.dumps(facts).encode()
        self.add(Kind.TASK, tid=tid, value=tag << 8 | event, strings=[text])

    def begin(self, tag: int, tid: int = 0, **facts: Any) -> None:
        self.tell(tag, TaskEvent.BEGIN, {"task": f"t{tag}", "name": "f", **facts}, tid)
        self.add(Kind.TASK_IS, tid=tid, value=tag)

    def end(self, tag: int, event: TaskEvent = TaskEvent.SUCCEEDED, **facts: Any) -> None:
        self.tell(tag, event, facts or None)

    def open(self, path: str, intent: Intent, size: int = 5, **who: int) -> Fingerprint:
        at = WALL + self.now_ns if intent & Intent.CREATED else WALL
        version = Fingerprint(1, sum(path.encode()), size, at, at, 0o100644, 1)
        self.add(Kind.OPEN, value=intent, fingerprints=[version], strings=[path.encode()], **who)
        return version

    def bytes(self, **header: int) -> bytes:
        fields: dict[str, int] = {"tail": len(self.body), "version": 1, **header}
        head = HEADER.pack(
            JOURNAL_MAGIC,
            fields["version"],
            *(4096, b"u" * 16, 0, WALL, 0, 0, 4096, CHUNK, 0, 0, b""),
            *(fields["tail"], self.lost, max(fields["tail"], len(self.body)), 0, 0, b""),
        )
        return head + bytes(self.body[len(head) :])

    def read(self, *, is_final: bool = True, **options: Any) -> ToldTasks:
        options = {"project": "/p", "eyes": None, **options}
        return read_tasks(self.bytes(), "w.jnl", is_final=is_final, **options)


READ, MADE = Intent.READ, Intent.WRITE | Intent.CREATED


def files_of(told: ToldTasks) -> dict[str, tuple[list[str], list[str]]]:
    return {
        each.task: ([f.path for f in each.read], [f.path for f in each.written])
        for each in told.attempts
    }


def seeing(at: Mapping[str, Fingerprint]) -> Eyes:
    return Eyes(look=at.get, list_files=lambda directory: ())


def test_an_attempt_has_what_its_worker_told_of_it() -> None:
    script = Script()
    script.tell(0, TaskEvent.PROCESS, {"node": "n7", "host": "h", "capture": "native"})
    script.begin(1, attempt=3, needs=["a", "b"], group="rank 2")
    script.tell(1, TaskEvent.NEEDS, {"needs": ["c", "a"]})
    script.end(1, TaskEvent.FAILED)
    told = script.read()
    (one,) = told.attempts
    assert told.process == {"node": "n7", "host": "h", "capture": "native"}
    assert (one.task, one.attempt, one.name, one.state) == ("t1", 3, "f", "failed")
    assert (one.needs, one.group, one.part, one.where) == (("a", "b", "c"), "rank 2", "w.jnl", "n7")
    assert (one.tracer, one.coverage) == ("preload", ())
    assert one.started_at_ns == WALL + SECOND + 2_000_000
    assert one.duration_s == pytest.approx(0.003)


def test_an_attempt_that_was_cancelled_is_interrupted_and_nothing_of_it_is_missing() -> None:
    script = Script()
    script.begin(1)
    script.end(1, TaskEvent.FAILED, error="KeyboardInterrupt", is_cancelled=True)
    (one,) = script.read().attempts
    assert (one.state, one.coverage) == ("interrupted", ())


def test_the_workers_own_clock_is_believed_over_the_journals() -> None:
    script = Script()
    script.begin(1, at_ns=5 * SECOND)
    script.end(1, at_ns=7 * SECOND)
    (one,) = script.read().attempts
    assert (one.started_at_ns, one.duration_s) == (5 * SECOND, 2.0)


def test_python_alone_is_no_complete_capture() -> None:
    script = Script()
    script.tell(0, TaskEvent.PROCESS, {"capture": "python", "reason": "musl has no preload"})
    script.begin(1)
    script.open("/p/in", READ)
    script.end(1)
    (one,) = script.read().attempts
    assert one.tracer == "python"
    assert [(r.code, r.detail) for r in one.coverage] == [("python_only", "musl has no preload")]


def test_the_filters_of_the_node_hold() -> None:
    script = Script()
    told = {"prefixes": ["/opt/python", 7], "executable": "/data/env/bin/python3"}
    script.tell(0, TaskEvent.PROCESS, told)
    script.begin(1)
    packages = ("/opt/python/lib/os.py", "/data/env/lib/x.py")
    for path in (*packages, "/usr/lib/libz.so", "/p/.roar/x", "/data/in"):
        script.open(path, READ)
    script.end(1)
    assert files_of(script.read()) == {"t1": (["/data/in"], [])}


def test_a_number_given_again_is_another_process() -> None:
    """Task 1's child 500 is killed; task 2's child gets its number and reports before its FORK."""
    script = Script()
    for tag in (1, 2):
        script.begin(tag, tid=10 + tag)
        script.add(Kind.FORK, tid=10 + tag, value=500)
        script.open(f"/p/in{tag}", READ, pid=500)
    assert files_of(script.read()) == {"t1": (["/p/in1"], []), "t2": (["/p/in2"], [])}
    script.open("/p/more", READ, pid=500)
    script.add(Kind.EXIT, pid=500)
    script.begin(3, tid=13)
    script.open("/p/in3", READ, pid=500)
    script.add(Kind.FORK, tid=13, value=500)
    script.open("/p/more3", READ, pid=500)
    assert files_of(script.read()) == {
        "t1": (["/p/in1"], []),
        "t2": (["/p/in2", "/p/more"], []),
        "t3": (["/p/in3", "/p/more3"], []),
    }


def test_a_process_that_outlives_its_task_may_serve_the_next() -> None:
    script = Script()
    script.begin(1)
    script.add(Kind.FORK, value=500)
    script.open("/p/in1", READ, pid=500)
    script.end(1)
    script.begin(2)
    script.open("/p/in2", READ, pid=500)
    script.end(2)
    script.open("/p/in3", READ, pid=500)
    one, late, two = script.read().attempts
    assert [(each.task, each.part) for each in (one, late)] == [
        ("t1", "w.jnl"),
        ("t1", "w.jnl+late"),
    ]
    assert [[file.path for file in each.read] for each in (one, late, two)] == [
        ["/p/in1"],
        ["/p/in2", "/p/in3"],
        [],
    ]
    assert [[r.code for r in each.coverage] for each in (one, late, two)] == [[], [], ["ambiguous"]]


def test_libc_makes_processes_for_who_announced_them() -> None:
    script = Script()
    for tag in (1, 2):
        script.begin(tag, tid=10 + tag)
    for child, announced in ((500, (1,)), (501, (2,)), (502, (1, 2)), (503, ())):
        for tag in announced:
            script.add(Kind.FORK, tid=10 + tag, value=0)
        script.add(Kind.START, pid=child, value=WORKER, strings=[b"/bin/sh", b"/p"])
        script.open(f"/p/in{child}", READ, pid=child)
    script.end(1)
    script.end(2)
    told = script.read()
    read = {task: [p for p in files[0] if p != "/bin/sh"] for task, files in files_of(told).items()}
    assert read == {"t1": ["/p/in500"], "t2": ["/p/in501"]}
    assert [[r.code for r in each.coverage] for each in told.attempts] == [["ambiguous"]] * 2


def test_a_hole_is_told_to_those_who_ran_over_it() -> None:
    script = Script()
    script.begin(1)
    script.end(1)
    script.begin(2)
    script.body += bytes(96)
    script.open("/p/in", READ)
    script.end(2)
    script.begin(3)
    script.end(3)
    told = script.read()
    holes = {each.task: [(r.code, r.count) for r in each.coverage] for each in told.attempts}
    assert holes == {"t1": [], "t2": [("unreadable", 96)], "t3": []}
    assert files_of(told)["t2"] == (["/p/in"], [])
    assert [each.task for each in script.read(is_final=False).attempts] == ["t1"]
    script.now_ns += SECOND
    script.begin(4)
    assert [each.task for each in script.read(is_final=False).attempts] == ["t1", "t2", "t3"]


def test_a_copy_may_end_anywhere() -> None:
    script = Script()
    for tag in (1, 2, 3):
        script.begin(tag)
        script.open("/p/in", READ)
        script.open(f"/p/out{tag}", MADE)
        script.end(tag)
    whole = script.bytes()
    final = {
        each.task: each for each in read_tasks(whole, "w.jnl", project="/p", eyes=None).attempts
    }
    seen = 0
    for length in range(4096, len(whole) + 1, 8):
        told = read_tasks(whole[:length], "w.jnl", project="/p", eyes=None)
        assert [each.task for each in told.attempts] == ["t1", "t2", "t3"][: len(told.attempts)]
        assert all(each == final[each.task] for each in told.attempts)
        assert len(told.attempts) >= seen
        seen = len(told.attempts)
    assert seen == 3
    cut = read_tasks(whole[:-64], "w.jnl", project="/p", eyes=None, is_final=True)
    assert cut.attempts[0] == final["t1"]
    assert cut.attempts[-1].coverage[0].code == "unreadable"


def test_without_eyes_what_may_have_been_written_counts_and_has_no_hash() -> None:
    script = Script()
    script.begin(1)
    script.open("/n/log", Intent.WRITE | Intent.APPEND, size=0)
    script.open("/n/made", MADE, size=0)
    version = script.open("/n/in", READ)
    script.open("/n/scratch", MADE)
    script.add(Kind.UNLINK, strings=[b"/n/scratch"])
    script.end(1)
    (one,) = script.read().attempts
    assert [(file.path, file.fingerprint) for file in one.read] == [("/n/in", version)]
    written = [(file.path, file.size, file.fingerprint) for file in one.written]
    assert written == [("/n/log", 0, None), ("/n/made", 0, None)]


def test_a_nodes_own_files_have_the_nodes_name_and_the_digests_it_took() -> None:
    script = Script()
    script.begin(1)
    version = script.open("/n/in", READ)
    script.end(1)
    digests = {"blake3": "00" * 32}
    eyes = Eyes(look=lambda path: version, digests=lambda path, v: digests, node="n7")
    (one,) = script.read(eyes=eyes).attempts
    (file,) = one.read
    assert (file.node, file.digests, file.fingerprint) == ("n7", digests, None)


@pytest.mark.parametrize(("late_ns", "is_known"), [(0, True), (SECOND, False)])
def test_what_was_changed_after_the_end_is_not_what_the_task_wrote(
    late_ns: int, is_known: bool
) -> None:
    script = Script()
    script.begin(1)
    made = script.open("/p/out", MADE, size=0)
    script.end(1)
    now = made._replace(size=9, ctime_ns=WALL + script.now_ns + late_ns)
    (one,) = script.read(eyes=seeing({"/p/out": now})).attempts
    (file,) = one.written
    assert (file.fingerprint == now, file.size) == (is_known, 9)


def test_a_file_server_may_be_ahead_of_the_worker() -> None:
    script = Script()
    script.begin(1)
    made = script.open("/p/out", MADE, size=0)
    ahead = made._replace(ctime_ns=made.ctime_ns + 5 * SECOND)
    script.add(Kind.OPEN, value=MADE, fingerprints=[ahead], strings=[b"/p/out"])
    script.end(1)
    (one,) = script.read(eyes=seeing({"/p/out": ahead._replace(size=9)})).attempts
    assert one.written[0].fingerprint is not None


def test_words_on_tasks_that_nobody_began_are_counted() -> None:
    script = Script()
    script.begin(1)
    script.end(1)
    script.end(1)
    script.end(9)
    script.begin(1)
    script.tell(2, TaskEvent.BEGIN, {"name": "no task"})
    script.tell(3, TaskEvent.BEGIN, {"task": "t", "attempt": True})
    script.tell(0, TaskEvent.BEGIN, {"task": "nobody's"})
    script.add(Kind.TASK, value=200)
    told = script.read()
    assert list(files_of(told)) == ["t1"]
    assert told.worker is not None
    assert [(r.code, r.count) for r in told.worker.coverage] == [("unfounded", 6)]


@pytest.mark.parametrize(
    "text",
    [
        *(b"{", b"[" * 100_000, b"\xff", b"7", b"null", b'{"task": 7}', b'{"task": ""}'),
        *(b'{"task": "t", "attempt": 0}', b'{"task": "t", "attempt": 1e3}'),
    ],
)
def test_what_is_no_begin_begins_nothing(text: bytes) -> None:
    script = Script()
    script.add(Kind.TASK, value=1 << 8 | TaskEvent.BEGIN, strings=[text])
    script.open("/p/in", READ)
    told = script.read()
    assert told.attempts == ()
    assert told.worker is not None
    assert [file.path for file in told.worker.read] == ["/p/in"]


def test_odd_facts_become_what_can_be_stored() -> None:
    script = Script()
    facts = {"task": "a\ud800\0", "attempt": 1 << 40, "name": 7, "needs": [7, "", None, "x"]}
    script.tell(1, TaskEvent.BEGIN, facts)
    script.tell(2, TaskEvent.BEGIN, {**facts, "attempt": 2, "needs": {"x": 1}, "at_ns": 1 << 80})
    (one,) = script.read().attempts
    assert (one.task, one.name, one.needs) == ("a?\0", "a?\0", ())
    assert one.started_at_ns == WALL + script.now_ns


@pytest.mark.parametrize("data", [b"", b"ROARJNL\n", bytes(8192)])
def test_what_is_no_journal_is_refused(data: bytes) -> None:
    with pytest.raises(JournalError, match=r"w\.jnl"):
        read_tasks(data, "w.jnl", project="/p")


def test_a_later_version_is_refused() -> None:
    with pytest.raises(JournalError, match="version 2"):
        read_tasks(Script().bytes(version=2), "w.jnl", project="/p")


def test_an_empty_journal_tells_nothing_but_that_there_was_a_worker() -> None:
    told = Script().read()
    assert told.attempts == ()
    assert told.worker is not None
    assert told.worker.coverage == ()


def a_busy_worker() -> Script:
    script = Script()
    script.tell(0, TaskEvent.PROCESS, {"node": "n"})
    for tag in range(1, 8):
        script.begin(tag, tid=10 + tag % 3, needs=["x"])
        script.open("/p/in", READ, tid=10 + tag % 3)
        offset = len(script.body)
        script.open("/p/unread", READ, tid=10 + tag % 3)
        script.add(Kind.UNUSED, value=offset)
        script.add(Kind.FORK, tid=10 + tag % 3, value=500 + tag % 2)
        script.open(f"/p/out{tag}", MADE, pid=500 + tag % 2)
        script.add(Kind.RENAME, strings=[b"/p/out1", b"/p/new"])
        script.add(Kind.EXIT, pid=500 + tag % 2)
        if tag % 4:
            script.end(tag)
    return script


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_no_damage_makes_it_fail(chance: random.Random, is_final: bool, is_checked: bool) -> None:
    """Bytes are changed; or records are, so that no check catches it."""
    script = a_busy_worker()
    if is_checked:
        data = bytearray(script.bytes())
        for _ in range(chance.randrange(1, 40)):
            data[chance.randrange(4096, len(data))] = chance.randrange(256)
    else:
        odd = Script()
        for _ in range(60):
            count = chance.randrange(3)
            odd.add(
                chance.randrange(26),
                pid=chance.choice([WORKER, 500, 501, 0]),
                tid=chance.randrange(4),
                value=chance.choice([0, 1, 2, chance.getrandbits(64), chance.randrange(2000)]),
                fingerprints=[Fingerprint(*(chance.getrandbits(63) for _ in range(5)), 0o100644, 1)]
                * count,
                strings=[
                    chance.choice([b"/p/a", b"/p/b", b"x", b"", b'{"task": "t"}', b"\0"])
                    for _ in range(chance.randrange(3))
                ],
            )
        data = bytearray(odd.bytes())
    for eyes in (None, Eyes()):
        told = read_tasks(bytes(data), "w.jnl", project="/p", is_final=is_final, eyes=eyes)
        assert (told.worker is not None) == is_final


def test_it_reads_what_lies_on_this_disk(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("result")
    script = Script()
    script.begin(1)
    version = Fingerprint.from_stat(os.stat(path))
    script.add(Kind.OPEN, value=MADE, fingerprints=[version], strings=[os.fsencode(path)])
    script.end(1, at_ns=version.ctime_ns)
    (one,) = script.read(eyes=Eyes(), project=os.fspath(tmp_path)).attempts
    assert [(file.path, file.fingerprint) for file in one.written] == [(str(path), version)]


def test_what_a_method_left_in_its_actor_the_next_one_has_had() -> None:
    script = Script()
    for tag, facts in enumerate(
        [
            {"task": "init", "actor": "a"},
            {"task": "fit", "actor": "a", "needs": ["load"]},
            {"task": "fit", "attempt": 2, "actor": "a"},
            {"task": "other", "actor": "b"},
            {"task": "function"},
            {"task": "save", "actor": "a"},
        ],
        start=1,
    ):
        script.begin(tag, **facts)
        script.end(tag)
    needs = [(each.task, each.needs) for each in script.read().attempts]
    assert needs == [
        ("init", ()),
        ("fit", ("init", "load")),
        ("fit", ("init",)),
        ("other", ()),
        ("function", ()),
        ("save", ("fit",)),
    ]
