"""The journal that the agent makes and writes is roar's own, record for record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roar_core.journal import CHUNK, MAX_CHUNKS, Intent, Kind, open_existing
from roar_core.task_journal import TaskEvent
from roar_ray.agent import records
from roar_ray.agent.frames import without_ours
from roar_ray.agent.journal import ROOM, Journal

RUN = "0123456789abcdef" * 2


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(str(tmp_path / "worker.jnl"), RUN)


def test_the_agents_numbers_are_those_of_the_format() -> None:
    kinds = ("START", "OPEN", "CLOSED", "RENAME", "LINK", "UNLINK", "TRUNCATE")
    for name in (*kinds, "GAP", "PAD", "TASK", "TASK_IS"):
        assert getattr(records, name) == Kind[name]
    for name in ("PROCESS", "BEGIN", "SUCCEEDED", "FAILED", "NEEDS", "TROUBLE", "SUBMITTED"):
        assert getattr(records, name) == TaskEvent[name]
    for name in ("READ", "WRITE", "APPEND", "CREATED"):
        assert getattr(records, name) == Intent[name]
    assert records.EMPTIED == Intent.TRUNCATE
    assert (records.CHUNK, records.MAX_CHUNKS) == (CHUNK, MAX_CHUNKS)


def test_what_is_written_is_read_as_it_was(journal: Journal, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"x")
    status = file.stat()
    path = os.fsencode(file)
    journal.write(records.OPEN, records.READ, (status,), (path,), tid=7, tag=3)
    journal.write(records.OPEN, records.READ, (status, status), (path,), tid=7, tag=3)
    journal.write(records.TASK, 3 << 8 | records.SUCCEEDED, strings=(b"{}",))
    found = open_existing(journal.path)
    assert [(r.kind, r.tid, r.value) for r in found.records] == [
        (Kind.TASK_IS, 7, 3),
        (Kind.OPEN, 7, Intent.READ),
        (Kind.OPEN, 7, Intent.READ),
        (Kind.TASK, os.getpid(), 3 << 8 | TaskEvent.SUCCEEDED),
    ]
    assert found.records[1].fingerprints[0].ino == status.st_ino
    assert found.records[2].fingerprints[1].mtime_ns == status.st_mtime_ns
    assert (found.lost, found.unreadable_bytes, found.header.run_uid.hex()) == (0, 0, RUN)
    journal.close()


def test_it_grows_beyond_a_chunk_and_no_record_crosses_the_boundary(journal: Journal) -> None:
    text = b"x" * 100_001
    count = (CHUNK + 2 * ROOM) // len(text)
    for number in range(count):
        journal.write(records.TASK, number << 8, strings=(text,))
    found = open_existing(journal.path)
    assert [record.value >> 8 for record in found.records] == list(range(count))
    assert (found.lost, found.unreadable_bytes) == (0, 0)
    assert os.stat(journal.path).st_size > CHUNK
    journal.close()


def test_a_record_that_is_too_long_is_counted_as_lost(journal: Journal) -> None:
    journal.write(records.TASK, 1 << 8, strings=(b"x" * (300 << 10),))
    journal.write(records.TASK, 2 << 8, strings=(b"{}",))
    found = open_existing(journal.path)
    assert (found.lost, [record.value >> 8 for record in found.records]) == (1, [2])
    journal.close()


def test_only_our_entries_leave_a_traceback() -> None:
    theirs = '  File "train.py", line 3, in step\n    raise ValueError(1)\nValueError: 1'
    ours = '  File "<roar>/_roar_ray_agent.function", line 9, in traced\n    return f()\n    ^^^\n'
    head = "Traceback (most recent call last):\n"
    assert without_ours(head + ours + theirs) == head + theirs
    assert without_ours(head + theirs) == head + theirs
