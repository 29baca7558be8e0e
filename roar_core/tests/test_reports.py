"""Attempts report into a folder, whoever is killed meanwhile; what must run runs in any case."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from roar_core.fragments import Attempt, to_json
from roar_core.model.fragment import TaskFragment
from roar_core.report_folder import BegunAttempt, name_of
from roar_core.reports import Reports
from roar_core.testing.needs import require_any_tracer

RUN = """
import sys
from pathlib import Path
from roar_core.fragments import Attempt, to_json
from roar_core.model.fragment import TaskFragment
from roar_core.report_folder import BegunAttempt, name_of
from roar_core.reports import Reports
folder, project, tracer, task, *command = sys.argv[1:]
sys.exit(Reports(Path(folder)).run(Attempt(task, tuple(command), project), tracer=tracer))
"""


def run(
    folder: Path, *command: str, task: str = "t", tracer: str = "auto", program: str = RUN
) -> subprocess.CompletedProcess[str]:
    """Have a process of its own run an attempt, in a project of its own."""
    (project := folder.parent / "project").mkdir(exist_ok=True)
    argv = (sys.executable, "-c", program, str(folder), str(project), tracer, task, *command)
    return subprocess.run(argv, cwd=project, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def test_an_attempt_ends_as_its_command_and_tells_of_it(folder: Path) -> None:
    require_any_tracer()
    assert run(folder, "sh", "-c", "echo > out; exit 3", task="a/b").returncode == 3
    assert run(folder, "sh", "-c", "kill -TERM $$", task="c").returncode == -signal.SIGTERM
    first, second = Reports(folder).fragments()
    assert (first.task, first.state, first.exit_code) == ("a/b", "failed", 3)
    assert [Path(file.path).name for file in first.written] == ["out"]
    assert (second.task, second.signal) == ("c", "SIGTERM")
    assert Reports(folder).coverage().known == 2
    assert Reports(folder).coverage().is_final


def test_a_signal_that_comes_when_the_command_has_ended_is_not_how_it_ended(folder: Path) -> None:
    """Whoever stops a node sends one to all there is, whatever has just ended."""
    require_any_tracer()
    assert run(folder, "sh", "-c", "exit 3", program=_SIGNALLED + RUN).returncode == 3
    [fragment] = Reports(folder).fragments()
    assert fragment.exit_code == 3


_SIGNALLED = """
import os, signal
from roar_core.report_folder import BegunAttempt
def deliver(self, fragment, really=BegunAttempt.deliver):
    os.kill(os.getpid(), signal.SIGTERM)
    really(self, fragment)
BegunAttempt.deliver = deliver
"""


def test_what_is_not_found_is_told_to_the_user_and_to_roar(folder: Path) -> None:
    require_any_tracer()
    done = run(folder, "no-such-command")
    assert done.returncode == 127
    assert done.stderr.startswith("roar: command not found: no-such-command")
    [fragment] = Reports(folder).fragments()
    assert fragment.exit_code == 127


def test_what_cannot_be_observed_runs_and_says_so(folder: Path) -> None:
    done = run(folder, "sh", "-c", "echo hello; exit 4", tracer="none-such")
    assert (done.returncode, done.stdout) == (4, "hello\n")
    [fragment] = Reports(folder).fragments()
    assert (fragment.state, [r.code for r in fragment.coverage]) == ("failed", ["untraced"])


def test_what_cannot_report_runs_and_says_so(folder: Path) -> None:
    folder.write_text("in the way")
    done = run(folder, "sh", "-c", "exit 5")
    assert done.returncode == 5
    assert done.stderr.startswith("roar: task t goes unseen, it cannot report")


def test_a_report_that_is_none_hides_no_other(folder: Path) -> None:
    attempts = [Attempt(task, ("true",), str(folder)) for task in "ab"]
    for attempt in attempts:
        BegunAttempt(folder / "attempts" / name_of(attempt.task, 1)).take(
            to_json(TaskFragment(attempt.task, "true", "succeeded", 1))
        )
    [broken] = folder.glob("attempts/*a/fragment.json")
    broken.write_text("{")
    found = Reports(folder).fragments()
    assert next(found).task == "b"
    with pytest.raises(ValueError, match=f"{broken}: .*; delete it to go on without"):
        next(found)


def test_what_cannot_be_expected_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.write_text("in the way")
    Reports(folder).expect("7")
    assert capsys.readouterr().err.startswith("roar: that there is a task 7 cannot be noted: ")


def test_an_attempt_that_is_begun_twice_runs_both_times(folder: Path) -> None:
    require_any_tracer()
    assert [run(folder, "sh", "-c", "exit 6").returncode for _ in range(2)] == [6, 6]
    assert len(list(Reports(folder).fragments())) == 1


def test_a_task_may_be_called_anything_and_is_one_all_the_same(folder: Path) -> None:
    require_any_tracer()
    long, like, wide = "x" * 4000, "x" * 3999 + "y", "ü" * 120
    names = [long, like, wide, os.fsdecode(b"\xff=. /")]
    reports = Reports(folder)
    for name in names:
        reports.expect(name)
        reports.expect(name)
    assert (reports.coverage().known, reports.coverage().is_final) == (4, False)
    for name in names * 2:  # the second time it is there already, and is not told again
        assert run(folder, "true", task=name).returncode == 0
    assert sorted(each.task for each in reports.fragments()) == sorted(names)
    assert (reports.coverage().known, reports.coverage().is_final) == (4, True)


def test_what_came_another_way_tells_its_long_name(folder: Path) -> None:
    fragment = TaskFragment("x" * 4000, name="n", state="succeeded", started_at_ns=1)
    begun = BegunAttempt(folder / "attempts" / name_of(fragment.task, 1))
    begun.take(to_json(fragment))
    assert begun.task == fragment.task
    assert [each.task for each in Reports(folder).fragments()] == [fragment.task]


def test_a_part_of_what_is_expected_under_a_long_name_meets_it(folder: Path) -> None:
    require_any_tracer()
    reports = Reports(folder)
    reports.expect("7" * 300)
    assert run(folder, "true", task="7" * 300 + "_1.batch.0").returncode == 0
    assert (reports.coverage().known, reports.coverage().is_final) == (1, True)


def test_of_another_machine_only_the_platform_knows(folder: Path) -> None:
    attempt = attrs.evolve(Attempt("t", ("true",), str(folder)), where="elsewhere")
    begun = subprocess.run(
        [sys.executable, "-c", _BEGIN, str(folder), repr(attrs.astuple(attempt))], check=True
    )
    assert begun.returncode == 0
    assert list(Reports(folder).fragments()) == []
    coverage = Reports(folder).coverage()
    assert not coverage.is_final
    assert [reason.count for reason in coverage.reasons] == [1]
    assert list(Reports(folder, lambda task: False).fragments()) == []
    [fragment] = Reports(folder, lambda task: task == "t").fragments()
    assert (fragment.where, fragment.state) == ("elsewhere", "interrupted")
    assert "journal_lost" in [reason.code for reason in fragment.coverage]
    assert Reports(folder).coverage().is_final


_BEGIN = """
import ast, sys
from pathlib import Path
from roar_core.fragments import Attempt, to_json
from roar_core.model.fragment import TaskFragment
from roar_core.report_folder import BegunAttempt, name_of
from roar_core.reports import Reports
Reports(Path(sys.argv[1]))._begin(Attempt(*ast.literal_eval(sys.argv[2])))
"""


def test_what_is_expected_is_met_by_its_parts_alone(folder: Path) -> None:
    require_any_tracer()
    reports = Reports(folder)
    reports.expect("7")
    reports.expect("x/y")
    assert (reports.coverage().known, reports.coverage().is_final) == (2, False)
    assert run(folder, "true", task="71.0").returncode == 0
    assert reports.coverage().known == 3
    assert run(folder, "true", task="7_1.0").returncode == 0
    assert run(folder, "true", task="x/y").returncode == 0
    assert (reports.coverage().known, reports.coverage().is_final) == (3, True)
    # A platform that can be asked knows better: more of 7 may come.
    asked = Reports(folder, lambda task: task != "7").coverage()
    assert (asked.known, asked.is_final) == (3, False)


def test_a_client_that_expects_imports_little(folder: Path) -> None:
    code = "import sys, roar_core.reports as r, pathlib; r.Reports(pathlib.Path(sys.argv[1]))"
    code += ".expect('t'); print(*{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert not {"attrs", "pluggy", "sqlite3", "click"} & set(done.stdout.split())
    assert os.listdir(folder / "expected") == ["t"]
