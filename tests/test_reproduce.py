"""`roar reproduce` with real repositories, real environments and real runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from roar_core.testing.projects import ProjectUnderTest, Result

MAKE = """
import pathlib, sys
pathlib.Path(sys.argv[2]).write_text("\\n".join(str(n * int(sys.argv[1])) for n in range(5)))
"""
TOTAL = """
import pathlib, sys
numbers = pathlib.Path(sys.argv[1]).read_text().split()
extra = int(pathlib.Path("data.csv").read_text())
pathlib.Path(sys.argv[2]).write_text(str(sum(map(int, numbers)) + extra))
"""


def git(project: ProjectUnderTest, *words: str, cwd: Path | None = None) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *words],
        cwd=cwd or project.root,
        env=project.environment(),
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout.strip()


def commit(project: ProjectUnderTest, *paths: str) -> str:
    if not (project.root / ".git").exists():
        git(project, "init", "-q", "-b", "main")
    git(project, "add", "-f", *paths)
    git(project, "commit", "-q", "-m", "step")
    return git(project, "rev-parse", "HEAD")


def start(project: ProjectUnderTest) -> ProjectUnderTest:
    """A repository with two scripts, and data that is not in it."""
    project.write("make.py", MAKE)
    project.write("total.py", TOTAL)
    project.write("data.csv", "5")
    commit(project, "make.py", "total.py")
    return project


def ran(result: Result) -> Mapping[str, Any]:
    assert result.job is not None, result.stderr
    assert result.exit_code == 0, result.stderr
    return result.job


def target_of(project: ProjectUnderTest, name: str = "again") -> Path:
    return project.root.parent / name


def again(
    project: ProjectUnderTest, ref: str, *more: str, into: str = "again", exit_code: int = 0
) -> Any:
    """Reproduce into a fresh directory and return the document."""
    into_words = () if "--in-place" in more else ("--into", str(target_of(project, into)))
    result = project.roar("reproduce", ref, "--run", "-y", "--json", *into_words, *more)
    assert result.exit_code == exit_code, result.stderr
    return json.loads(result.stdout) if result.stdout else result


def verdicts(document: Any) -> dict[str, str]:
    return {
        output["relative"] or output["path"]: output["verdict"]
        for step in document["steps"]
        for output in step["outputs"]
    }


def labels(document: Any) -> list[str]:
    return [step["step"] for step in document["steps"]]


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a checkout, its time and bytes; roar's own records and git's aside."""
    return {
        str(path.relative_to(root)): (path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".roar" not in path.parts and path.parent != root / ".git"
    }


def test_a_plan_is_shown_and_nothing_is_run(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    before = tree(project.root)
    result = project.roar("reproduce", "total.txt", "--into", str(target_of(project)))
    assert result.exit_code == 0
    assert "git clone" in result.stdout
    assert "-m venv" in result.stdout or "venv" in result.stdout
    assert "@1  roar run --dirty=snapshot -- python make.py 3 numbers.txt" in result.stdout
    assert "data.csv" in result.stdout
    assert not target_of(project).exists()
    assert tree(project.root) == before


def test_without_a_terminal_and_without_yes_nothing_is_run(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    result = project.roar("reproduce", "@1", "--run", "--into", str(target_of(project)))
    assert result.exit_code == 3
    assert "-y" in result.stderr
    assert not target_of(project).exists()


def test_bytes_come_about_again_elsewhere_and_the_original_stays(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    before = tree(project.root)
    document = again(project, "total.txt")
    assert verdicts(document) == {"numbers.txt": "identical", "total.txt": "identical"}
    assert [o["asked"] for step in document["steps"] for o in step["outputs"]] == [False, True]
    assert all(step["same_hash"] for step in document["steps"])
    assert document["exit_code"] == 0
    assert tree(project.root) == before
    assert (target_of(project) / "total.txt").read_text() == "35"
    # The reproduction is itself recorded, and can be reproduced.
    log = subprocess.run(
        [*project.roar_argv, "log", "--json"],
        cwd=target_of(project),
        env=project.environment(),
        capture_output=True,
        check=True,
    )
    assert len(json.loads(log.stdout)["jobs"]) == 2


def test_a_result_that_differs_is_told_and_the_exit_code_is_one(project: ProjectUnderTest) -> None:
    project.write("roll.py", "import os; open('dice.txt', 'w').write(os.urandom(8).hex() + '\\n')")
    commit(project, "roll.py")
    ran(project.run("python", "roll.py"))
    document = again(project, "@1", exit_code=1)
    assert verdicts(document) == {"dice.txt": "differs"}
    [output] = document["steps"][0]["outputs"]
    assert output["details"][0].startswith("line 1:")
    assert not document["steps"][0]["same_hash"]
    shown = project.roar("reproduce", "@1", "--run", "-y", "--into", str(target_of(project, "b")))
    assert "differs" in shown.stdout
    assert "0 of 1 artifact" in shown.stdout


def test_what_a_step_does_not_write_any_more_is_missing_even_where_git_has_it(
    project: ProjectUnderTest,
) -> None:
    project.write(
        "once.py",
        "import os\nif os.environ.get('WRITE'): open('out.txt', 'w').write('1')\n",
    )
    commit(project, "once.py")
    ran(project.run("python", "once.py", environ={"WRITE": "1"}))
    commit(project, "out.txt")
    git(project, "commit", "-q", "--amend", "--no-edit")
    project.write("once.py", project.read("once.py"))
    document = again(project, "out.txt", exit_code=1)
    assert verdicts(document) == {"out.txt": "missing"}


def test_each_step_runs_its_own_commit(project: ProjectUnderTest) -> None:
    start(project)
    first = git(project, "rev-parse", "HEAD")
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    project.write("make.py", "raise SystemExit('another program now')")
    project.write("total.py", TOTAL.replace("+ extra", "- extra"))
    second = commit(project, "make.py", "total.py", "numbers.txt")
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    document = again(project, "total.txt")
    assert [step["commit"] for step in document["steps"]] == [first, second]
    assert set(verdicts(document).values()) == {"identical"}


def test_uncommitted_changes_and_untracked_sources_are_applied(project: ProjectUnderTest) -> None:
    start(project)
    project.write(
        "make.py", "from extra.more import FACTOR\n" + MAKE.replace("n *", "FACTOR * n *")
    )
    project.write("extra/more.py", "FACTOR = 2\n")
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    project.write("extra/more.py", "FACTOR = 7\n")
    project.write("make.py", MAKE)
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    document = again(project, "total.txt")
    snapshots = [step["snapshot"] for step in document["steps"]]
    assert None not in snapshots
    assert len(set(snapshots)) == 2
    assert set(verdicts(document).values()) == {"identical"}
    assert all(step["same_hash"] for step in document["steps"])


def test_a_file_that_was_added_and_not_committed_comes_and_goes(project: ProjectUnderTest) -> None:
    start(project)
    project.write("make.py", f"from added import FACTOR\n{MAKE}")
    project.write("added.py", "FACTOR = 2\n")
    git(project, "add", "added.py")
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    git(project, "rm", "-q", "-f", "added.py")
    git(project, "checkout", "-q", "--", "make.py")
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    document = again(project, "total.txt")
    assert set(verdicts(document).values()) == {"identical"}
    assert all(step["same_hash"] for step in document["steps"])
    assert not (target_of(project) / "added.py").exists()


def test_submodules_come_from_where_they_are_checked_out(project: ProjectUnderTest) -> None:
    inner = project.root.parent / "inner"
    inner.mkdir()
    (inner / "z.py").write_text("Z = 3\n")
    git(project, "init", "-q", "-b", "main", cwd=inner)
    git(project, "add", "z.py", cwd=inner)
    git(project, "commit", "-q", "-m", "inner", cwd=inner)
    git(project, "init", "-q", "-b", "main")
    git(project, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "lib")
    project.write(
        "x.py",
        "import sys; sys.path.insert(0, 'lib'); import z; open('x.txt', 'w').write(str(z.Z))",
    )
    commit(project, "x.py")
    project.write("lib/z.py", "Z = 4\n")  # uncommitted, in the submodule
    ran(project.run("python", "x.py"))
    document = again(project, "x.txt")
    assert verdicts(document) == {"x.txt": "identical"}
    assert document["steps"][0]["same_hash"]
    assert (target_of(project) / "x.txt").read_text() == "4"


def test_before_the_first_commit_the_snapshot_is_all_there_is(project: ProjectUnderTest) -> None:
    git(project, "init", "-q", "-b", "main")
    project.write("make.py", MAKE)
    git(project, "add", "make.py")
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    document = again(project, "numbers.txt")
    assert verdicts(document) == {"numbers.txt": "identical"}
    assert document["steps"][0]["same_hash"]


def test_a_tracked_result_in_a_later_snapshot_does_not_stand_in_for_the_replay(
    project: ProjectUnderTest,
) -> None:
    """The second step's patch holds what the first wrote; what it reads is what was made again."""
    project.write("roll.py", "import os; open('dice.txt', 'w').write(os.urandom(8).hex())")
    project.write("dice.txt", "committed")
    commit(project, "roll.py", "dice.txt")
    ran(project.run("python", "roll.py"))
    ran(project.run("cp", "dice.txt", "copy.bin"))
    document = again(project, "copy.bin", exit_code=1)
    assert verdicts(document) == {"dice.txt": "differs", "copy.bin": "differs"}
    again_folder = target_of(project)
    assert (again_folder / "dice.txt").read_bytes() == (again_folder / "copy.bin").read_bytes()


def test_only_needed_steps_and_no_superseded_reruns_are_replayed(project: ProjectUnderTest) -> None:
    start(project)
    for factor in ("3", "3", "4"):
        project.write("factor", factor)
        ran(project.run("sh", "-c", "python make.py $(cat factor) numbers.txt"))
    ran(project.run("python", "make.py", "9", "unneeded.txt"))
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    document = again(project, "total.txt")
    assert labels(document) == ["@1.3", "@3"]
    assert set(verdicts(document).values()) == {"identical"}


def test_an_older_attempt_is_replayed_when_its_bytes_were_consumed(
    project: ProjectUnderTest,
) -> None:
    start(project)
    project.write("factor", "3")
    ran(project.run("sh", "-c", "python make.py $(cat factor) numbers.txt"))
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    project.write("factor", "4")
    ran(project.run("sh", "-c", "python make.py $(cat factor) numbers.txt"))
    ran(project.run("sh", "-c", "cat numbers.txt total.txt > both.txt"))
    result = project.roar("reproduce", "both.txt", "--into", str(target_of(project)))
    assert result.exit_code == 3
    assert "'factor'" in result.stderr + result.stdout  # the old value was overwritten
    project.write("kept/old-factor", "3")  # … and is found by its digest, wherever it is
    document = again(project, "both.txt")
    assert labels(document) == ["@1", "@2", "@1.2", "@3"]
    assert set(verdicts(document).values()) == {"identical"}


def test_inputs_are_found_by_their_digest_or_named(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    (project.root / "old").mkdir()
    (project.root / "data.csv").rename(project.root / "old" / "moved.bin")
    project.write("data.csv", "6")
    document = again(project, "total.txt")
    [needed] = [i for i in document["steps"][1]["inputs"] if i["relative"] == "data.csv"]
    assert needed["found"] == str(project.root / "old" / "moved.bin")
    assert set(verdicts(document).values()) == {"identical"}
    (project.root / "old" / "moved.bin").unlink()
    result = project.roar(
        "reproduce", "total.txt", "--run", "-y", "--into", str(target_of(project, "b"))
    )
    assert result.exit_code == 3
    assert "'data.csv'" in result.stdout
    assert not target_of(project, "b").exists()
    document = again(project, "total.txt", "--keep-going", into="c", exit_code=3)
    assert verdicts(document) == {"numbers.txt": "identical", "total.txt": "not_run"}


def test_without_git_the_scripts_are_inputs(project: ProjectUnderTest) -> None:
    project.write("make.py", MAKE)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    document = again(project, "numbers.txt")
    assert verdicts(document) == {"numbers.txt": "identical"}
    assert document["steps"][0]["commit"] is None
    assert document["steps"][0]["same_hash"]


def test_a_step_runs_in_its_directory_with_its_recorded_variables(
    project: ProjectUnderTest,
) -> None:
    project.write("roar.toml", 'environment.variables = ["FACTOR", "LD_PRELOAD_X"]\n')
    project.write(
        "sub/deep/show.py",
        "import os\nwhere = os.path.basename(os.getcwd())\n"
        "open('here.txt', 'w').write(os.environ['FACTOR'] + where)\n",
    )
    commit(project, "roar.toml", "sub/deep/show.py")
    project.shell(f"cd sub/deep && FACTOR=7 {' '.join(project.roar_argv)} run -- python show.py")
    document = again(project, "@1")
    [step] = document["steps"]
    assert step["cwd"] == "sub/deep"
    assert step["variables"] == {"FACTOR": "7"}
    assert verdicts(document) == {"sub/deep/here.txt": "identical"}


def test_a_project_below_the_top_of_its_checkout_keeps_its_place(project: ProjectUnderTest) -> None:
    top = project.root.parent
    project.write("make.py", MAKE)
    git(project, "init", "-q", "-b", "main", cwd=top)
    git(project, "add", "-f", "project/make.py", cwd=top)
    git(project, "commit", "-q", "-m", "one", cwd=top)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    document = again(project, "numbers.txt", into="elsewhere")
    assert verdicts(document) == {"numbers.txt": "identical"}
    assert (top / "elsewhere" / "project" / "numbers.txt").exists()


def test_builds_come_first(project: ProjectUnderTest) -> None:
    start(project)
    project.write("use.sh", "cat built/tool numbers.txt > out.bin\n")
    commit(project, "use.sh")
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    assert project.roar("build", "sh", "-c", "mkdir built; echo x > built/tool").exit_code == 0
    ran(project.run("sh", "use.sh"))
    document = again(project, "out.bin")
    assert labels(document) == ["@B1", "@1", "@2"]
    assert set(verdicts(document).values()) == {"identical"}


def test_a_directory_that_had_to_be_there_is_made_and_one_that_a_step_makes_is_not(
    project: ProjectUnderTest,
) -> None:
    start(project)
    (project.root / "there").mkdir()
    ran(project.run("python", "make.py", "3", "there/numbers.txt"))
    ran(project.run("sh", "-c", "mkdir made && cp there/numbers.txt made/numbers.txt"))
    document = again(project, "made/numbers.txt")
    assert set(verdicts(document).values()) == {"identical"}
    assert not document["problems"]
    assert not any(step["problems"] for step in document["steps"])


def test_a_step_that_fails_stops_the_rest_unless_told_to_keep_going(
    project: ProjectUnderTest,
) -> None:
    flaky = "test -e ../luck && cp numbers.txt mid.bin"
    start(project)
    project.write("../luck", "")
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    ran(project.run("sh", "-c", flaky))
    ran(project.run("sh", "-c", "cp mid.bin last.bin"))
    ran(project.run("sh", "-c", "cp numbers.txt other.bin; cat last.bin >> other.bin"))
    (project.root.parent / "luck").unlink()
    document = again(project, "other.bin", into="deeper/a", exit_code=3)
    assert verdicts(document) == {
        "numbers.txt": "identical",
        "mid.bin": "missing",
        "last.bin": "not_run",
        "other.bin": "not_run",
    }
    assert "exit code 1, recorded is exit code 0" in document["steps"][1]["problems"][0]
    document = again(project, "other.bin", "--keep-going", into="deeper/b", exit_code=3)
    assert "was not made" in document["steps"][2]["problems"][0]


def test_a_step_that_is_recorded_to_fail_may_fail_again(project: ProjectUnderTest) -> None:
    project.write("x.sh", "echo 1 > out.txt; exit 3\n")
    commit(project, "x.sh")
    assert project.run("sh", "x.sh").exit_code == 3
    document = again(project, "out.txt")
    assert verdicts(document) == {"out.txt": "identical"}
    assert not document["steps"][0]["problems"]


def test_absolute_paths_into_the_project_lead_into_the_target(project: ProjectUnderTest) -> None:
    start(project)
    script, out = project.root / "make.py", project.root / "numbers.txt"
    ran(project.run(sys.executable, str(script), "3", str(out)))
    before = tree(project.root)
    document = again(project, "numbers.txt")
    assert verdicts(document) == {"numbers.txt": "identical"}
    assert document["steps"][0]["command"][0] == "python"
    assert str(target_of(project)) in document["steps"][0]["command"][1]
    assert document["steps"][0]["same_hash"]
    assert tree(project.root) == before


def test_what_was_written_outside_the_project_is_not_written_again(
    project: ProjectUnderTest,
) -> None:
    outside = project.root.parent / "outside.txt"
    ran(project.run("sh", "-c", f"echo 1 > {outside}"))
    outside.write_text("precious")
    result = project.roar("reproduce", "@1", "--run", "-y", "--into", str(target_of(project)))
    assert result.exit_code == 3
    assert "outside the project" in result.stdout
    again(project, "@1", "--keep-going", exit_code=3)
    assert outside.read_text() == "precious"


@pytest.mark.parametrize("where", ["commit", "snapshot", "untracked", "input"])
def test_a_program_with_the_projects_path_in_it_is_named_before_it_runs(
    project: ProjectUnderTest, where: str
) -> None:
    project.write("x.py", "open('out.txt', 'w').write('1')\n")
    project.write("README.md", f"It lies in {project.root}/x.py\n")
    project.write("y.py", "")
    if where != "input":
        commit(project, "x.py", "README.md", "y.py")
    absolute = f"open('{project.root}/out.txt', 'w').write('1')\n"
    project.write("z.py" if where == "untracked" else "x.py", absolute)
    if where == "commit":
        commit(project, "x.py")
    script = "z.py" if where == "untracked" else "x.py"
    ran(project.run("python", script))
    before = tree(project.root)
    result = project.roar("reproduce", "@1", "--run", "-y", "--into", str(target_of(project)))
    assert result.exit_code == 3
    named = "the uncommitted changes" if where == "snapshot" else script
    assert f"{named!r} names {project.root}" in result.stdout
    assert "README" not in result.stdout
    assert tree(project.root) == before
    # Told also by what it did, when it is run all the same.
    document = again(project, "@1", "--keep-going", exit_code=1)
    assert verdicts(document) == {"out.txt": "missing"}
    assert "outside the target" in document["steps"][0]["problems"][0]


def test_in_place_runs_here_over_the_files(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    project.write("numbers.txt", "changed")
    document = again(project, "@1", "--in-place")
    assert verdicts(document) == {"numbers.txt": "identical"}
    assert project.read("numbers.txt").splitlines()[1] == "3"
    git(project, "commit", "-q", "--allow-empty", "-m", "later")
    result = project.roar("reproduce", "@1", "--in-place", "--run", "-y")
    assert result.exit_code == 3
    assert "git checkout" in result.stdout


def test_a_dataset_is_found_member_by_member_and_compared(project: ProjectUnderTest) -> None:
    for number in range(3):
        project.write(f"table/part-{number}.parquet", f"part {number}")
    commit_script = "mkdir copy; for n in 0 1 2; do cp table/part-$n.parquet copy/; done"
    project.write("copy.sh", commit_script)
    commit(project, "copy.sh")
    ran(project.run("sh", "copy.sh"))
    project.write("moved/away", "part 1")
    project.write("table/part-1.parquet", "other")
    document = again(project, "copy")
    assert verdicts(document) == {"copy": "identical"}
    (project.root / "moved" / "away").unlink()
    (project.root / "copy" / "part-1.parquet").unlink()
    plan = project.roar("reproduce", "copy", "--json", "--into", str(target_of(project, "b")))
    assert plan.exit_code == 3
    [needed] = json.loads(plan.stdout)["steps"][0]["inputs"]
    assert needed["lacking"] == ["part-1.parquet"]


def test_an_interrupt_leaves_the_original_untouched(project: ProjectUnderTest) -> None:
    project.write(
        "slow.py",
        "import os, sys, time\nopen('begun.txt', 'w').write('1')\n"
        "open('slow.txt', 'w').write('1')\n"
        "print('READY', flush=True)\n"
        "time.sleep(0 if os.environ.get('QUICK') else 100)\n",
    )
    commit(project, "slow.py")
    ran(project.run("python", "slow.py", environ={"QUICK": "1"}))
    before = tree(project.root)
    with subprocess.Popen(
        [*project.roar_argv, "reproduce", "@1", "--run", "-y", "--into", str(target_of(project))],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as child:
        assert child.stderr is not None
        said = ""
        for line in child.stderr:
            said += line
            if "READY" in line:
                child.send_signal(signal.SIGINT)
        assert child.wait() == 130, said
    assert "interrupted" in said
    assert tree(project.root) == before
    assert (target_of(project) / "begun.txt").exists()


def test_a_target_in_use_is_refused(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    (target_of(project)).mkdir()
    (target_of(project) / "mine").write_text("x")
    result = project.roar("reproduce", "@1", "--into", str(target_of(project)))
    assert result.exit_code == 3
    assert "--into" in result.stderr
    inside = project.roar("reproduce", "@1", "--into", ".roar/x")
    assert inside.exit_code == 2


def test_an_input_that_nobody_made_is_not_reproduced(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    result = project.roar("reproduce", "data.csv")
    assert result.exit_code == 3
    assert "no recorded job made data.csv" in result.stderr
    assert project.roar("reproduce", "@99").exit_code == 3
    assert project.roar("reproduce", "@1", "-y").exit_code == 2


def test_a_script_does_the_same_and_quotes_everything(project: ProjectUnderTest) -> None:
    start(project)
    odd = "$(touch evil) 'a\nb"
    ran(project.run("python", "make.py", "3", odd))
    ran(project.run("python", "total.py", odd, "total.txt"))
    words = ("reproduce", "total.txt", "--script", "again.sh", "--into", str(target_of(project)))
    result = project.roar(*words)
    assert result.exit_code == 0, result.stderr
    assert os.access(project.root / "again.sh", os.X_OK)
    done = project.shell("sh again.sh")
    assert done.exit_code == 0, done.stdout
    assert (target_of(project) / "total.txt").read_text() == "35"
    assert (target_of(project) / odd).exists()
    assert not (project.root / "evil").exists()
    assert not (target_of(project) / "evil").exists()
    assert project.roar(*words).exit_code != 0  # both files are there now


def test_requirements_are_listed(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    document = project.json("reproduce", "total.txt", "--list-requirements")
    assert document["type"] == "requirements"
    assert document["environments"][0]["interpreter"].startswith("cpython 3.")
    assert [needed["relative"] for needed in document["inputs"]] == ["data.csv"]
    shown = project.roar("reproduce", "total.txt", "--list-requirements")
    assert "data.csv" in shown.stdout


def environment_with(folder: Path, *what: str | Path) -> Path:
    """A virtual environment into which pip installed something: the pip of these tests."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", venv]
    subprocess.run([*pip, "install", "-q", *what], check=True)
    return venv


def test_exact_packages_are_installed(project: ProjectUnderTest, tmp_path: Path) -> None:
    """With a real package from the index, at a version that is not the newest."""
    venv = environment_with(tmp_path, "tomli==2.0.1")
    project.write("x.py", "import tomli; open('x.txt', 'w').write(str(tomli.loads('a = 1')))")
    commit(project, "x.py")
    ran(project.run(str(venv / "bin" / "python"), "x.py"))
    document = again(project, "x.txt")
    assert document["environments"][0]["packages"] == {"tomli": "2.0.1"}
    assert document["steps"][0]["same_hash"], document["steps"][0]["deviations"]
    site = next((target_of(project) / ".reproduce" / "env1" / "lib").glob("python*/site-packages"))
    assert (site / "tomli-2.0.1.dist-info").is_dir()


def own_package(project: ProjectUnderTest, tmp_path: Path, *options: str) -> dict[str, str]:
    """Run a script that imports a package of the user's own; returns the PATH it ran with."""
    source = tmp_path / "mine"
    (source / "mine_own").mkdir(parents=True)
    (source / "mine_own" / "__init__.py").write_text("X = 1\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "mine-own"\nversion = "0.3"\n'
    )
    venv = environment_with(tmp_path, *options, source)
    project.write("x.py", "import mine_own; open('x.txt', 'w').write(str(mine_own.X))")
    commit(project, "x.py")
    path = {"PATH": f"{venv}/bin{os.pathsep}{project.environment()['PATH']}"}
    ran(project.run("python", "x.py", environ=path))
    return path


def test_an_editable_checkout_is_named(project: ProjectUnderTest, tmp_path: Path) -> None:
    path = own_package(project, tmp_path, "-e")
    result = project.roar("reproduce", "x.txt", "--into", str(target_of(project)), environ=path)
    assert result.exit_code == 3
    what = f"an editable checkout of {tmp_path / 'mine'}"
    assert f"mine-own 0.3 is on no index: {what}" in result.stdout


def test_a_package_that_no_index_has_is_named(project: ProjectUnderTest, tmp_path: Path) -> None:
    path = own_package(project, tmp_path)
    result = project.roar("reproduce", "x.txt", "--into", str(target_of(project)), environ=path)
    assert result.exit_code == 3
    assert f"mine-own 0.3 is on no index: installed from {tmp_path / 'mine'}" in result.stdout
    # Without that environment at hand the index itself says so.
    result = project.roar("reproduce", "x.txt", "--run", "-y", "--into", str(target_of(project)))
    assert result.exit_code == 3
    assert "mine-own==0.3 could not be installed" in result.stderr


def test_a_file_that_a_step_changes_in_place_begins_as_it_was(project: ProjectUnderTest) -> None:
    project.write("append.sh", "cat state > seen; echo more >> state\n")
    project.write("start.sh", "echo first > state\n")
    commit(project, "append.sh", "start.sh")
    ran(project.run("sh", "start.sh"))
    job = ran(project.run("sh", "append.sh"))
    assert job["inputs"][0]["hash_state"] == "before_change"
    document = again(project, "@2")
    assert labels(document) == ["@1", "@2"]
    assert set(verdicts(document).values()) == {"identical"}


def test_a_name_and_a_setting_do_not_get_in_the_way(project: ProjectUnderTest) -> None:
    """A name like an option, and a checkout that refuses to run dirty."""
    start(project)
    project.write("make.py", MAKE.replace("n *", "2 * n *"))
    words = ("run", "--name=-rf", "--", "python", "make.py", "3", "numbers.txt")
    assert project.roar(*words).exit_code == 0
    assert project.roar("config", "set", "git.dirty", "refuse").exit_code == 0
    document = again(project, "@1")
    assert verdicts(document) == {"numbers.txt": "identical"}
    assert document["steps"][0]["same_hash"]


def test_a_script_follows_commits_and_snapshots(project: ProjectUnderTest) -> None:
    start(project)
    project.write("make.py", f"from extra.more import FACTOR\n{MAKE}")
    project.write("extra/more.py", "FACTOR = 2\n")
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    project.write("make.py", MAKE)
    (project.root / "extra" / "more.py").unlink()
    project.write("total.py", TOTAL.replace("+ extra", "- extra"))
    commit(project, "total.py", "numbers.txt")
    ran(project.run("python", "total.py", "numbers.txt", "total.txt"))
    result = project.roar(
        "reproduce", "total.txt", "--script", "-", "--into", str(target_of(project))
    )
    assert result.exit_code == 0, result.stderr
    project.write("again.sh", result.stdout)
    done = project.shell("sh again.sh")
    assert done.exit_code == 0, done.stdout
    assert (target_of(project) / "total.txt").read_text() == project.read("total.txt")
    assert not (target_of(project) / "extra" / "more.py").exists()


def test_a_session_is_reproduced_step_by_step(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    ran(project.run("python", "make.py", "4", "others.txt"))
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    document = again(project, "session:current")
    assert labels(document) == ["@2", "@1.2"]
    assert set(verdicts(document).values()) == {"identical"}
    assert all(output["asked"] for step in document["steps"] for output in step["outputs"])


@pytest.mark.parametrize("name", ["-rf", "a\nb", "<script>", os.fsdecode(b"\xff"), "…"])
def test_odd_names_are_reproduced(project: ProjectUnderTest, name: str) -> None:
    project.write("in", "x")
    ran(project.run("cp", "in", f"./{name}"))
    document = again(project, "@1")
    assert list(verdicts(document).values()) == ["identical"]
    assert (target_of(project) / name).read_text() == "x"
