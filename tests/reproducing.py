"""A small repository whose steps are reproduced, and what came of that."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roar_core.testing.projects import ProjectUnderTest, Result

MAKE = """
import pathlib, sys
pathlib.Path(sys.argv[2]).write_text("\\n".join(str(n * int(sys.argv[1])) for n in range(5)))
"""
TOTAL = """
import pathlib, sys
numbers = pathlib.Path(sys.argv[1]).read_text().split()
extra = int(pathlib.Path("data.csv").read_text())
pathlib.Path(sys.argv[2]).write_text(str(sum(map(int, numbers)) + extra))
"""


def git(project: ProjectUnderTest, *words: str, cwd: Path | None = None) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *words],
        cwd=cwd or project.root,
        env=project.environment(),
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout.strip()


def commit(project: ProjectUnderTest, *paths: str) -> str:
    if not (project.root / ".git").exists():
        git(project, "init", "-q", "-b", "main")
    git(project, "add", "-f", *paths)
    git(project, "commit", "-q", "-m", "step")
    return git(project, "rev-parse", "HEAD")


def start(project: ProjectUnderTest) -> ProjectUnderTest:
    """A repository with two scripts, and data that is not in it."""
    project.write("make.py", MAKE)
    project.write("total.py", TOTAL)
    project.write("data.csv", "5")
    commit(project, "make.py", "total.py")
    return project


def ran(result: Result) -> Mapping[str, Any]:
    assert result.job is not None, result.stderr
    assert result.exit_code == 0, result.stderr
    return result.job


def target_of(project: ProjectUnderTest, name: str = "again") -> Path:
    return project.root.parent / name


def again(
    project: ProjectUnderTest, ref: str, *more: str, into: str = "again", exit_code: int = 0
) -> Any:
    """Reproduce into a fresh directory and return the document."""
    into_words = () if "--in-place" in more else ("--into", str(target_of(project, into)))
    result = project.roar("reproduce", ref, "--run", "-y", "--json", *into_words, *more)
    assert result.exit_code == exit_code, result.stderr
    return json.loads(result.stdout) if result.stdout else result


def verdicts(document: Any) -> dict[str, str]:
    return {
        output["relative"] or output["path"]: output["verdict"]
        for step in document["steps"]
        for output in step["outputs"]
    }


def labels(document: Any) -> list[str]:
    return [step["step"] for step in document["steps"]]


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a checkout, its time and bytes; roar's own records and git's aside."""
    return {
        str(path.relative_to(root)): (path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".roar" not in path.parts and path.parent != root / ".git"
    }
