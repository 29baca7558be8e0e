"""What the words of an `osmo` command ask for, as its own parser understands them.

The options are those of `osmo workflow submit` (OSMO 6.3, src/cli/workflow.py). A word that is not
known here leaves the command as it is: better unobserved than misunderstood.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal, NamedTuple

Arity = Literal["none", "one", "many"]

_OPTIONS: dict[str, Arity] = {
    "--format-type": "one",
    "--set": "many",
    "--set-string": "many",
    "--set-env": "many",
    "--dry-run": "none",
    "--pool": "one",
    "--rsync": "one",
    "--priority": "one",
    "--label": "one",
    "--help": "none",
}
_SHORT = {"-t": "--format-type", "-p": "--pool", "-h": "--help"}
# What the server has put into the specification once it has rendered it.
_RENDERED = frozenset({"--set", "--set-string"})
_NO_SUBMISSION = frozenset({"--dry-run", "--help"})


class Option(NamedTuple):
    """An option in full, and the words it stands in, itself first."""

    name: str
    words: tuple[str, ...]


class Submission(NamedTuple):
    """`osmo … workflow submit FILE [options]`. `head` ends with `submit`."""

    head: tuple[str, ...]
    file: str
    options: tuple[Option, ...]

    def dry_run(self) -> tuple[str, ...]:
        """The command that prints the rendered specification and submits nothing."""
        kept = [option for option in self.options if option.name != "--rsync"]
        return self._command(self.file, [*kept, Option("--dry-run", ("--dry-run",))])

    def of_rendered(self, file: str) -> tuple[str, ...]:
        """The command that submits `file`, which was rendered already."""
        return self._command(file, [o for o in self.options if o.name not in _RENDERED])

    def _command(self, file: str, options: Sequence[Option]) -> tuple[str, ...]:
        # The file comes first: an option that takes many words would take it too.
        return (*self.head, file, *(word for option in options for word in option.words))


def is_submission(argv: Sequence[str]) -> bool:
    """Whether the words hand a workflow to OSMO. Pure; looks at words alone."""
    start = _after(argv, "submit")
    if start is None:
        return False
    names = {_full_name(word.partition("=")[0]) for word in argv[start:] if word[:1] == "-"}
    return not names & _NO_SUBMISSION


def queried(argv: Sequence[str]) -> str | None:
    """The workflow that `osmo workflow query` asks about, None for every other command."""
    start = _after(argv, "query")
    if start is None:
        return None
    names = [word for word in argv[start : start + 1] if word[:1] != "-"]
    return names[0] if names else None


def understood(argv: Sequence[str]) -> Submission | None:
    """A submission's parts; None when there is a word that is not known here."""
    start = _after(argv, "submit")
    if start is None:
        return None
    files: list[str] = []
    options: list[Option] = []
    rest = list(argv[start:])
    while rest:
        word = rest.pop(0)
        if word == "--" or (word[:1] == "-" and len(word) > 1):
            option = _option(word, rest)
            if option is None:
                return None
            options.append(option)
        else:
            files.append(word)
    if len(files) != 1:
        return None
    return Submission(tuple(argv[:start]), files[0], tuple(options))


def _after(argv: Sequence[str], verb: str) -> int | None:
    """Where the words after `osmo [options] workflow VERB` begin."""
    if not argv or PurePath(argv[0]).name != "osmo":
        return None
    for at in range(1, len(argv) - 1):
        if argv[at] == "workflow":
            return at + 2 if argv[at + 1] == verb else None
        # Options of osmo itself, with or without a value, may come before.
        if argv[at][:1] != "-" and argv[at - 1][:1] != "-":
            return None
    return None


def _full_name(word: str) -> str | None:
    """The option that a word means: argparse takes every beginning that is no other's."""
    if word in _OPTIONS:
        return word
    if word[:2] != "--":
        return _SHORT.get(word[:2])
    found = [name for name in _OPTIONS if name.startswith(word)]
    return found[0] if len(found) == 1 else None


def _option(word: str, rest: list[str]) -> Option | None:
    """The option that begins with `word`; takes its values off the front of `rest`."""
    name, is_joined, _ = word.partition("=") if word[:2] == "--" else (word, word[2:], "")
    full = _full_name(name)
    if full is None:
        return None
    values: list[str] = []
    if _OPTIONS[full] == "one" and not is_joined:
        if not rest:
            return None
        values.append(rest.pop(0))
    elif _OPTIONS[full] == "many" and not is_joined:
        while rest and rest[0][:1] != "-":
            values.append(rest.pop(0))
    return Option(full, (word, *values))
