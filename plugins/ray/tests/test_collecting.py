"""A journal that was read at the end is not judged again to count its tasks."""

from __future__ import annotations

import json
from pathlib import Path

from roar_core.hookspecs import RunContext
from roar_core.journal_format import (
    CHUNK,
    HEADER,
    HEADER_SIZE,
    JOURNAL_MAGIC,
    JOURNAL_VERSION,
    Kind,
    TaskEvent,
    encode_record,
)
from roar_ray.backend import RayBackend
from roar_ray.report import DRIVERS, JOURNALS


def journal(*tasks: str) -> bytes:
    """What a worker tells that has begun these tasks, without the library."""
    told = [(TaskEvent.PROCESS, {"capture": "python", "reason": "no library"})]
    told += [(TaskEvent.BEGIN, {"task": task, "name": "work"}) for task in tasks]
    body = bytearray(HEADER_SIZE)
    for tag, (event, facts) in enumerate(told):
        text = json.dumps(facts).encode()
        body += encode_record(
            len(body), Kind.TASK, pid=7, tid=7, time_ns=tag, value=tag << 8 | event, strings=[text]
        )
    head = (JOURNAL_MAGIC, JOURNAL_VERSION, HEADER_SIZE, bytes(16), 0, 0, 0, 0, HEADER_SIZE, CHUNK)
    size = len(body)
    return HEADER.pack(*head, 0, 0, size, 0, size, 0, 0, b"") + bytes(body[HEADER.size :])


def test_what_was_counted_when_collecting_is_what_would_be_counted_afresh(tmp_path: Path) -> None:
    run = RunContext("ab" * 16, ("python",), tmp_path, tmp_path, tmp_path / "folder")
    path = run.folder / JOURNALS / "w.jnl"
    path.parent.mkdir(parents=True)
    path.write_bytes(journal("a", "b"))
    driver = run.folder / DRIVERS / "d.json"
    driver.parent.mkdir()
    driver.write_text(json.dumps({"pid": 0, "has_ended": True}))
    backend = RayBackend({})
    assert [each.task for each in backend.collect(run)] == ["a", "b", "w.jnl"]
    coverage = backend.coverage(run)
    assert coverage == RayBackend({}).coverage(run)
    assert (coverage.known, coverage.is_final) == (3, True)
    assert [(each.code, each.count) for each in coverage.reasons] == [("python_only", 1)]
    # What came since is counted as well.
    path.write_bytes(journal("a", "b", "c"))
    assert backend.coverage(run).known == 4
    path.write_bytes(b"")
    assert [each.code for each in backend.coverage(run).reasons] == ["unreadable"]
