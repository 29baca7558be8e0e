"""The command as it is started, after those who may change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Planned(NamedTuple):
    """A command as it is started: the user's own, unless a backend or a proxy has been at it.

    `program` is the file that the search for `argv[0]` found. All are as `os.fsdecode` gives them.
    """

    program: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]


def checked_words(argv: Iterable[str]) -> tuple[str, ...]:
    """`argv` as a command that can be started. Raises TypeError or ValueError when it is none."""
    words = tuple(argv)
    if isinstance(argv, str) or not all(isinstance(word, str) for word in words):
        raise TypeError(f"a command is a sequence of texts, not {argv!r}")
    if not words or any("\0" in word for word in words):
        raise ValueError(f"{words!r} is no command")
    return words


def checked_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` as variables can be. Raises TypeError or ValueError when it is not."""
    variables = dict(environ)
    for name, value in variables.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"the variable {name!r} and its value {value!r} must be texts")
        if not name or "=" in name or "\0" in name + value:
            raise ValueError(f"{name!r} is no name of a variable, or its value has a NUL")
    return variables
