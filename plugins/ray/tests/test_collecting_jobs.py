"""What a submitted job's processes do is given once, and whole, whenever it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from roar_core.hookspecs import RunContext
from roar_ray.agent import records
from roar_ray.agent.journal import Journal
from roar_ray.backend import RayBackend
from roar_ray.driver import places
from roar_ray.report import DRIVERS, JOURNALS, SUBMISSIONS, started_of

SUBMISSION = "raysubmit_1"
# A process of a submitted job, stopped when its journal is made, and again when it is observed.
OBSERVED = """
import sys
from roar_ray.agent import capture
from roar_ray.driver import observing, told

choose = capture.choose

def slowly(*arguments):
    print("made", flush=True)
    input()
    return choose(*arguments)

capture.choose = slowly
observing.observe(told.Told(sys.argv[1], sys.argv[2], "", "python"), sys.argv[3])
print("observed", flush=True)
input()
"""


@pytest.fixture
def run(tmp_path: Path) -> RunContext:
    found = RunContext("ab" * 16, ("ray",), tmp_path, tmp_path, tmp_path / "folder")
    for name in (JOURNALS, DRIVERS, SUBMISSIONS):
        (found.folder / name).mkdir(parents=True)
    return found


@contextmanager
def process(*argv: str) -> Iterator[subprocess.Popen[str]]:
    """Python, until its standard input ends."""
    program = argv or ("input()",)
    with subprocess.Popen(
        [sys.executable, "-c", *program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        yield running


def go_on(running: subprocess.Popen[str]) -> None:
    assert running.stdin is not None
    running.stdin.write("\n")
    running.stdin.flush()


def heard(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def write_job(run: RunContext, **facts: object) -> None:
    path = run.folder / SUBMISSIONS / f"{SUBMISSION}.json"
    job = {"submission": SUBMISSION, "address": "", "python": sys.executable, **facts}
    places.write_whole(str(path), job)


def journal_of(run: RunContext, name: str, facts: dict[str, Any]) -> Journal:
    path = run.folder / JOURNALS / f"{name}.jnl"
    return Journal(str(path), run.uid, about=json.dumps(facts).encode())


def driver_of(run: RunContext, pid: int) -> Journal:
    """A driver that has left its cluster, and whose process is there still."""
    name = f"driver-{SUBMISSION}.{pid}"
    about = {"pid": pid, "pid_started": started_of(Path(f"{name}.jnl")), "submission": SUBMISSION}
    document = {**about, "has_ended": True, "python": sys.executable}
    places.write_whole(str(run.folder / DRIVERS / f"{pid}.1.json"), document)
    return journal_of(run, name, about)


def collected(backend: RayBackend, run: RunContext) -> list[tuple[str, str]]:
    return [(each.name, each.state) for each in backend.collect(run)]


def test_what_ran_when_it_was_read_is_read_again_however_soon_it_ended(run: RunContext) -> None:
    write_job(run, status="SUCCEEDED")
    backend = RayBackend({})
    with process() as running:
        driver_of(run, running.pid).close()
        assert collected(backend, run) == []
    assert not backend.coverage(run).is_final, "it had not been read to its end"
    assert collected(backend, run) == [("driver", "interrupted")]
    assert backend.coverage(run).is_final


def test_a_process_that_begins_to_be_observed_is_nobody_s_worker(run: RunContext) -> None:
    write_job(run, status="SUCCEEDED", was_driver=False)
    backend = RayBackend({})
    with process(OBSERVED, run.uid, str(run.folder), SUBMISSION) as running:
        assert heard(running) == "made"
        assert collected(backend, run) == []
        coverage = backend.coverage(run)
        assert not coverage.is_final
        assert any("still ran" in each.detail for each in coverage.reasons)
        go_on(running)
        assert heard(running) == "observed"
        assert collected(backend, run) == []
        go_on(running)
    assert collected(backend, run) == [("driver", "succeeded")]
    assert backend.coverage(run).is_final


def test_a_process_that_is_killed_before_it_is_observed_is_not_lost(run: RunContext) -> None:
    write_job(run, status="FAILED", was_driver=False)
    backend = RayBackend({})
    with process(OBSERVED, run.uid, str(run.folder), SUBMISSION) as running:
        assert heard(running) == "made"
        running.kill()
    assert collected(backend, run) == [("driver", "interrupted")]


def test_a_number_that_is_another_process_s_by_now_is_not_waited_for(run: RunContext) -> None:
    write_job(run, status="SUCCEEDED")
    with process() as running:
        about = {"pid": running.pid, "pid_started": "1", "submission": SUBMISSION}
        journal_of(run, f"driver-{SUBMISSION}.{running.pid}", about).close()
        assert collected(RayBackend({}), run) == [("driver", "interrupted")]


def test_no_task_is_cut_short_while_its_job_may_go_on(run: RunContext) -> None:
    """Its driver may not have been heard of yet, and what asks after it may have taken seconds."""
    backend = RayBackend({})
    write_job(run, status="RUNNING")
    journal = journal_of(run, "w.1", {"pid": 1})
    begun = json.dumps({"task": "a", "name": "work"}).encode()
    journal.write(records.TASK, 1 << 8 | records.BEGIN, strings=(begun,))
    assert collected(backend, run) == []
    assert not backend.coverage(run).is_final
    journal.write(records.TASK, 1 << 8 | records.SUCCEEDED, strings=(b"{}",))
    journal.close()
    write_job(run, status="SUCCEEDED", was_driver=True)
    assert ("work", "succeeded") in collected(backend, run)


def test_a_job_of_which_nobody_can_say_more_is_over_with_its_driver(run: RunContext) -> None:
    backend = RayBackend({})
    write_job(run, status="RUNNING", is_unreachable=True)
    with process() as running:
        driver_of(run, running.pid).close()
        assert collected(backend, run) == []
        running.kill()
    assert not backend.coverage(run).is_final
    assert collected(backend, run) == [("driver", "interrupted")]
    assert backend.coverage(run).is_final


def test_an_entrypoint_may_start_one_driver_after_another(run: RunContext) -> None:
    backend = RayBackend({})
    write_job(run, status="RUNNING")
    with process() as first:
        driver_of(run, first.pid).close()
    assert collected(backend, run) == []
    assert not backend.coverage(run).is_final, "the next one may be about to begin"
