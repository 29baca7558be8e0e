"""Paths and words without the machine they come from.

A path inside the project is told relative to it (in arguments: to the working directory, so that
the command still works); one outside as `/…/name`, where `…` stands for the directories that are
left out. What every machine has (`/dev/null`, `/usr/bin/env`) stays.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from roar_core.identity import is_on_a_node, relative_to_project, without_node

ELSEWHERE = "/…"
_EVERYWHERE = ("/dev/", "/bin/", "/usr/bin/")
_BREAKS = r"\s=:,;'\"()<>|&"
# A path begins at the start, after a break, or glued to an option (`-I/x`, `@/x`); never `//`.
_PATH = re.compile(
    rf"(?P<before>(?:^|[{_BREAKS}])(?:-[A-Za-z0-9-]*|@)?)(?P<path>/(?!/)[^{_BREAKS}]*)"
)


class Portable:
    """How one job's paths and words are told. `absolute` tells everything as it is."""

    def __init__(self, project: str, cwd: str, host: str = "", *, absolute: bool = False) -> None:
        self._project = project
        self._cwd = cwd if relative_to_project(cwd, project) is not None else project
        self._host = re.compile(rf"(?<![\w-]){re.escape(host)}(?![\w-])") if len(host) > 2 else None
        self._absolute = absolute
        self._folders: dict[str, list[str]] = {}

    def place(self, path: str) -> str:
        """A path: relative inside the project (`.` for its root), else as told above.

        Files of one name in several folders outside stay apart: `/…/name`, `/…2/name`.
        """
        inside = relative_to_project(path, self._project)
        if inside is not None:
            return inside
        if self._absolute or path.startswith((ELSEWHERE, *_EVERYWHERE)):
            return path
        folder, _, name = path.rstrip("/").rpartition("/")
        folders = self._folders.setdefault(name, [])
        if folder not in folders:
            folders.append(folder)
        number = folders.index(folder) + 1
        return f"{ELSEWHERE}{number if number > 1 else ''}/{name}"

    def url(self, url: str) -> str:
        """An object's URL; of a file on a node's own disk without the node and its folders."""
        if self._absolute or not is_on_a_node(url):
            return url
        return f"file://NODE{self.place(without_node(url))}"

    def words(self, words: str) -> str:
        """An argument, a variable's value or another sentence that may hold paths."""
        if self._absolute:
            return words
        if self._host is not None:
            words = self._host.sub("HOST", words)
        if "/" not in words:
            return words
        if words.startswith("/") and relative_to_project(words, self._project) is not None:
            return self._near(words)  # a name with a space or another break in it
        return _PATH.sub(self._without_folders, words)

    def _without_folders(self, match: re.Match[str]) -> str:
        path = match["path"]
        if relative_to_project(path.rstrip("/") or "/", self._project) is not None:
            return match["before"] + self._near(path)
        if not path.strip("/") or self._project.startswith(path.rstrip("/") + "/"):
            return match["before"] + (path if not path.strip("/") else ELSEWHERE)
        slash = "/" if path.endswith("/") else ""
        return match["before"] + self.place(path) + slash

    def _near(self, path: str) -> str:
        """A path inside the project, told from the working directory."""
        slash = "/" if path.endswith("/") else ""
        return posixpath.relpath(path, self._cwd) + slash

    def texts(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values of variables, sorted by name."""
        return {name: self.words(values[name]) for name in sorted(values)}
