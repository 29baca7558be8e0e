"""`roar pop` undoes the newest job of the session, that one alone, and deletes only what is its."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from roar_core.testing.projects import ProjectUnderTest


def popped(project: ProjectUnderTest, *options: str) -> Any:
    done = project.roar("pop", "-y", "--json", *options)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def names(document: Any, side: str) -> set[str]:
    return {entry["relative"] for entry in document[side]}


def test_the_job_started_last_is_undone_not_the_highest_step(project: ProjectUnderTest) -> None:
    project.run("sh", "-c", "echo 1 > a")
    project.run("sh", "-c", "cat a > b")
    project.run("sh", "-c", "cat b > c")
    project.roar("run", "@1")  # what the stock client would answer with step 3
    assert popped(project)["step"] == "@1"
    assert project.json("show", "@1")["attempt"] == 1
    assert popped(project)["step"] == "@3"
    assert popped(project)["step"] == "@2"
    assert popped(project)["step"] == "@1"
    done = project.roar("pop", "-y")
    assert done.exit_code == 1
    assert "no job to undo" in done.stderr


def test_a_session_before_is_left_alone(project: ProjectUnderTest) -> None:
    project.run("true")
    project.roar("reset")
    done = project.roar("pop", "-y")
    assert done.exit_code == 1
    assert project.json("log", "--session", "1")["total"] == 1


def test_nothing_is_done_unasked(project: ProjectUnderTest) -> None:
    project.run("sh", "-c", "echo 1 > a")
    done = project.roar("pop", "--outputs")
    assert done.exit_code == 1
    assert "-y" in done.stderr
    assert project.shell("echo n | roar pop --outputs").exit_code == 1
    assert project.json("log")["total"] == 1
    assert project.shell("echo y | roar pop").exit_code == 0
    assert project.json("log")["total"] == 0
    assert project.read("a") == "1\n"


def test_outputs_are_kept_and_named_unless_asked_for(project: ProjectUnderTest) -> None:
    project.run("sh", "-c", "echo 1 > a; echo 2 > b; rm -f gone; echo 3 > gone")
    (project.root / "gone").unlink()
    document = popped(project)
    assert document["removed"] == []
    assert names(document, "kept") == {"a", "b"}
    assert project.read("a") == "1\n"


def test_only_what_is_exactly_as_written_is_deleted(project: ProjectUnderTest) -> None:
    project.run(
        "sh", "-c", "echo 1 > mine; echo 2 > changed; echo 3 > linked; mkdir d; echo 4 > d/e"
    )
    project.write("changed", "two")
    (project.root / "linked").unlink()
    project.write("elsewhere", "3\n")
    (project.root / "linked").symlink_to("elsewhere")
    (project.root / "d").rename(project.root / "f")
    (project.root / "d").symlink_to("f")
    document = popped(project, "--outputs")
    assert names(document, "removed") == {"mine"}
    assert names(document, "kept") == {"changed", "linked", "d/e"}
    assert not (project.root / "mine").exists()
    assert project.read("elsewhere") == "3\n"
    assert project.read("f/e") == "4\n"


def test_same_size_and_time_do_not_make_it_the_same_file(project: ProjectUnderTest) -> None:
    project.run("sh", "-c", "echo 1 > a")
    path = project.root / "a"
    stat = path.stat()
    path.write_text("2\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert names(popped(project, "--outputs"), "kept") == {"a"}
    assert project.read("a") == "2\n"


def test_what_another_job_wrote_so_too_stays(project: ProjectUnderTest) -> None:
    project.run("sh", "-c", "echo 1 > a; date +%N > b")
    project.roar("run", "@1")
    document = popped(project, "--outputs")
    assert names(document, "removed") == {"b"}
    assert names(document, "kept") == {"a"}


def test_what_git_tracks_stays(project: ProjectUnderTest) -> None:
    project.write("tracked", "0")
    project.shell("git init -q . && git add tracked")
    project.run("sh", "-c", "echo 1 > tracked; echo 2 > new")
    document = popped(project, "--outputs")
    assert names(document, "removed") == {"new"}
    assert document["kept"][0]["reason"] == "git tracks it"


def test_of_a_dataset_each_member_is_judged(project: ProjectUnderTest) -> None:
    project.write("table/0.parquet", "0")
    made = project.run(
        "sh", "-c", "mkdir table/x; for i in 1 2 3; do echo $i > table/x/$i.parquet; done"
    )
    assert made.job is not None
    project.write("table/x/2.parquet", "mine")
    document = popped(project, "--outputs")
    assert names(document, "removed") == {"table/x/1.parquet", "table/x/3.parquet"}
    assert names(document, "kept") == {"table/x/2.parquet"}
    assert project.read("table/0.parquet") == "0"


def test_folders_of_a_dataset_that_became_empty_go_too(project: ProjectUnderTest) -> None:
    made = project.run(
        "sh", "-c", "mkdir -p table/x; for i in 1 2; do echo $i > table/x/$i.parquet; done"
    )
    assert made.job is not None
    assert [edge["kind"] for edge in made.job["outputs"]] == ["composite"]
    popped(project, "--outputs")
    assert not (project.root / "table/x").exists()


def test_readers_of_an_undone_job_find_who_else_made_their_bytes(
    project: ProjectUnderTest,
) -> None:
    project.run("sh", "-c", "echo 1 > a")
    project.run("sh", "-c", "cp a b")
    project.roar("run", "@1")
    popped(project)
    reader = project.json("show", "@2")
    assert reader["inputs"][0]["producer"] == project.json("show", "@1")["uid"]


@pytest.mark.parametrize("name", [os.fsdecode(b"bad\xff\n"), "\x1b[31mred", "<script>"])
def test_hostile_names_steer_nothing(project: ProjectUnderTest, name: str) -> None:
    project.run("sh", "-c", 'echo 1 > "$1"', "sh", name)
    done = project.roar("pop", "-y", "--outputs")
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert not (project.root / name).exists()
