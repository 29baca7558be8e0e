"""A workflow's specification: plain YAML, as the server renders it, read with every mistrust.

OSMO itself reads it with PyYAML's safe loader, so the same text means the same here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]

from roar_core.errors import RoarError

# A rendered workflow has kilobytes. Aliases can make a few lines stand for billions.
_TEXT_MAX = 1 << 20
_VALUES_MAX = 200_000
_DEPTH_MAX = 100
# Python writes no number of more than some thousand digits.
_BITS_MAX = 4096

# What a specification may begin with; osmo may print other lines before it.
_FIRST_KEYS = ("workflow:", "version:", '"workflow":', "'workflow':")


class SpecificationError(RoarError):
    """A text is no specification of a workflow."""


class Task(NamedTuple):
    """A task as the specification has it. `fields` is its own mapping there, to be changed."""

    name: str
    group: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    fields: dict[str, Any]

    @property
    def upstream(self) -> tuple[str, ...]:
        """The tasks whose output it gets, as it names them: `task`, or `workflow:task`."""
        return tuple(str(each["task"]) for each in self.inputs if "task" in each)


class Workflow(NamedTuple):
    """A specification; no part of it is shared with another part."""

    name: str
    document: dict[str, Any]
    tasks: tuple[Task, ...]

    def text(self) -> str:
        """The specification as YAML, in the order in which it was written."""
        text = yaml.dump(
            self.document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000
        )
        return str(text)


def specification_in(printed: str, source: str) -> Workflow:
    """The specification that `osmo` printed, after whatever it had to say before."""
    lines = printed.splitlines(keepends=True)
    for at, line in enumerate(lines):
        if line.startswith(_FIRST_KEYS):
            return read_workflow("".join(lines[at:]), source)
    raise SpecificationError(f"{source} has no line 'workflow:'; is it a workflow of OSMO?")


def read_workflow(text: str, source: str) -> Workflow:
    """Read a specification; `source` is what messages call it.

    Raises SpecificationError, one sentence, for everything that OSMO could not run.
    """
    document = _mapping(_loaded(text, source), source)
    workflow = _mapping(_at(document, "workflow", source), f"{source}: workflow")
    name = _string(_at(workflow, "name", f"{source}: workflow"), f"{source}: workflow.name")
    tasks = tuple(_tasks(workflow, source))
    seen: set[str] = set()
    for task in tasks:
        if task.name in seen:
            raise SpecificationError(f"{source} has two tasks {task.name!r}; rename one")
        seen.add(task.name)
    return Workflow(name, document, tasks)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """PyYAML's safe dumper, which writes texts of several lines as people do."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's safe loader, which `<<` cannot make copy without end."""

    merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        self.merged += len(node.value)
        if self.merged > _VALUES_MAX:
            raise ValueError(f"its merged keys stand for more than {_VALUES_MAX} values")


def _loaded(text: str, source: str) -> Any:
    if len(text) > _TEXT_MAX:
        raise SpecificationError(f"{source} has more than {_TEXT_MAX >> 20} MiB; split it")
    try:
        loaded = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
        _count(loaded, source, 0, 0)
        # Aliases become copies: one task is changed without another.
        return _separate(loaded)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark is not None else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise SpecificationError(f"{source} is no YAML{place}: {problem}; correct it") from error
    except (RecursionError, ValueError) as error:
        words = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise SpecificationError(f"{source} is no YAML: {words}; correct it") from error


def _count(value: Any, source: str, depth: int, count: int) -> int:
    """How many values there are when aliases are written out, with `count` before these."""
    count += 1
    if count > _VALUES_MAX or depth > _DEPTH_MAX:
        raise SpecificationError(
            f"{source} stands for more than {_VALUES_MAX} values or has more than {_DEPTH_MAX}"
            " levels; write it without aliases"
        )
    if isinstance(value, int) and value.bit_length() > _BITS_MAX:
        raise SpecificationError(f"{source} has a number of more than {_BITS_MAX} bits; quote it")
    if isinstance(value, dict):
        for key, each in value.items():
            count = _count(each, source, depth + 1, _count(key, source, depth + 1, count))
    elif isinstance(value, list | tuple | set):
        for each in value:
            count = _count(each, source, depth + 1, count)
    return count


def _separate(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _separate(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_separate(each) for each in value]
    return copy.copy(value)


def _tasks(workflow: dict[str, Any], source: str) -> Iterator[Task]:
    place = f"{source}: workflow"
    tasks, groups = workflow.get("tasks"), workflow.get("groups")
    if tasks and groups:
        raise SpecificationError(f"{place} has both tasks and groups; keep one of them")
    if not tasks and not groups:
        raise SpecificationError(f"{place} has neither tasks nor groups; give it one of them")
    for at, fields in enumerate(_list(tasks or [], f"{place}.tasks")):
        yield _task(fields, "", f"{place}.tasks[{at}]")
    for at, group in enumerate(_list(groups or [], f"{place}.groups")):
        place_of_group = f"{place}.groups[{at}]"
        group = _mapping(group, place_of_group)
        name = _string(_at(group, "name", place_of_group), f"{place_of_group}.name")
        for nth, fields in enumerate(_list(_at(group, "tasks", place_of_group), place_of_group)):
            yield _task(fields, name, f"{place_of_group}.tasks[{nth}]")


def _task(found: Any, group: str, place: str) -> Task:
    fields = _mapping(found, place)
    name = _string(_at(fields, "name", place), f"{place}.name")
    command = _words(_at(fields, "command", place), f"{place}.command")
    if not command:
        raise SpecificationError(f"{place}.command is empty; name a program")
    return Task(
        name=name,
        group=group,
        command=command,
        arguments=_words(fields.get("args") or [], f"{place}.args"),
        inputs=_mappings(fields, "inputs", place),
        outputs=_mappings(fields, "outputs", place),
        fields=fields,
    )


def _mappings(fields: dict[str, Any], key: str, place: str) -> tuple[dict[str, Any], ...]:
    found = _list(fields.get(key) or [], f"{place}.{key}")
    return tuple(_mapping(each, f"{place}.{key}[{at}]") for at, each in enumerate(found))


def _words(found: Any, place: str) -> tuple[str, ...]:
    """Words of a command; OSMO takes a number for the text of it."""
    words = _list(found, place)
    for at, word in enumerate(words):
        if isinstance(word, bool) or not isinstance(word, str | int | float):
            raise SpecificationError(f"{place}[{at}] is {_kind(word)}, expected a string; quote it")
    return tuple(str(word) for word in words)


def _at(fields: dict[str, Any], key: str, place: str) -> Any:
    if fields.get(key) is None:
        raise SpecificationError(f"{place} has no {key!r}; add it")
    return fields[key]


def _mapping(found: Any, place: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise SpecificationError(f"{place} is {_kind(found)}, expected a mapping; correct it")
    return found


def _list(found: Any, place: str) -> list[Any]:
    if not isinstance(found, list):
        raise SpecificationError(f"{place} is {_kind(found)}, expected a list; correct it")
    return found


def _string(found: Any, place: str) -> str:
    if not isinstance(found, str) or not found:
        raise SpecificationError(f"{place} is {_kind(found)}, expected a string; quote it")
    return found


def _kind(found: Any) -> str:
    """What a value is, in YAML's words."""
    kinds = {dict: "a mapping", list: "a list", str: "a string", bool: "a boolean"}
    return "nothing" if found is None else kinds.get(type(found), f"a {type(found).__name__}")
