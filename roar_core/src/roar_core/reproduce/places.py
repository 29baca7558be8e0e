"""Recorded paths and command lines as they are in the target: never outside it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from roar_core.identity import relative_to_project

# What another machine's record may not decide: which programs and libraries run, who roar is.
_NOT_TAKEN_OVER = re.compile(
    r"PATH|HOME|LD_.*|VIRTUAL_ENV|CONDA_.*|PYTHONHOME|PYTHONSTARTUP|BASH_ENV|ENV|IFS|GIT_.*|ROAR_.*"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PYTHON = re.compile(r"(python|pypy|graalpy)[\d.]*t?(-dbg|d)?")
_BEFORE, _AFTER = r"""(?<![^\s=:,;"'({\[])""", r"""(?=$|[/\s:,;"')}\]])"""


class Rewritten(NamedTuple):
    """A command line for the target, and what was changed, in sentences."""

    command: tuple[str, ...]
    changes: tuple[str, ...]


def inside(path: str, project: str) -> str | None:
    """`path` told from the project, or None when it is outside or would lead there."""
    relative = relative_to_project(path, project)
    if relative is None or not is_safe(relative):
        return None
    return relative


def is_safe(relative: str) -> bool:
    """Whether a relative path stays below its root, and out of git's and roar's own directories."""
    if relative == ".":
        return True
    parts = relative.split("/")
    return (
        "\0" not in relative
        and not any(part in ("", ".", "..") for part in parts)
        and not any(part.lower() in (".git", ".roar") for part in parts)
    )


def leads_outside(root: str, relative: str) -> bool:
    """Whether a symbolic link on the way to `root`/`relative` leads out of `root`."""
    real = os.path.realpath(root)
    found = os.path.realpath(f"{root}/{relative}")
    return found != real and not found.startswith(f"{real}/")


def rewrite_command(
    command: tuple[str, ...], old_root: str, new_root: str, *, has_environment: bool
) -> Rewritten:
    """The command with the project's old root replaced and its Python looked up on PATH."""
    changes: list[str] = []
    words = [move_root(word, old_root, new_root) for word in command]
    if tuple(words) != command:
        changes.append(f"{old_root} is {new_root} there")
    program = command[0] if command else ""
    name = program.rpartition("/")[2]
    if has_environment and "/" in program and (_PYTHON.fullmatch(name) or _is_script_of(program)):
        words[0] = "python" if _PYTHON.fullmatch(name) else name
        changes.append(f"{program} is {words[0]} of the environment")
    return Rewritten(tuple(words), tuple(changes))


def move_root(text: str, old_root: str, new_root: str) -> str:
    """`text` with every whole occurrence of a directory's name replaced by another."""
    if old_root == new_root or old_root not in text:
        return text
    return re.sub(_BEFORE + re.escape(old_root) + _AFTER, lambda _: new_root, text)


def variables_for(
    recorded: Mapping[str, str], old_root: str, new_root: str
) -> tuple[dict[str, str], list[str]]:
    """The recorded variables that a step gets, and the names of those it does not get."""
    taken: dict[str, str] = {}
    left: list[str] = []
    for name, value in sorted(recorded.items()):
        is_odd = not _VARIABLE.fullmatch(name) or "\0" in value
        if is_odd or _NOT_TAKEN_OVER.fullmatch(name):
            left.append(name)
        else:
            taken[name] = move_root(value, old_root, new_root)
    return taken, left


def _is_script_of(program: str) -> bool:
    """Whether a program lies in the `bin` of a virtual environment: PEP 405."""
    folder = os.path.dirname(program)  # noqa: PTH120 - text that may hold any bytes
    return os.path.exists(f"{os.path.dirname(folder)}/pyvenv.cfg")  # noqa: PTH110, PTH120
