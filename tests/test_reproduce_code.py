"""`roar reproduce` runs each step with the code it ran with: commits, snapshots, scripts."""

from __future__ import annotations

import os

from reproducing import MAKE, TOTAL, again, commit, git, ran, start, target_of, verdicts

from roar_core.testing.projects import ProjectUnderTest


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
