"""Which steps `roar reproduce` runs, in which order, and with what around them."""

from __future__ import annotations

from reproducing import again, commit, labels, ran, start, target_of, verdicts

from roar_core.testing.projects import ProjectUnderTest


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


def test_a_session_is_reproduced_step_by_step(project: ProjectUnderTest) -> None:
    start(project)
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    ran(project.run("python", "make.py", "4", "others.txt"))
    ran(project.run("python", "make.py", "3", "numbers.txt"))
    document = again(project, "session:current")
    assert labels(document) == ["@2", "@1.2"]
    assert set(verdicts(document).values()) == {"identical"}
    assert all(output["asked"] for step in document["steps"] for output in step["outputs"])
