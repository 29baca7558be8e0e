"""Every command that the documentation shows is one that roar has, with options that it has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from roar_core.cli.main import roar

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "plugins").glob("[!_]*/README.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
_BLOCK = re.compile(r"```(?:sh|console)\n(.*?)```", re.DOTALL)
_INLINE = re.compile(r"`(roar [a-z](?:(?!at <)[^`])*)`")
# Where the command ends: a pipe, a redirection, the next command.
_END = re.compile(r"^([|>&;]+|[12]?>.*)$")


def shown(page: str) -> Iterator[str]:
    for block in _BLOCK.findall(page):
        for line in block.replace("\\\n", " ").splitlines():
            command = re.sub(r"^\w*\$ ", "", line).strip()
            if command.startswith("roar "):
                yield command
    for found in _INLINE.findall(re.sub(r"```.*?```", "", page, flags=re.DOTALL)):
        yield " ".join(found.split())


def words_of(line: str) -> list[str]:
    words: list[str] = []
    for word in shlex.split(line, comments=True)[1:]:
        if _END.match(word):
            break
        words.append(word.rstrip(";"))
    return words


def check(words: list[str]) -> None:
    """Parse as click does, and run nothing. Raises click.UsageError."""
    command: click.Command = roar
    context = click.Context(roar, info_name="roar")
    while isinstance(command, click.Group) and words and re.fullmatch("[a-z-]+", words[0]):
        name, *words = words
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name}", context)
        context = click.Context(found, context, info_name=name, **found.context_settings)
        command = found
    if not isinstance(command, click.Group):
        command.make_parser(context).parse_args(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_are_there(page: Path) -> None:
    wrong = []
    for line in dict.fromkeys(shown(page.read_text(encoding="utf-8"))):
        try:
            check(words_of(line))
        except click.BadOptionUsage:
            continue  # an option that is mentioned without its value
        except (click.UsageError, ValueError) as error:
            wrong.append(f"{line}: {error}")
    assert wrong == []
