"""Specifications are rewritten to what is written down here, and hostile ones are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from roar_core.errors import ConfigError, RoarError
from roar_osmo.rewrite import carried, command_of, rewritten, treatments_in, treatments_of
from roar_osmo.settings import Settings
from roar_osmo.workflow import SpecificationError, Workflow, read_workflow

GOLDEN = Path(__file__).with_name("golden")
NAMES = ("serial", "groups", "token", "cluster")
BUCKET = Settings(bucket="s3://lineage/team")


def read(name: str) -> Workflow:
    return read_workflow((GOLDEN / f"{name}.yaml").read_text(), f"{name}.yaml")


def with_names_for_files(text: str) -> str:
    """The same, with the launcher's files told by their names."""
    document = yaml.safe_load(text)
    workflow = document["workflow"]
    tasks = [
        *workflow.get("tasks", []),
        *(t for g in workflow.get("groups", []) for t in g["tasks"]),
    ]
    for task in tasks:
        for entry in task.get("files", []):
            if entry["path"] in carried():
                assert entry["contents"] == carried()[entry["path"]]
                entry["contents"] = "…"
    return read_workflow(yaml.safe_dump(document, sort_keys=False), "it").text()


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_becomes_what_is_written_down(name: str, tmp_path: Path) -> None:
    found = with_names_for_files(rewritten(read(name), BUCKET, tmp_path).text)
    assert found == (GOLDEN / f"{name}.rewritten.yaml").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_rewritten_workflow_tells_what_its_tasks_were(name: str, tmp_path: Path) -> None:
    before = {task.name: (*task.command, *task.arguments) for task in read(name).tasks}
    wanted = treatments_of(read(name), BUCKET)
    again = read_workflow(rewritten(read(name), BUCKET, tmp_path).text, "it")
    assert {task.name: command_of(task) for task in again.tasks} == before
    assert [t._replace(reason="") for t in treatments_in(again)] == [
        t._replace(reason="") for t in wanted
    ]
    # Nothing is put under the launcher twice.
    assert all(each.name in before for each in again.tasks)


def test_what_is_carried_is_small_and_no_template() -> None:
    text = "".join(carried().values())
    assert not re.search(r"\{[{%#]|[%#}]\}", text), "a server would render it"
    assert len(text) < 16 << 10
    assert text.isascii(), "any log and any shell can show it"


def test_only_a_task_whose_words_name_a_shell_or_python_is_put_under_the_launcher() -> None:
    commands = {
        "a": (["bash", "-c", "x"], "known"),
        "b": (["/usr/bin/python3.12", "x.py"], "known"),
        "c": (["/scripts/entry.sh"], "known"),
        "d": (["torchrun", "x.py"], "all"),
        "e": (["/app/server"], "all"),
    }
    tasks = "".join(
        f"  - {{name: {name}, image: i, command: {command}}}\n"
        for name, (command, _) in commands.items()
    )
    workflow = read_workflow(f"workflow:\n  name: w\n  tasks:\n{tasks}", "w.yaml")
    for wrap, expected in (("none", set()), ("known", {"a", "b", "c"}), ("all", set(commands))):
        found = treatments_of(workflow, Settings(wrap=wrap))
        assert {each.task for each in found if each.returned_by} == expected


def test_a_setting_that_leads_nowhere_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="names no storage"):
        Settings(returned_by="output").checked()
    with pytest.raises(ConfigError, match="expected a URL"):
        Settings(bucket="lineage").checked()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{path: /x, localpath: absent}", "cannot read '.*/absent'"),
        ("{path: /x, localpath: binary}", "cannot read '.*/binary'"),
        ("{path: /x, localpath: .}", "cannot read"),
        ("{path: /x, localpath: ~nobody-at-all/x}", "cannot read '.*/~nobody-at-all/x'"),
    ],
)
def test_a_local_file_that_cannot_come_along_is_one_sentence(
    entry: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    text = f"workflow: {{name: w, tasks: [{{name: t, command: [sh], files: [{entry}]}}]}}"
    with pytest.raises(RoarError, match=words) as caught:
        rewritten(read_workflow(text, "w.yaml"), Settings(), tmp_path)
    assert "\n" not in str(caught.value)


TASK = "{name: t, image: i, command: [sh]}"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1, y: 2}\n" + "".join(
    f"{name}: &{name} {{<<: [{','.join([f'*{before}'] * 9)}], {name}: 1}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "": "is nothing, expected a mapping",
    "workflow": "is a string, expected a mapping",
    "[1, 2]": "is a list, expected a mapping",
    "workflow: {}": "has no 'name'; add it",
    "workflow: []": "workflow is a list",
    "workflow: {name: 3, tasks: [x]}": "workflow.name is a int",
    "workflow: {name: w}": "neither tasks nor groups",
    "workflow: {name: w, tasks: [], groups: []}": "neither tasks nor groups",
    f"workflow: {{name: w, tasks: [{TASK}], groups: [1]}}": "both tasks and groups",
    "workflow: {name: w, tasks: x}": "workflow.tasks is a string",
    "workflow: {name: w, tasks: [x]}": r"tasks\[0\] is a string",
    "workflow: {name: w, tasks: [{command: [sh]}]}": "has no 'name'",
    "workflow: {name: w, tasks: [{name: t}]}": "has no 'command'",
    "workflow: {name: w, tasks: [{name: t, command: sh}]}": "command is a string, expected a list",
    "workflow: {name: w, tasks: [{name: t, command: []}]}": "command is empty",
    "workflow: {name: w, tasks: [{name: t, command: [{a: b}]}]}": r"command\[0\] is a mapping",
    "workflow: {name: w, tasks: [{name: t, command: [yes]}]}": r"command\[0\] is a boolean",
    "workflow: {name: w, tasks: [{name: t, command: [sh], inputs: 3}]}": "inputs is a int",
    "workflow: {name: w, tasks: [{name: t, command: [sh], outputs: [x]}]}": r"outputs\[0\] is a",
    f"workflow: {{name: w, tasks: [{TASK}, {TASK}]}}": "two tasks 't'; rename one",
    "workflow: {name: w, groups: [{name: g}]}": "has no 'tasks'",
    "workflow: [": "is no YAML in line 1",
    "workflow: {name: *a}": "is no YAML in line 1: found undefined alias 'a'",
    "workflow: !!python/object/apply:os.system [id]": "could not determine a constructor",
    "workflow: !secret x": "could not determine a constructor",
    "? {a: b}\n: c": "found unhashable key",
    "workflow: 2026-99-99": "is no YAML: month must be",
    "workflow: &a [*a]": "stands for more than",
    "workflow: \x00": "special characters are not allowed",
    "[" * 3000: "nested too deep",
    f"workflow: {{name: w, x: 0x{'f' * 5000}}}": "has a number of more than 4096 bits",
    BOMB: "stands for more than 200000 values",
    # Later releases of PyYAML merge a mapping once.
    MERGES: "its merged keys stand for more than|has no 'workflow'",
    "x" * (2 << 20): "has more than 1 MiB",
}


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:40]))
def test_what_is_no_workflow_is_one_sentence(text: str) -> None:
    with pytest.raises(SpecificationError, match=HOSTILE[text]) as caught:
        read_workflow(text, "w.yaml")
    assert str(caught.value).startswith("w.yaml")
    assert "\n" not in str(caught.value)
