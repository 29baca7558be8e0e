"""A job tells which files of its commit it read as code: they are no inputs."""

from __future__ import annotations

import pytest
from blake3 import blake3

from roar_core.testing.projects import ProjectUnderTest

TRAIN = "import steps\nopen('out.txt', 'w').write(steps.WORD)\n"
STEPS = "WORD = 'hello'\n"


@pytest.fixture
def checkout(project: ProjectUnderTest) -> ProjectUnderTest:
    """A git repository with two committed modules and one that no job reads."""
    project.write("train.py", TRAIN)
    project.write("steps.py", STEPS)
    project.write("other.py", "")
    commit(project, "first")
    return project


def commit(project: ProjectUnderTest, message: str) -> None:
    name = "-c user.name=t -c user.email=t@example.org -c commit.gpgsign=false"
    done = project.shell(f"git init -q; git add -A; git {name} commit -q -m {message}")
    assert done.exit_code == 0, done.stdout


def digest(text: str) -> str:
    return f"blake3:{blake3(text.encode()).hexdigest()}"


def test_sources_are_told_apart_from_inputs(checkout: ProjectUnderTest) -> None:
    job = checkout.run("python", "train.py").job
    assert job is not None
    assert job["inputs"] == []
    assert job["sources"] == [
        {"path": "steps.py", "hash": digest(STEPS)},
        {"path": "train.py", "hash": digest(TRAIN)},
    ]


def test_a_changed_source_is_told_as_it_was_read(checkout: ProjectUnderTest) -> None:
    checkout.write("steps.py", "WORD = 'changed'\n")
    job = checkout.run("python", "train.py").job
    assert job is not None
    assert job["git"]["snapshot"] is not None
    assert {"path": "steps.py", "hash": digest("WORD = 'changed'\n")} in job["sources"]


def test_a_source_that_the_job_rewrites_is_told_as_it_was_read(checkout: ProjectUnderTest) -> None:
    job = checkout.run("sh", "-c", "python train.py; sleep 0.1; echo '#' >> train.py").job
    assert job is not None
    assert {"path": "train.py", "hash": digest(TRAIN)} in job["sources"]


def test_without_git_scripts_are_inputs_and_sources_none(project: ProjectUnderTest) -> None:
    project.write("train.py", "print('x')\n")
    job = project.run("python", "train.py").job
    assert job is not None
    assert [edge["relative"] for edge in job["inputs"]] == ["train.py"]
    assert job["sources"] == []
