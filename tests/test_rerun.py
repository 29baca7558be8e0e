"""`roar run @N`: a step's recorded command, run again as a new attempt of that step."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest

TRAIN = """
import json, os, sys
with open(sys.argv[1]) as data, open("model.json", "w") as model:
    json.dump([sys.argv[2:], data.read(), os.getcwd(), os.environ["PWD"]], model)
"""


@pytest.fixture
def trained(project: ProjectUnderTest) -> ProjectUnderTest:
    """A project whose step @1 ran in a folder below the root."""
    project.write("train.py", TRAIN)
    project.write("work/data.csv", "1")
    done = project.shell(
        "cd work && roar run -n train python ../train.py data.csv --title a --lr 0.5 --fast"
    )
    assert done.exit_code == 0, done.stdout
    return project


def arguments(project: ProjectUnderTest) -> list[str]:
    found: list[str] = json.loads(project.read("work/model.json"))[0]
    return found


def test_a_step_is_run_again_where_it_ran(trained: ProjectUnderTest) -> None:
    (trained.root / "work/model.json").unlink()
    done = trained.roar("run", "@1")
    assert done.exit_code == 0, done.stderr
    job = trained.json("show", "@1")
    assert (job["step"], job["attempt"], job["name"]) == ("@1", 2, "train")
    assert job["cwd"] == str(trained.root / "work")
    assert job["rerun_of"] == trained.json("show", "@1.1")["uid"]
    _, _, cwd, told = json.loads(trained.read("work/model.json"))
    assert cwd == told == str(trained.root / "work")


def test_an_override_with_blanks_and_quotes_arrives_whole(trained: ProjectUnderTest) -> None:
    title = 'it\'s "new"; $(rm x) \n--lr 9'
    done = trained.roar("run", "@1", "--set", f"title={title}", "--set", "lr=-1e-3")
    assert done.exit_code == 0, done.stderr
    assert arguments(trained) == ["--title", title, "--lr", "-1e-3", "--fast"]
    assert trained.json("show", "@1")["attempt"] == 2


def test_options_stand_on_both_sides_and_arguments_behind_dashes(
    trained: ProjectUnderTest,
) -> None:
    done = trained.roar("run", "-q", "@1", "--set=fast=false", "-n", "slow", "--", "--more", "@2")
    assert done.exit_code == 0, done.stderr
    assert arguments(trained) == ["--title", "a", "--lr", "0.5", "--more", "@2"]
    assert trained.json("show", "@1")["name"] == "slow"


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["--set", "l=1"], "has no option -l"),
        (["--set", "rate=1"], "has no option --rate"),
        (["--set", "fast=2"], "nothing to replace"),
        (["--lr=0.1"], "--set lr=0.1"),
        (["--lr", "0.1"], "--set lr=VALUE"),
        (["0.1"], "behind --"),
        (["--set", "lr"], "NAME=VALUE"),
    ],
)
def test_an_override_is_never_ignored(
    trained: ProjectUnderTest, words: list[str], because: str
) -> None:
    done = trained.roar("run", "@1", *words)
    assert done.exit_code == 125
    assert because in done.stderr
    assert "Traceback" not in done.stderr
    assert trained.json("log")["total"] == 1


def test_an_older_attempt_can_be_run_again(trained: ProjectUnderTest) -> None:
    trained.roar("run", "@1", "--set", "lr=0.1")
    assert trained.roar("run", "@1.1").exit_code == 0
    assert arguments(trained)[3] == "0.5"
    assert trained.json("show", "@1")["attempt"] == 3


def test_a_build_stays_a_build(trained: ProjectUnderTest) -> None:
    trained.roar("build", "--", "sh", "-c", "echo 1 > built.txt")
    for verb in ("run", "build"):
        assert trained.roar(verb, "@B1").exit_code == 0
    job = trained.json("show", "@B1")
    assert (job["kind"], job["attempt"]) == ("build", 3)
    assert "is no build" in trained.roar("build", "@1").stderr


def test_a_step_whose_input_has_changed_runs_again(trained: ProjectUnderTest) -> None:
    trained.write("work/data.csv", "2")
    assert trained.roar("run", "@1").exit_code == 0
    assert json.loads(trained.read("work/model.json"))[1] == "2"


def test_a_project_that_was_moved_runs_its_steps_where_it_is(trained: ProjectUnderTest) -> None:
    moved = trained.root.with_name("moved")
    trained.root.rename(moved)
    trained.root = moved
    done = trained.roar("run", "@1")
    assert done.exit_code == 0, done.stderr
    assert json.loads(trained.read("work/model.json"))[2] == str(moved / "work")


def test_a_working_directory_that_is_gone_is_named(trained: ProjectUnderTest) -> None:
    shutil.rmtree(trained.root / "work")
    done = trained.roar("run", "@1")
    assert done.exit_code == 125
    assert str(trained.root / "work") in done.stderr


@pytest.mark.parametrize("step", ["@7", "@B1", "@1.9"])
def test_a_step_that_is_not_there_is_named(trained: ProjectUnderTest, step: str) -> None:
    done = trained.roar("run", step)
    assert done.exit_code == 125
    assert step in done.stderr


def test_a_program_called_like_a_step_is_run_behind_dashes(trained: ProjectUnderTest) -> None:
    program = trained.write("bin/@1", "#!/bin/sh\necho mine\n")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{trained.environment()['PATH']}"
    done = trained.roar("run", "--", "@1", environ={"PATH": path})
    assert done.stdout == "mine\n"


def test_arguments_that_are_not_utf8_survive(project: ProjectUnderTest) -> None:
    odd = os.fsdecode(b"bad\xff")
    project.run("sh", "-c", 'printf %s "$1" > out.txt', "sh", odd)
    (project.root / "out.txt").unlink()
    assert project.roar("run", "@1").exit_code == 0
    assert (project.root / "out.txt").read_bytes() == b"bad\xff"


@pytest.fixture
def pipeline(project: ProjectUnderTest) -> ProjectUnderTest:
    """a -> b (@1) -> c (@3) -> d (@4), and b -> e (@2); the numbers are not the order."""
    project.write("a", "1")
    project.run("sh", "-c", "cat a > b; echo @1 >> order")
    project.run("sh", "-c", "cat b c 2> /dev/null > e; test ! -e fail; echo @2 >> order")
    project.run("sh", "-c", "cat b > c; echo @3 >> order")
    project.run("sh", "-c", "cat c > d; echo @4 >> order")
    project.roar("run", "@2")  # reads c now: @2 needs @3
    (project.root / "order").unlink()
    return project


def order(project: ProjectUnderTest) -> list[str]:
    return project.read("order").split()


def test_steps_run_again_in_the_order_in_which_they_need_each_other(
    pipeline: ProjectUnderTest,
) -> None:
    done = pipeline.roar("rerun", "@2", "@3", "@1")
    assert done.exit_code == 0, done.stderr
    assert order(pipeline) == ["@1", "@3", "@2"]


def test_downstream_takes_every_reader_along(pipeline: ProjectUnderTest) -> None:
    pipeline.write("a", "2")
    assert pipeline.roar("rerun", "@1", "--downstream", "-q").stderr == ""
    assert order(pipeline) == ["@1", "@3", "@2", "@4"]
    assert pipeline.read("d") == "2"


def test_a_dry_run_runs_nothing(pipeline: ProjectUnderTest) -> None:
    before = pipeline.json("log")["total"]
    plan = pipeline.json("rerun", "@3", "--downstream", "--dry-run")
    assert [step["step"] for step in plan["steps"]] == ["@3", "@2", "@4"]
    assert {step["state"] for step in plan["steps"]} == {"planned"}
    assert pipeline.json("log")["total"] == before


def test_it_stops_at_the_first_failure_and_says_what_remains(pipeline: ProjectUnderTest) -> None:
    pipeline.write("fail", "")
    pipeline.run("sh", "-c", "cat d > f && test ! -e fail")
    pipeline.run("sh", "-c", "cat f > g")
    before = pipeline.json("log")["total"]
    done = pipeline.roar("rerun", "@4", "--downstream")
    assert done.exit_code == 1
    assert "@5 failed with exit code 1; not run: @6; go on with: roar rerun @5 @6" in done.stderr
    assert pipeline.json("log")["total"] == before + 2
    (pipeline.root / "fail").unlink()
    assert pipeline.roar("rerun", "@5", "@6").exit_code == 0


def test_the_document_has_stdout_to_itself(pipeline: ProjectUnderTest) -> None:
    pipeline.run("sh", "-c", "cat d; echo loud")
    done = pipeline.roar("rerun", "@5", "--json")
    assert [step["state"] for step in json.loads(done.stdout)["steps"]] == ["succeeded"]
    assert "loud" in done.stderr


def test_a_stopped_rerun_leaves_no_command_behind(project: ProjectUnderTest) -> None:
    project.run("sh", "-c", "test -e wait || exit 0; echo $$; exec sleep 60")
    project.run("true")
    project.write("wait", "")
    with subprocess.Popen(
        [*project.roar_argv, "rerun", "@1", "@2"],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        command = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        words = process.stderr.read()
        assert process.wait() == 1
    assert not Path(f"/proc/{command}").exists()
    assert "not run: @2" in words
    assert project.json("show", "@1")["signal"] == "SIGTERM"


@pytest.mark.parametrize(
    ("words", "because"),
    [
        ([], "either --stale or steps"),
        (["@9"], "@9"),
        (["train.py"], "is no step"),
        (["@x"], "is no step"),
    ],
)
def test_a_rerun_of_nothing_is_explained(
    trained: ProjectUnderTest, words: list[str], because: str
) -> None:
    done = trained.roar("rerun", *words)
    assert done.exit_code in (1, 2)
    assert because in done.stderr


@pytest.fixture
def chain(project: ProjectUnderTest) -> ProjectUnderTest:
    """in -> a (@1) -> b (@2) -> c (@3); @1 drops what follows a #."""
    project.write("in", "1 # one\n")
    project.run("sh", "-c", "sed 's/#.*//' in > a")
    project.run("sh", "-c", "sed s/$/b/ a > b")
    project.run("sh", "-c", "sed s/$/c/ b > c")
    return project


def states(project: ProjectUnderTest, *options: str) -> dict[str, str]:
    steps = project.json("rerun", "--stale", *options)["steps"]
    return {step["step"]: step["state"] for step in steps}


def test_what_is_stale_is_brought_up_to_date_in_order(chain: ProjectUnderTest) -> None:
    assert states(chain) == {}
    chain.write("in", "2 # two\n")
    assert set(states(chain, "--dry-run").values()) == {"planned"}
    assert states(chain) == dict.fromkeys(("@1", "@2", "@3"), "succeeded")
    assert chain.read("c") == "2 bc\n"
    assert states(chain) == {}


def test_what_comes_out_as_it_was_makes_nothing_run(chain: ProjectUnderTest) -> None:
    chain.write("in", "1 # uno\n")
    assert states(chain) == {"@1": "succeeded", "@2": "up_to_date", "@3": "up_to_date"}
    assert chain.json("log")["total"] == 4


def test_stale_and_steps_are_one_or_the_other(chain: ProjectUnderTest) -> None:
    assert chain.roar("rerun", "--stale", "@1").exit_code == 2
