"""Backends and storage proxies take part in runs, and hurt nobody when they fail."""

from __future__ import annotations

import os
import re
import signal

import pytest

from roar_core.testing.projects import ProjectUnderTest

HEAD = """
import json, os, time
from roar_core.hookspecs import BackendPlan, Match, hookimpl
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import ObservedObject, TaskCoverage, TaskFile, TaskFragment
"""

# A platform that is a file: what it holds has happened, one attempt a line.
BACKEND = (
    HEAD
    + """
class LedgerBackend:
    name, priority, collect_every_s = "ledger", 50, float(os.environ.get("LEDGER_EVERY", "0"))

    def detect(self, argv, environ, cwd):
        return Match(90, "a ledger") if os.path.basename(argv[0]) == "ledger" else None

    def plan(self, run, environ):
        return BackendPlan(("sh", "-c", *run.command[1:]), {**environ, "PLANNED_BY": self.name})

    def adopt(self, run, environ):
        return {"LEDGER": str(run.folder / "ledger")}

    def claims(self, run, path):
        return path.name == "traffic"

    def collect(self, run):
        try:
            lines = (run.folder / "ledger").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            task, attempt, state, path = line.split()
            file = TaskFile(f"{run.cwd}/{path}", 1, {"blake3": "ab" * 32})
            yield TaskFragment(task, "work", state, 1, int(attempt), written=(file,))

    def coverage(self, run):
        known = int(os.environ.get("LEDGER_KNOWN", "0"))
        return TaskCoverage(known, is_final="LEDGER_OPEN" not in os.environ)

    def finalise(self, run):
        pass

@hookimpl
def roar_backends(config):
    return [LedgerBackend()]
"""
)
HOOKS = ("detect", "plan", "adopt", "claims", "collect", "coverage", "finalise")
BEFORE = ("detect", "plan", "adopt")


def install(project: ProjectUnderTest, code: str, name: str = "ledger") -> None:
    project.plugins(name, code, group="roar.backends")


def failing(hook: str, how: str) -> str:
    """The backend with one hook that fails."""
    return f"{BACKEND}\ndef fail(self, *arguments):\n    {how}\nLedgerBackend.{hook} = fail\n"


def warnings(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if "plugin ledger failed" in line]


def test_an_adopted_run_gets_its_tasks_as_child_jobs(project: ProjectUnderTest) -> None:
    install(project, BACKEND)
    line = "echo t1 1 succeeded out.txt > $LEDGER; touch traffic; exit 3"
    result = project.run("sh", "-c", line)
    assert result.exit_code == 3
    assert result.writes == set(), "the platform's own traffic is no output"
    assert result.job is not None
    assert result.job["coverage"]["state"] == "complete"
    [group] = result.job["tasks"]
    assert (group["name"], group["states"]) == ("work", {"succeeded": 1})
    [task] = group["jobs"]
    assert (task["kind"], task["step"], task["state"]) == ("task", None, "succeeded")
    assert not (project.root / ".roar" / "runs" / result.job["uid"]).exists()


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        ("words[:1] == ['sleep'] and pid > 1", set()),
        ("False", {"outlived"}),
        ("1", {"outlived", "backend"}),
        ("1 / 0", {"outlived", "backend"}),
    ],
)
def test_a_server_of_the_platform_may_outlive_the_command(
    project: ProjectUnderTest, answer: str, codes: set[str]
) -> None:
    serves = f"lambda self, run, pid, words: {answer}"
    install(project, f"{BACKEND}\nLedgerBackend.serves = {serves}\n")
    result = project.run("sh", "-c", "sleep 30 >/dev/null 2>&1 & echo $!")
    os.kill(int(result.stdout), signal.SIGKILL)
    assert result.job is not None
    assert {each["code"] for each in result.job["coverage"]["reasons"]} == codes
    assert len(warnings(result.stderr)) == ("backend" in codes)


def test_a_claimed_command_is_planned(project: ProjectUnderTest) -> None:
    install(project, BACKEND)
    result = project.run("ledger", "echo $PLANNED_BY", environ={"PATH": "/no/ledger/there"})
    assert result.exit_code == 127, "a command that does not exist is not started"
    project.write("ledger", "#!/bin/sh\necho bare\n").chmod(0o755)
    planned = project.run("./ledger", "echo $PLANNED_BY")
    assert planned.stdout == "ledger\n"
    assert planned.job is not None
    assert planned.job["command"] == ["./ledger", "echo $PLANNED_BY"]
    for off in (("--backend", "none"),):
        bare = project.roar("run", *off, "--", "./ledger", "echo $PLANNED_BY")
        assert bare.stdout == "bare\n"
    named = project.roar("run", "--backend", "ledger", "--", "true", "echo $PLANNED_BY")
    assert named.stdout == "ledger\n"


def test_an_unknown_backend_is_refused(project: ProjectUnderTest) -> None:
    def installed() -> list[str]:
        result = project.roar("run", "--backend", "slurm", "true")
        assert result.exit_code == 125
        [names] = re.findall("there is no backend 'slurm'; installed: (.+)", result.stderr)
        return names.split(", ")

    before = installed()  # the checkout's own
    install(project, BACKEND)
    assert sorted(installed()) == sorted({*before, "ledger"} - {"none"})
    assert not list((project.root / ".roar" / "runs").glob("*/*"))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_raises_costs_coverage_and_one_warning(
    project: ProjectUnderTest, hook: str
) -> None:
    install(project, failing(hook, "raise OSError('no luck')"))
    project.write("ledger", '#!/bin/sh\nexec sh -c "$@"\n').chmod(0o755)
    command = "./ledger" if hook == "plan" else "sh"
    words = (command,) if hook == "plan" else (command, "-c")
    result = project.run(*words, "echo out; touch a; exit 3")
    assert (result.exit_code, result.stdout) == (3, "out\n")
    assert len(warnings(result.stderr)) == 1, result.stderr
    assert "OSError: no luck" in result.stderr
    assert "a" in result.writes
    assert result.job is not None
    # To be let go of is no part of being seen.
    expected = "complete" if hook == "finalise" else "partial"
    assert result.job["coverage"]["state"] == expected


@pytest.mark.parametrize("hook", ["adopt", "collect"])
def test_a_hook_that_hangs_is_left_behind(project: ProjectUnderTest, hook: str) -> None:
    install(project, failing(hook, "import threading; threading.Event().wait()"))
    environ = {"ROAR_RUN__PATIENCE": "0.2"}
    result = project.run("sh", "-c", "echo out; exit 3", environ=environ)
    assert (result.exit_code, result.stdout) == (3, "out\n")
    assert len(warnings(result.stderr)) == 1, result.stderr
    assert "did not answer within 0.2 s" in result.stderr
    assert result.job is not None
    assert [r["code"] for r in result.job["coverage"]["reasons"]] == ["backend"]


def test_what_came_before_a_failure_is_kept(project: ProjectUnderTest) -> None:
    install(project, BACKEND)
    line = "echo t1 1 succeeded a > $LEDGER; echo t2 1 unheard-of b >> $LEDGER"
    result = project.run("sh", "-c", line)
    assert result.job is not None
    assert [group["states"] for group in result.job["tasks"]] == [{"succeeded": 1}]
    assert len(warnings(result.stderr)) == 1


def test_a_report_that_no_record_could_hold_costs_itself_alone(project: ProjectUnderTest) -> None:
    install(project, BACKEND)
    lines = f"t1 1 succeeded first.txt\\nt2 {2**63} succeeded second.txt"
    result = project.run("sh", "-c", f"printf '{lines}\\n' > $LEDGER; exit 3")
    assert (result.exit_code, len(warnings(result.stderr))) == (3, 1)
    assert f"no fragment of a task: attempt is {2**63}" in result.stderr
    assert result.job is not None
    assert [task["task"]["task"] for group in result.job["tasks"] for task in group["jobs"]] == [
        "t1"
    ]


def test_a_record_that_cannot_be_made_costs_a_sentence(project: ProjectUnderTest) -> None:
    """Recording fails while what follows the journal is still at work."""
    install(project, BACKEND)
    project.write(
        "break.py",
        """
import os, sqlite3, sys
with sqlite3.connect(".roar/roar.db") as database:
    guard = "CREATE TRIGGER full BEFORE INSERT ON job BEGIN SELECT raise(ABORT, 'no room'); END"
    database.execute(guard)
with open(os.environ["LEDGER"], "a") as ledger:
    ledger.write("t1 1 succeeded out.txt\\n")
sys.exit(7)
""",
    )
    result = project.roar("run", "python", "break.py")
    assert result.exit_code == 7
    [sentence] = result.stderr.splitlines()
    assert "no room" in sentence


def test_tasks_that_have_not_reported_are_told(project: ProjectUnderTest) -> None:
    install(project, BACKEND)
    line = "echo t1 1 failed a > $LEDGER; echo t1 2 succeeded a >> $LEDGER"
    result = project.run("sh", "-c", line, environ={"LEDGER_KNOWN": "3"})
    assert result.job is not None
    [reason] = result.job["coverage"]["reasons"]
    assert (reason["code"], reason["count"]) == ("tasks", 2)
    [group] = result.job["tasks"]
    assert (group["count"], group["attempts"], group["states"]) == (1, 2, {"succeeded": 1})


def test_tasks_are_collected_while_the_command_runs(project: ProjectUnderTest) -> None:
    install(project, BACKEND)
    # The command waits until its own task is to be seen in the database.
    count = "connect('.roar/roar.db').execute('SELECT count(*) FROM task').fetchone()[0]"
    project.write("look.py", f"import sqlite3; print(sqlite3.{count})")
    line = "echo t1 1 succeeded a > $LEDGER; until [ $(python look.py) = 1 ]; do :; done"
    result = project.run("sh", "-c", line, environ={"LEDGER_EVERY": "0.05"})
    assert result.exit_code == 0
    assert result.job is not None
    assert [group["states"] for group in result.job["tasks"]] == [{"succeeded": 1}]


def test_what_comes_after_the_run_is_collected(project: ProjectUnderTest) -> None:
    install(project, BACKEND)
    environ = {"LEDGER_KNOWN": "2", "LEDGER_OPEN": "yes"}
    result = project.run("sh", "-c", "echo t1 1 succeeded a > $LEDGER", environ=environ)
    assert result.job is not None
    assert [r["code"] for r in result.job["coverage"]["reasons"]] == ["tasks"]
    uid = result.job["uid"]
    [ledger] = (project.root / ".roar" / "runs" / uid).glob("*/ledger")
    project.environ.update(environ)
    [run] = project.json("collect")["runs"]
    assert (run["uid"], run["step"], run["merged"], run["open"]) == (uid, "@1", 0, True)
    with ledger.open("a") as target:
        target.write("t2 1 failed b\n")
    del project.environ["LEDGER_OPEN"]
    assert "1 new report, complete" in project.roar("collect").stdout
    job = project.json("show", "@1")
    assert job["coverage"]["reasons"] == []
    assert [group["states"] for group in job["tasks"]] == [{"succeeded": 1, "failed": 1}]
    assert project.json("collect")["runs"] == []
    assert project.json("show", "@1") == job


def test_a_plugin_that_is_gone_is_told(project: ProjectUnderTest) -> None:
    install(project, BACKEND)
    project.run("true", environ={"LEDGER_OPEN": "yes"})
    for path in project.plugins.folder.glob("ledger*.dist-info/entry_points.txt"):
        path.write_text("")
    assert "open" in project.roar("collect").stdout
    [reason] = project.json("show", "@1")["coverage"]["reasons"]
    assert reason["code"] == "backend"
    assert "backend ledger is not installed" in reason["detail"]


def test_a_run_that_never_began_leaves_nothing_for_long(project: ProjectUnderTest) -> None:
    install(project, BACKEND)
    project.run("true", environ={"LEDGER_OPEN": "yes"})
    runs = project.root / ".roar" / "runs"
    [kept] = runs.iterdir()
    (runs / ("0" * 32) / "proxy-s3").mkdir(parents=True)
    for folder in runs.iterdir():
        os.utime(folder, (0, 0))
    project.run("true")
    assert list(runs.iterdir()) == [kept]
