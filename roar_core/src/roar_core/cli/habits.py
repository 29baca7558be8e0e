"""What people type who know another client of GLaaS, and what it is called here.

Read only when a command line was refused: the sentence then names the way that roar has.
"""

from __future__ import annotations

import click

_COMMANDS = {
    "projects": "a project is chosen with: roar scope use OWNER/PROJECT",
    "export-registration-package": "a package is written with: roar register REF --package FILE",
}

_REF = "REF alone says what is meant: a path, a hash, a job's uid, @3"
_URL = "another registry is named with --url, or for good with: roar config set registry.url URL"

# By option, then by command ("" for any other).
_OPTIONS = {
    "--glaas-api-url": {
        "": _URL,
        "scope": "the registry is set with: roar config set registry.url URL",
        "scope list": "the registry is set with: roar config set registry.url URL",
        "scope use": "the registry is set with: roar config set registry.url URL",
    },
    "--path": {"show": _REF, "inputs": _REF},
    "--job": {"show": _REF, "inputs": _REF},
    "--artifact": {"show": _REF, "inputs": _REF},
    "--session": {
        "show": "the jobs of a session are listed with: roar log --session N",
        "": "a session is named by REF: session:N",
    },
    "--bind": {"register": "tags are bound with: roar tag bind REF"},
    "--no-bind": {"register": "register binds no tags unless they were bound with: roar tag bind"},
    "--as-blake3": {"register": "artifacts are named by BLAKE3 always"},
    "--no-tag": {"put": "roar makes no tags in git"},
    "--no-puts": {"reproduce": "a put is never run again"},
    "--lineage": {"reproduce": "what it came from is shown by: roar lineage REF"},
    "--export-requirements": {"reproduce": "try: roar reproduce REF --list-requirements --json"},
    "--out": {"reproduce": "try: roar reproduce REF --list-requirements > FILE"},
    "--depth": {"diff": "roar compares all the way up"},
    "--sourced": {"inputs": "without --unsourced all inputs are listed"},
    "-d": {"lineage": "depth is limited by --depth N"},
    "-o": {"lineage": "a document is printed by --json, and written by: roar export REF -o FILE"},
    "--no-color": {"": "colours are off where NO_COLOR=1 is set, or where output is no terminal"},
}

_KINDS = ("artifact", "job", "dag", "session")


def of_command(word: str) -> str | None:
    """What stands for a command that roar does not have."""
    return _COMMANDS.get(word)


def of_option(error: click.NoSuchOption) -> str | None:
    """What stands for an option that the command of `error` does not have."""
    known = _OPTIONS.get(error.option_name, {})
    path = error.ctx.command_path.partition(" ")[2] if error.ctx is not None else ""
    return known.get(path) or known.get("")


class RefGroup(click.Group):
    """Commands of which REF is the first word, which elsewhere has its kind before it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if len(rest) > 1 and rest[0] in _KINDS and not _is_no_ref(rest[1]):
            from pathlib import Path

            if not Path(rest[0]).exists():
                ref = "session:current" if rest[0] == "dag" else rest[1]
                tried = " ".join([f"{ctx.command_path} {name}", ref, *rest[2:]])
                raise click.UsageError(f"no word for its kind stands before REF; try: {tried}", ctx)
        return name, command, rest


def _is_no_ref(word: str) -> bool:
    return word.startswith("-") or "=" in word
