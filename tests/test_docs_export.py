"""The page about exports shows what happens, and the example of six steps goes through."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/export.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples/end_to_end"


def commands() -> list[tuple[str, list[str]]]:
    """The commands of all console blocks, each with the lines shown below it."""
    shown: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                shown.append((line[2:], []))
            else:
                shown[-1][1].append(line)
    return shown


def shape(line: str) -> str:
    """A line without what differs from run to run."""
    line = re.sub(r"\b[0-9a-f]{8}\b", "UID", line)
    line = re.sub(r"\d+\.\d+ s", "N s", line)
    return re.sub(r"\s+", " ", line).strip()


@pytest.mark.slow
@pytest.mark.needs("git")
def test_the_page_shows_what_happens(project: ProjectUnderTest) -> None:
    (project.root / ".roar").rmdir()
    subprocess.run(["git", "init", "-q", project.root], check=True)
    for command, expected in commands():
        done = project.shell(command)
        told = "\n".join(filter(None, map(shape, done.stdout.splitlines())))
        pattern = r"\n".join(
            "(.*\n)*.*" if line == "…" else re.escape(line).replace("…", ".*")
            for line in map(shape, expected)
            if line
        )
        assert done.exit_code == 0, told
        assert re.fullmatch(pattern, told), f"$ {command}\n{told}"


def test_every_format_is_on_the_page() -> None:
    from roar_core.export.formats import roar_exporters

    named = re.findall(r"^\| `([a-z][a-z-]+)` \|", PAGE, re.M)
    assert sorted(named) == sorted(exporter.format for exporter in roar_exporters())
    for exporter in roar_exporters():
        assert (type(exporter).__doc__ or "") in PAGE


@pytest.fixture
def demo(project: ProjectUnderTest, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The example, run in a folder of its own."""
    scripts = tmp_path / "bin"
    scripts.mkdir()
    roar = scripts / "roar"
    roar.write_text(f'#!/bin/sh\nexec {" ".join(project.roar_argv)} "$@"\n')
    roar.chmod(0o755)
    path = f"{scripts}:{project.environment()['PATH']}"
    return subprocess.run(
        ["sh", EXAMPLE / "demo.sh", tmp_path / "demo"],
        env=project.environment({"PATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.needs("git")
def test_two_programs_are_tied_by_what_they_read(
    demo: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    assert re.search("combine.py first.bin second.bin combined.bin .* @1 @2", demo.stdout)
    document = json.loads((tmp_path / "demo/lineage.json").read_text())
    assert [job["step"] for job in document["jobs"]] == ["@1", "@2", "@3"]


@pytest.mark.slow
@pytest.mark.needs("git")
def test_the_last_artifact_is_made_again_from_its_hash(
    demo: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    first, again = tmp_path / "demo/combined.bin", tmp_path / "demo-again/combined.bin"
    assert first.read_bytes() == again.read_bytes()
