"""What an object may be called as a file, and which names cannot stand side by side. Pure."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator

from roar_core.errors import RoarError

# NAME_MAX of Linux's file systems (limits.h).
_NAME_MAX_BYTES = 255
# A hook or a setting that a stranger's listing puts there takes effect with the next command.
_OBEYED = (".git", ".roar")


def problem_of(name: str) -> str | None:
    """Why an object of this name can be no file below a folder, None when it can.

    `name` has its parts between slashes, in the spelling of `os.fsdecode`.
    """
    if not name:
        return "has no name"
    if "\0" in name:
        return "has a NUL in its name"
    for part in name.split("/"):
        if part == "":
            return "has an empty part in its name"
        if part in (".", ".."):
            return f"has {part!r} in its name"
        try:
            size = len(os.fsencode(part))
        except UnicodeEncodeError:
            return "has characters in its name that no file can have"
        if size > _NAME_MAX_BYTES:
            return f"has a part of {size} bytes in its name; a file's may have {_NAME_MAX_BYTES}"
    return None


def problem_below(name: str) -> str | None:
    """As `problem_of`, and why no listing may have it written: git and roar would obey it."""
    if any(part.lower() in _OBEYED for part in name.split("/")):
        return "lies in a folder of git's or roar's own"
    return problem_of(name)


def is_folder_mark(name: str, size: int | None) -> bool:
    """Whether an object only says that there is a folder: consoles of stores make such ones."""
    return size == 0 and name.endswith("/")


def refuse_clashes(pairs: Iterable[tuple[str, str]], where: str, *, fold: bool = False) -> None:
    """Raise RoarError when two sources would become one; `pairs` are (source, place).

    Nor can a place be a file and a folder. `where` completes "would both become … ". With `fold`,
    names that differ only in case, or in how an accent is composed, are one as well.
    """
    taken: dict[str, tuple[str, str]] = {}
    folders: dict[str, str] = {}
    for source, place in pairs:
        key = folded(place) if fold else place
        if key in taken:
            first, other = taken[key]
            alike = "" if other == place else f" (it differs from {other!r} only in case)"
            raise RoarError(
                f"{first} and {source} would both become {place} {where}{alike};"
                " move them one at a time, under different names"
            )
        taken[key] = (source, place)
        for folder in _above(key):
            folders.setdefault(folder, source)
    for key, (source, place) in taken.items():
        if key in folders:
            raise RoarError(
                f"{source} would become {place} {where}, which has to be a folder for"
                f" {folders[key]}; move them one at a time, under different names"
            )


def folded(name: str) -> str:
    """A name as systems see it that care for neither case nor composition of characters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _above(place: str) -> Iterator[str]:
    head, _, _ = place.rpartition("/")
    while head and not head.endswith((":", "/")):
        yield head
        head, _, _ = head.rpartition("/")
