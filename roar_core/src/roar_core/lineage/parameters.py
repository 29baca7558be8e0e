"""A command line as named parameters, so that two of them can be compared.

Which words are values of which option only the program knows. The same guess on both sides makes
the comparison right even where a single reading would not be: `--verbose data.csv` against
`--verbose other.csv` differs in one value, whatever it is called.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

# Words of an interpreter before its script; those of the second kind take a value.
_PLAIN_FLAGS = frozenset(("-u", "-B", "-E", "-I", "-O", "-OO", "-P", "-s", "-S", "-q", "-v", "-x"))
_VALUE_FLAGS = frozenset(("-X", "-W", "--check-hash-based-pycs"))
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_NUMBER = re.compile(r"-\.?[0-9]")
_LONG = re.compile(r"(--?[A-Za-z][^=\s]*)=(.*)", re.DOTALL)
_CLUSTER = re.compile(r"-[A-Za-z]{2,4}")
_KEYED = re.compile(r"(\+{0,2}~?[A-Za-z_][\w./@-]*)=(.*)", re.DOTALL)


class Parameter(NamedTuple):
    """A named word of a command. `name` is `--lr`, `-n`, `lr` of `lr=0.1`, or `#2`: the second
    word that belongs to no option. `value` is None for a mere switch."""

    name: str
    value: str | None


class Change(NamedTuple):
    """A parameter that two commands do not share; a side that lacks it has None.

    Values given several times are joined by blanks, a switch is `given`.
    """

    name: str
    before: str | None
    after: str | None


GIVEN = "given"


def program_of(command: Sequence[str]) -> tuple[str, ...]:
    """What is run: `python train.py`, `python -m pkg.train`, `cp`; the directory of an interpreter
    or a program found on PATH is no part of it."""
    words, rest = _split(command)
    return words[: len(words) - len(rest)]


def parameters(command: Sequence[str]) -> list[Parameter]:
    """The parameters after the program, in their order."""
    _, words = _split(command)
    return list(_named(words))


def changes(before: Sequence[str], after: Sequence[str]) -> list[Change]:
    """What differs between the parameters of two commands, in the order of the first."""
    old, new = _by_name(parameters(before)), _by_name(parameters(after))
    return [
        Change(name, old.get(name), new.get(name))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    ]


def _split(command: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words with the program told by name, and the parameters at their end."""
    if not command:
        return (), ()
    name = PurePosixPath(command[0]).name or command[0]
    words = (name, *command[1:])
    at = 1
    if _PYTHON.fullmatch(name):
        while at < len(words) and words[at] in _PLAIN_FLAGS | _VALUE_FLAGS:
            at += 2 if words[at] in _VALUE_FLAGS else 1
        if at < len(words) and words[at] == "-m":
            at += 2
        elif at < len(words) and not words[at].startswith("-"):
            at += 1
    return words, words[at:]


def _named(words: Sequence[str]) -> Iterator[Parameter]:
    place = 0
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            for rest in words[at:]:
                place += 1
                yield Parameter(f"#{place}", rest)
            return
        is_option = len(word) > 1 and word.startswith("-") and not _NUMBER.match(word)
        if not is_option:
            keyed = _KEYED.fullmatch(word)
            if keyed:
                yield Parameter(keyed[1], keyed[2])
                continue
            place += 1
            yield Parameter(f"#{place}", word)
            continue
        attached = _LONG.fullmatch(word)
        if attached:
            yield Parameter(attached[1], attached[2])
        elif word.startswith("--") or len(word) == 2:
            value = words[at] if at < len(words) and _is_value(words[at]) else None
            at += value is not None
            yield Parameter(word, value)
        elif _CLUSTER.fullmatch(word) and len(set(word)) == len(word):
            yield from (Parameter(f"-{letter}", None) for letter in word[1:])
        else:
            yield Parameter(word[:2], word[2:])


def _is_value(word: str) -> bool:
    return not word.startswith("-") or word == "-" or _NUMBER.match(word) is not None


def _by_name(found: Sequence[Parameter]) -> dict[str, str]:
    values: dict[str, list[str]] = defaultdict(list)
    for name, value in found:
        values[name].append(GIVEN if value is None else value)
    return {name: " ".join(given) for name, given in values.items()}
