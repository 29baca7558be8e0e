"""Globs over paths: what a user ignores (`filters.ignore`), and what analyzers claim.

A pattern without a slash names a file or folder anywhere (`*.log`), but does not look at the names
above the project of a file in it: a project may lie in a folder called like a tool's. One with a
slash before its end starts at the project root (`scratch/**`), or at `/` or `~/`. `*` and `?` stay
within a name, `**` spans folders. A pattern that names a folder takes all below it; one that ends
with a slash takes nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|[^*?\[]+|.", re.DOTALL)
_MEANING = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}

Matcher = Callable[[str], bool]


def compile_patterns(patterns: Iterable[str], project: str, home: str) -> Matcher | None:
    """Return what says whether an absolute path matches any pattern; None when there is none."""
    shapes = _Shapes([], [], [], [])
    for pattern in patterns:
        start, body = _parts(pattern, project, home)
        if not body:
            continue
        is_placed = start.startswith("^")
        (shapes.folders_placed if is_placed else shapes.folders).append(f"{start}{body}/")
        if not pattern.endswith("/"):
            (shapes.placed if is_placed else shapes.names).append(rf"{start}{body}\Z")
    return _Matcher(shapes, project) if any(shapes) else None


class _Shapes(NamedTuple):
    """Regular expressions of folders and of files, each anywhere or at one place."""

    folders: list[str]
    folders_placed: list[str]
    names: list[str]
    placed: list[str]


class _Matcher:
    """Asks for a path's folder once, and of each path only what its own name decides."""

    def __init__(self, shapes: _Shapes, project: str) -> None:
        self._inside = project.rstrip("/") + "/"
        self._below = _search(shapes.folders)
        self._below_placed = _search(shapes.folders_placed)
        self._named = _search(shapes.names)
        self._placed = _search(shapes.placed)
        self._known: dict[str, bool] = {}

    def __call__(self, path: str) -> bool:
        folder, slash, name = path.rpartition("/")
        is_below = self._known.get(folder)
        if is_below is None:
            is_below = self._known[folder] = self._is_below(f"{folder}/")
        return is_below or self._named(slash + name) or self._placed(path)

    def _is_below(self, folder: str) -> bool:
        start = len(self._inside) - 1 if folder.startswith(self._inside) else 0
        return self._below(folder[start:]) or self._below_placed(folder)


def _search(alternatives: list[str]) -> Matcher:
    if not alternatives:
        return lambda text: False
    # Before a name there is always a slash, so that one look for it serves all alternatives.
    search = re.compile("|".join(alternatives), re.DOTALL).search
    return lambda text: search(text) is not None


def _parts(pattern: str, project: str, home: str) -> tuple[str, str]:
    """Where a pattern starts, and the rest of it, as regular expressions."""
    trimmed = pattern.removeprefix("./").rstrip("/")
    if trimmed.startswith("/"):
        start = "^/"
    elif trimmed.startswith("~/"):
        start, trimmed = f"^{re.escape(home.rstrip('/'))}/", trimmed[2:]
    elif "/" in trimmed:
        start = f"^{re.escape(project)}/"
    else:
        start = "/"
    return start, "".join(map(_token, _TOKEN.findall(trimmed.lstrip("/"))))


def _token(token: str) -> str:
    if token.startswith("[") and len(token) > 1:
        negated, members = token.startswith("[!"), token[1:-1].removeprefix("!")
        escaped = re.sub(r"[\\^\[]", r"\\\g<0>", members)
        return f"[{'^/' if negated else ''}{escaped}]"
    return _MEANING.get(token, re.escape(token))
