"""The workflow file is YAML that a real YAML library reads, whatever names are in it."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
import yaml

from roar_core.export.workflow import _json
from roar_core.testing.projects import ProjectUnderTest


def generated(project: ProjectUnderTest, *arguments: str) -> Any:
    result = project.roar("workflow", "generate", *arguments)
    assert result.exit_code == 0, result.stderr
    return yaml.safe_load(result.stdout)


def test_steps_have_commands_places_needs_and_data(project: ProjectUnderTest) -> None:
    project.write("in.txt", "1")
    (project.root / "sub").mkdir()
    project.roar("build", "--", "sh", "-c", "echo tool > tool.txt")
    project.roar("run", "--", "sh", "-c", "cat in.txt tool.txt > a.txt")
    command = f"cd sub && {' '.join(project.roar_argv)} run -n 'the end' -- cp ../a.txt b.txt"
    project.shell(command)
    workflow = generated(project)
    assert list(workflow["steps"]) == ["build-1", "step-1", "step-2"]
    first, last = workflow["steps"]["step-1"], workflow["steps"]["step-2"]
    assert first["command"] == ["sh", "-c", "cat in.txt tool.txt > a.txt"]
    assert (first["cwd"], first["needs"]) == (".", ["build-1"])
    assert set(first["inputs"]) == {"in.txt", "tool.txt"}
    assert (last["name"], last["cwd"], last["needs"]) == ("the end", "sub", ["step-1"])
    assert last["inputs"]["a.txt"] == last["outputs"]["sub/b.txt"] == first["outputs"]["a.txt"]


def test_variables_that_the_configuration_names_are_told_and_secrets_are_not(
    project: ProjectUnderTest,
) -> None:
    project.write("roar.toml", '[environment]\nvariables = ["MODE", "MY_TOKEN"]\n')
    project.environ |= {"MODE": "yes", "MY_TOKEN": "s3cret"}
    project.run("true", "--password", "s3cret")
    step = generated(project)["steps"]["step-1"]
    assert step["environment"] == {"MODE": "yes", "MY_TOKEN": "***"}  # and no boolean
    assert step["command"] == ["true", "--password", "***"]
    assert "s3cret" not in str(step)
    assert step["masked"] == ["--password", "MY_TOKEN"]


def test_of_several_attempts_the_newest_that_succeeded_counts(project: ProjectUnderTest) -> None:
    project.write("in.txt", "1")
    for content in ("1", "2"):
        project.write("in.txt", content)
        project.roar("run", "--", "cp", "in.txt", "a.txt")
    (project.root / "in.txt").unlink()
    project.roar("run", "--", "cp", "in.txt", "a.txt")
    project.roar("run", "--", "cp", "a.txt", "b.txt")
    steps = generated(project)["steps"]
    assert list(steps) == ["step-1", "step-2"]
    assert "state" not in steps["step-1"]
    assert steps["step-1"]["outputs"] == {"a.txt": steps["step-2"]["inputs"]["a.txt"]}
    assert steps["step-2"]["needs"] == ["step-1"]


def test_steps_of_another_session_are_called_by_it(project: ProjectUnderTest) -> None:
    project.write("in.txt", "1")
    project.roar("run", "--", "cp", "in.txt", "a.txt")
    project.roar("reset")
    project.roar("run", "--", "cp", "a.txt", "b.txt")
    steps = generated(project)["steps"]
    assert list(steps) == ["step-1-of-1", "step-1"]
    assert steps["step-1"]["needs"] == ["step-1-of-1"]


def test_hostile_names_stay_names(project: ProjectUnderTest) -> None:
    odd = os.fsdecode(b"a\n- b: {c}\xff #\"'\x1b")
    project.write(odd, "1")
    project.roar("run", "-n", "yes: no\n# \U0001f600", "--", "cp", odd, "x" * 200)
    step = generated(project)["steps"]["step-1"]
    assert step["name"] == "yes: no\n# \U0001f600"
    assert step["command"] == ["cp", odd.replace("\udcff", "\ufffd"), "x" * 200]
    assert list(step["inputs"]) == [odd.replace("\udcff", "\ufffd")]


@pytest.mark.parametrize(
    "text", ["yes", "", "1.5", "\u2028", "\x85", "\U0001f600", "\ufeff", "\x7f", "~", "!x", "\t"]
)
def test_every_text_is_read_back_as_it_is(text: str) -> None:
    assert yaml.safe_load(_json(text)) == text
    assert yaml.safe_load(f"? {_json(text * 2000)}\n: {_json([text])}") == {text * 2000: [text]}


def test_a_session_without_steps_is_one_sentence(project: ProjectUnderTest) -> None:
    project.roar("init")
    result = project.roar("workflow", "generate")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr


def test_the_file_is_written_where_it_should_be(project: ProjectUnderTest) -> None:
    project.run("true")
    assert project.roar("workflow", "generate", "-o", "flow.yaml").exit_code == 0
    assert yaml.safe_load(project.read("flow.yaml"))["version"] == 1
    done = subprocess.run(
        ["stat", "-c", "%a", project.root / "flow.yaml"], capture_output=True, check=True
    )
    assert done.stdout.strip() == b"644"
