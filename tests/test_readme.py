"""What the README shows is what happens, and what it links to is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "digits"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    EXAMPLE / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def console_session(text: str) -> list[tuple[str, list[str]]]:
    """The commands of the first console block, each with the lines shown below it."""
    [block] = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    shown: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            shown.append((line[2:], []))
        elif line:
            shown[-1][1].append(line)
    return shown


def shape(lines: list[str]) -> list[str]:
    """Lines without what differs from run to run: hashes, numbers with units, dates and spacing."""
    shaped = []
    for line in lines:
        line = re.sub(r"\b[0-9a-f]{7,64}\b…?", "HASH", line)
        line = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+( ?[+-]\d{4}|Z)?", "TIME", line)
        line = re.sub(r"(?<![@\w])\d+([.,]\d+)*( ?(ms|s|B|bytes|[kKMG]i?B))?\b", "N", line)
        shaped.append(re.sub(r"\s+", " ", line).strip())
    return [line for line in shaped if line]


@pytest.mark.slow
@pytest.mark.needs("git")
def test_the_readme_shows_what_happens(project: ProjectUnderTest) -> None:
    for source in [*EXAMPLE.glob("*.py"), EXAMPLE / "params.toml"]:
        shutil.copy(source, project.root)
    project.write(".gitignore", ".roar/\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", project.root]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "start"], check=True)
    for command, expected in console_session(README):
        done = project.shell(command)
        assert done.exit_code == 0, done.stderr
        told = "\n".join(shape(done.stdout.splitlines()))
        assert re.fullmatch(pattern(shape(expected)), told), f"$ {command}\n{told}"


def pattern(expected: list[str]) -> str:
    """A regular expression for the lines; a line of `…` alone stands for any that are left out."""
    return r"\n".join("(.*\n)*.*" if line == "…" else re.escape(line) for line in expected)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("target", ["demo", "test", "lint", "format", "bench", "docs", "clean"])
def test_every_make_target_is_explained_by_make_help(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert f"make {target} " in makefile


def test_the_index_of_the_docs_lists_every_page() -> None:
    docs = ROOT / "docs"
    index = (docs / "index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(docs) for page in docs.rglob("*.md") if page.name != "index.md"]
    assert [str(page) for page in pages if f"({page})" not in index] == []
