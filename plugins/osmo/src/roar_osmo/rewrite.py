"""Tasks put under a launcher, and a way back for what they did.

A task keeps all that it had: its command and arguments become the launcher's last words, and the
launcher becomes them. What starts the launcher is what the task itself names, so that no image
must have anything that it had not to have before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from roar_core.errors import RoarError
from roar_osmo.settings import Settings
from roar_osmo.workflow import SpecificationError, Task, Workflow

# Where the launcher lies in a container; OSMO refuses files below /osmo.
PLACE = "/roar-osmo"
FRAGMENTS = "roar-fragments"
# Only as a file: variables are shown by much, to programs and to people.
SESSION = f"{PLACE}/session"
_OUTPUT_REGEX = f".*{FRAGMENTS}/.*"
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_PYTHON = re.compile(r"python(?:[23](?:\.\d+)?)?")
# Kubernetes keeps a task's files as secrets, each of at most a mebibyte.
_FILE_MAX = 1 << 20


class Treatment(NamedTuple):
    """What becomes of one task. `returned_by` is empty when it gets no launcher, for `reason`."""

    task: str
    returned_by: str = ""
    url: str = ""
    reason: str = ""


class Rewritten(NamedTuple):
    """A specification to submit in another's place."""

    text: str
    treatments: tuple[Treatment, ...]


def rewritten(workflow: Workflow, settings: Settings, folder: Path, session: str = "") -> Rewritten:
    """Put a workflow's tasks under the launcher; changes `workflow` itself.

    `folder` is the one that the specification's `localpath`s are told from, `session` the text of a
    fragment session of a registry, if there is one. Raises RoarError when the specification has
    something that cannot be submitted from elsewhere.
    """
    settings.checked()
    treatments = treatments_of(workflow, settings, by_registry=bool(session))
    for task, treatment in zip(workflow.tasks, treatments, strict=True):
        _take_in_local_files(task, folder)
        if treatment.returned_by:
            _wrap(task, treatment, settings, session)
    return Rewritten(workflow.text(), treatments)


def treatments_of(
    workflow: Workflow, settings: Settings, *, by_registry: bool = False
) -> tuple[Treatment, ...]:
    """What is to become of each task, in the workflow's order."""
    if by_registry and settings.returned_by == "auto":
        settings = settings._replace(returned_by="registry")
    read_by_others = {name for task in workflow.tasks for name in task.upstream}
    return tuple(
        Treatment(task.name, reason=reason)
        if (reason := _reason_against(task, settings))
        else _way_back(task, settings, task.name in read_by_others)
        for task in workflow.tasks
    )


def treatments_in(workflow: Workflow) -> tuple[Treatment, ...]:
    """What has become of each task of a workflow that was submitted, read from its commands."""
    return tuple(_treatment_in(task) for task in workflow.tasks)


def command_of(task: Task) -> tuple[str, ...]:
    """A task's own command, without the launcher."""
    words = (*task.command, *task.arguments)
    return words[words.index("--") + 1 :] if _is_wrapped(task) else words


def session_in(workflow: Workflow) -> str:
    """The text of the fragment session that a submitted workflow's tasks have, empty for none."""
    files_of_ours = (each for task in workflow.tasks if _is_wrapped(task) for each in _files(task))
    found = (each.get("contents") for each in files_of_ours if each.get("path") == SESSION)
    return next((text for text in found if isinstance(text, str)), "")


def is_way_back(output: Mapping[str, Any]) -> bool:
    """Whether an entry of a task's outputs is the one by which what it did comes back."""
    return output.get("regex") == _OUTPUT_REGEX


def carried() -> Mapping[str, str]:
    """The launcher's files: path in the container -> contents."""
    folder = files("roar_osmo") / "carried"
    return {
        f"{PLACE}/{name}": (folder / name).read_text(encoding="utf-8")
        for name in ("launch.py", "launch.sh", "observe.py")
    }


def _reason_against(task: Task, settings: Settings) -> str:
    if settings.wrap == "none":
        return "osmo.wrap is none"
    if _starter(task, settings) is None:
        return f"its command {task.command[0]!r} says of no shell and no Python that it is there"
    if any(str(each.get("path", "")).startswith(PLACE) for each in _files(task)):
        return f"it has files of its own in {PLACE}"
    return ""


def _way_back(task: Task, settings: Settings, is_read_by_others: bool) -> Treatment:
    """Storage only where nobody else gets to see what lies in the task's output folder."""
    by = settings.returned_by
    if by == "auto":
        is_alone = not task.outputs and not is_read_by_others
        by = "output" if settings.bucket and is_alone else "logs"
    if by != "output":
        return Treatment(task.name, by)
    return Treatment(task.name, by, f"{settings.bucket}/roar/{{{{workflow_id}}}}/{task.name}/")


def _starter(task: Task, settings: Settings) -> tuple[str, str] | None:
    """What runs which launcher; None when nothing is known to be in the task's image."""
    program = PurePosixPath(task.command[0]).name
    if program in _SHELLS:
        return task.command[0], "launch.sh"
    if _PYTHON.fullmatch(program):
        return task.command[0], "launch.py"
    if program.endswith(".sh") or settings.wrap == "all":
        return "/bin/sh", "launch.sh"
    return None


def _wrap(task: Task, treatment: Treatment, settings: Settings, session: str) -> None:
    starter = _starter(task, settings)
    assert starter is not None
    program, launcher = starter
    options = ["--workflow", "{{workflow_id}}", "--task", task.name]
    options += ["--return", treatment.returned_by, "--output", "{{output}}"]
    for at in range(len(task.inputs)):
        options += ["--input", f"{{{{input:{at}}}}}"]
    fields = task.fields
    # As they were written: it is not for us to make a string of what OSMO refuses.
    own = [*fields["command"], *(fields.get("args") or [])]
    fields["command"] = [program, f"{PLACE}/{launcher}"]
    fields["args"] = [settings.python, *options, "--", *own]
    needed = {f"{PLACE}/{launcher}", f"{PLACE}/observe.py"}
    added = [{"path": p, "contents": text} for p, text in carried().items() if p in needed]
    if treatment.returned_by == "registry":
        added.append({"path": SESSION, "contents": session})
    fields["files"] = [*_files(task), *added]
    if treatment.url:
        output = {"url": treatment.url, "regex": _OUTPUT_REGEX}
        fields["outputs"] = [*task.outputs, output]


def _treatment_in(task: Task) -> Treatment:
    if not _is_wrapped(task):
        return Treatment(task.name, reason="it was submitted without roar's launcher")
    by = task.arguments[task.arguments.index("--return") + 1]
    urls = [str(each["url"]) for each in task.outputs if is_way_back(each) and "url" in each]
    urls = [url for url in urls if re.match(r"\w+://", url)]  # no option of osmo's
    return Treatment(task.name, by, urls[0] if urls else "")


def _is_wrapped(task: Task) -> bool:
    words = task.arguments
    is_ours = len(task.command) == 2 and task.command[1].startswith(f"{PLACE}/launch.")
    return is_ours and "--" in words and "--return" in words[: words.index("--")]


def _take_in_local_files(task: Task, folder: Path) -> None:
    """Put local files' contents where osmo would have put them, had it found them from `folder`."""
    for place, entry in _local(task):
        if place != "files":
            raise SpecificationError(
                f"task {task.name!r} has a localpath in its {place}, which cannot be rewritten"
            )
        if "contents" in entry:
            continue  # osmo refuses that, in its own words
        path = folder / str(entry["localpath"])
        try:
            path = folder / Path(str(entry["localpath"])).expanduser()
            if path.stat().st_size > _FILE_MAX:
                raise RoarError(f"{str(path)!r} is larger than a file of a task may be")
            entry["contents"] = path.read_text(encoding="utf-8")
        except (OSError, ValueError, RuntimeError) as error:  # ~nobody has no home
            raise RoarError(f"cannot read {str(path)!r}: {error}") from error
        del entry["localpath"]


def _local(task: Task) -> Iterator[tuple[str, dict[str, Any]]]:
    for place in ("files", "inputs", "outputs"):
        for entry in task.fields.get(place) or []:
            if not isinstance(entry, dict):
                continue
            nested = [each for each in entry.values() if isinstance(each, dict)]
            for each in (entry, *nested):
                if "localpath" in each:
                    yield place, each


def _files(task: Task) -> list[dict[str, Any]]:
    found = task.fields.get("files") or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise SpecificationError(f"task {task.name!r}: files is no list of mappings; correct it")
    return found
