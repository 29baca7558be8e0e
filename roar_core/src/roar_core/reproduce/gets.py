"""A recorded `roar get` as it is carried out again: that, within its directory, and nothing else.

The record may be a stranger's, and its words are given to roar itself: they could ask for any other
command, or for a place that the plan does not show.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from roar_core.reproduce.places import is_safe

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")  # as `roar get` tells a source from a folder
_VALUED = ("--hash", "--limit", "-o")
_FLAGS = ("--fold-case", "--force")


class Words(NamedTuple):
    """The parts of a recorded get: options, `-o` among them, without `--force`, and what follows.

    `dest` is the folder or file that it writes to, None for names of the sources' own.
    """

    options: tuple[str, ...]
    operands: tuple[str, ...]
    dest: str | None
    is_forced: bool

    @property
    def command(self) -> tuple[str, ...]:
        """The whole command, of which nothing is replaced that is there."""
        return ("roar", "get", *self.options, "--", *self.operands)


def words_of(command: Sequence[str]) -> Words | None:
    """What a recorded command asks of `roar get`; None when it is none that roar records."""
    if len(command) < 3 or tuple(command[:2]) != ("roar", "get"):
        return None
    options: list[str] = []
    file, is_forced = None, False
    rest = list(command[2:])
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        if word in _FLAGS:
            is_forced = is_forced or word == "--force"
            options += [word] * (word != "--force")
        elif word in _VALUED and rest:
            options += [word, rest.pop(0)]
            file = options[-1] if word == "-o" else file
        else:
            return None
    operands = rest[1:] if rest[:1] == ["--"] else rest
    if not operands or (rest is operands and any(word.startswith("-") for word in operands)):
        return None
    has_dest = len(operands) > 1 and _URL.match(operands[-1]) is None
    dest = file if file is not None else operands[-1] if has_dest else None
    return Words(tuple(options), tuple(operands), dest, is_forced)


def problem_of_get(command: Sequence[str], cwd: str, root: str) -> str | None:
    """Why a recorded get would not only fetch into `root`; `cwd` is told from there."""
    words = words_of(command)
    if words is None:
        return "its recorded command is no roar get as roar records it"
    if words.dest is None:
        return None
    inside = place_in(root, cwd, words.dest)
    if inside is None:
        return f"it would write to {words.dest!r}, outside of the target"
    if not is_safe(inside):
        return f"it would write to {words.dest!r}, among the records of git or roar"
    return None


def place_in(root: str, cwd: str, dest: str) -> str | None:
    """A destination told from `root`, None when it is outside."""
    place = os.path.normpath(os.path.join(root, cwd, dest))  # noqa: PTH118 - any bytes
    if place == root:
        return "."
    return place.removeprefix(f"{root}/") if place.startswith(f"{root}/") else None
