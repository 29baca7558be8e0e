"""A journal that was read at the end is not judged again to count its tasks."""

from __future__ import annotations

import json
from pathlib import Path

from roar_core.hookspecs import RunContext
from roar_ray.agent import records
from roar_ray.agent.journal import Journal
from roar_ray.backend import RayBackend
from roar_ray.report import DRIVERS, JOURNALS, KNOWN


def begin(journal: Journal, tag: int, task: str) -> None:
    facts = json.dumps({"task": task, "name": "work"}).encode()
    journal.write(records.TASK, tag << 8 | records.BEGIN, strings=(facts,))


def test_what_was_counted_when_collecting_is_what_would_be_counted_afresh(tmp_path: Path) -> None:
    run = RunContext("ab" * 16, ("python",), tmp_path, tmp_path, tmp_path / "folder")
    path = run.folder / JOURNALS / "w.jnl"
    path.parent.mkdir(parents=True)
    driver = run.folder / DRIVERS / "d.json"
    driver.parent.mkdir()
    driver.write_text(json.dumps({"pid": 0, "has_ended": True}))
    journal = Journal(str(path), run.uid)
    about = {"capture": "python", "reason": "no library", "node": "n", "pid": 7}
    process = json.dumps(about).encode()
    journal.write(records.TASK, records.PROCESS, strings=(process,))
    begin(journal, 1, "a")
    begin(journal, 2, "b")
    backend = RayBackend({})
    assert [each.task for each in backend.collect(run)] == ["a", "b", "w.jnl"]
    coverage = backend.coverage(run)
    assert coverage == RayBackend({}).coverage(run)
    assert (coverage.known, coverage.is_final) == (3, True)
    assert [(each.code, each.count) for each in coverage.reasons] == [("python_only", 1)]
    # Of what was cut short, its worker's journal says whether it had begun; of others none does.
    known = (["a", "n", 7], ["never begun", "n", 7], ["elsewhere", "m", 7], ["ended", "n", 0])
    (run.folder / KNOWN).write_text("".join(f"{json.dumps(each)}\n" for each in known))
    assert backend.coverage(run).known == 3 + len({"elsewhere", "ended"})
    (run.folder / KNOWN).unlink()
    # What came since is counted as well.
    begin(journal, 3, "c")
    journal.close()
    assert backend.coverage(run).known == 4
    path.write_bytes(b"")
    assert [each.code for each in backend.coverage(run).reasons] == ["unreadable"]
