"""`roar reproduce` with real repositories, real environments and real runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from reproducing import MAKE, again, commit, git, ran, start, target_of, tree, verdicts

from roar_core.testing.projects import ProjectUnderTest


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


@pytest.mark.parametrize("name", ["-rf", "a\nb", "<script>", os.fsdecode(b"\xff"), "…"])
def test_odd_names_are_reproduced(project: ProjectUnderTest, name: str) -> None:
    project.write("in", "x")
    ran(project.run("cp", "in", f"./{name}"))
    document = again(project, "@1")
    assert list(verdicts(document).values()) == ["identical"]
    assert (target_of(project) / name).read_text() == "x"
