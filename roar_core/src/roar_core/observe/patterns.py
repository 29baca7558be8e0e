"""The globs of `filters.ignore`: what a user wants out of the lineage.

A pattern without a slash names a file or folder anywhere (`*.log`); one with a slash starts at the
project root (`scratch/**`), or at `/` when absolute. `*` and `?` stay within a name, `**` spans
folders, and a pattern that names a folder takes all below it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|.", re.DOTALL)
_MEANING = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def compile_ignored(patterns: Iterable[str], project: str) -> Callable[[str], bool] | None:
    """Return what says whether an absolute path is ignored; None when nothing is."""
    alternatives = [_translate(pattern, project) for pattern in patterns if pattern.strip("/")]
    if not alternatives:
        return None
    match = re.compile(f"(?:{'|'.join(alternatives)})(?:/.*)?", re.DOTALL).fullmatch
    return lambda path: match(path) is not None


def _translate(pattern: str, project: str) -> str:
    trimmed = pattern.removeprefix("./").rstrip("/")
    translated = "".join(map(_token, _TOKEN.findall(trimmed.lstrip("/"))))
    if trimmed.startswith("/"):
        return "/" + translated
    if "/" in trimmed:
        return re.escape(project) + "/" + translated
    return "/(?:.*/)?" + translated


def _token(token: str) -> str:
    if token.startswith("[") and len(token) > 1:
        negated, members = token.startswith("[!"), token.strip("[]").removeprefix("!")
        escaped = members.replace("\\", r"\\").replace("^", r"\^")
        return f"[{'^/' if negated else ''}{escaped}]"
    return _MEANING.get(token, re.escape(token))
