"""docs/team.md: what its people type, typed; what it shows is what they see."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.registry.registered import EXAMPLE, git, project_at, serving_git
from tests.test_readme import pattern, shape

from roar_core.cli.main import run_command_line
from roar_core.testing.projects import ProjectUnderTest
from roar_glaas.cli import glaas
from roar_glaas.storage.database import sqlite_address

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

    Serve = Callable[[str, Path], AbstractContextManager[Registry]]

PAGE = (Path(__file__).resolve().parents[2] / "docs/team.md").read_text(encoding="utf-8")


def story() -> list[tuple[str, list[str], list[str]]]:
    """Who types what, and the lines shown below it."""
    told: list[tuple[str, list[str], list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            if typed := re.match(r"(\w+)\$ (.*)", line):
                told.append((typed[1], shlex.split(typed[2]), []))
            else:
                told[-1][2].append(line)
    return told


@pytest.mark.slow
@pytest.mark.needs("git")
def test_the_page_tells_what_happens(serve: Serve, tmp_path: Path) -> None:
    with serve(sqlite_address(tmp_path / "glaas.db"), tmp_path / "data") as registry:
        people = {name: project_at(tmp_path / name, registry) for name in ("ada", "bob")}
        for person in people.values():
            person.environ.pop("ROAR_REGISTRY__URL")
        ada = people["ada"].root
        for name in ("generate.py", "combine.py"):
            shutil.copy(EXAMPLE / name, ada)
        (ada / ".gitignore").write_text("*.bin\n")
        git(ada, "init", "-q", "-b", "main")
        git(ada, "add", ".")
        git(ada, "commit", "-q", "-m", "example")
        with serving_git(ada, tmp_path) as url:
            git(ada, "remote", "add", "origin", url)
            git(ada, "fetch", "-q", "origin")
            names = {
                "https://registry.example.org": registry.url,
                "registry.example.org": registry.url.removeprefix("http://"),
                "https://git.example.org/work.git": url,
                "/nfs/models": str(tmp_path / "models"),
                "/home/bob/empty": str(people["bob"].root),
            }
            for who, words, expected in story():
                by_token = words == ["roar", "login"]
                wanted = [_put_in(line, names) for line in expected[-1 if by_token else 0 :]]
                if words == ["glaas", "serve"]:
                    continue
                if who == "keeper":
                    seen = keep(registry, words[1:])
                else:
                    seen = type_in(people[who], registry, who, [_put_in(w, names) for w in words])
                home = str(people[who].home) if who in people else ""
                seen = seen.replace(home, "~") if home else seen
                told = "\n".join(shape(seen.splitlines()))
                assert re.fullmatch(pattern(shape(wanted)), told), f"{who}$ {words}\n{told}"


def _put_in(text: str, names: dict[str, str]) -> str:
    for shown, real in names.items():
        text = text.replace(shown, real)
    return text


def keep(registry: Registry, words: list[str]) -> str:
    where = ["--data", str(registry.data), "--database", registry.database_url]
    done = CliRunner().invoke(glaas, [*words, *where])
    assert done.exit_code == 0, done.output
    return done.output


def type_in(person: ProjectUnderTest, registry: Registry, who: str, words: list[str]) -> str:
    """All that was printed, as a terminal shows it; a log-in takes a token instead of a code."""
    given = ""
    if words == ["roar", "login"]:
        made = keep(registry, ["token", "create", "--user", who])
        given = next(line for line in made.splitlines() if line.startswith("glaas_"))
        words = [*words, "--token-file", "-"]
    if words[1] == "run":
        return person.roar(*words[1:]).stderr
    # In this process: to start one takes longer than what it does.
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            patch.delenv(name)
        for name, value in person.environment().items():
            patch.setenv(name, value)
        patch.chdir(person.root)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        with redirect_stdout(told), redirect_stderr(told):
            run_command_line(words[1:])
    return told.getvalue()
