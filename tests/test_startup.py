"""Start-up is a feature: what a command does not use, it does not import.

Facts, not milliseconds: benchmarks/ measures, this says why the figures are what they are.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest

HEAVY = {"httpx", "cattrs", "tomlkit", "boto3", "importlib.metadata", "asyncio", "cryptography"}
PROBE = """
import sys
report, sys.argv[1:] = sys.argv[1], sys.argv[2:]
from roar_core.__main__ import main
try:
    main()
except SystemExit:
    pass
with open(report, "w") as target:
    target.write(" ".join(sys.modules))
"""


def modules_after(arguments: list[str], cwd: Path) -> set[str]:
    """The names in `sys.modules` when `roar <arguments>` has ended."""
    report = cwd.parent / "modules.txt"
    subprocess.run(
        [sys.executable, "-c", PROBE, str(report), *arguments],
        cwd=cwd,
        env=os.environ | {"ROAR_NO_TELEMETRY": "1"},
        capture_output=True,
        check=True,
    )
    return set(report.read_text().split())


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    (folder / ".roar").mkdir(parents=True)
    return folder


def test_version_is_answered_without_click(empty: Path) -> None:
    assert not modules_after(["--version"], empty) & (
        HEAVY | {"click", "attr", "pluggy", "sqlite3"}
    )


def test_help_imports_no_command_and_nothing_heavy(empty: Path) -> None:
    loaded = modules_after(["--help"], empty)
    assert not loaded & (HEAVY | {"pluggy", "sqlite3", "blake3", "subprocess", "logging"})
    commands = {name for name in loaded if name.startswith("roar_core.cli.")}
    assert commands <= {"roar_core.cli.main", "roar_core.cli.output", "roar_core.cli.failures"}


@pytest.mark.parametrize("command", ["log", "dag", "status", "show"])
def test_reading_commands_load_no_plugin_and_nothing_heavy(
    project: ProjectUnderTest, command: str
) -> None:
    project.write("in.txt", "x")
    assert project.run("cp", "in.txt", "out.txt").exit_code == 0
    loaded = modules_after([command], project.root)
    assert not loaded & (HEAVY | {"pluggy", "roar_tracer_preload", "roar_core.run", "subprocess"})


@pytest.mark.parametrize("command", ["log", "dag", "status"])
def test_what_lists_jobs_reads_rows_and_makes_no_model_of_them(
    project: ProjectUnderTest, command: str
) -> None:
    assert project.run("true").exit_code == 0
    assert not modules_after([command], project.root) & {"attr", "roar_core.store.writer"}


@pytest.mark.parametrize("command", ["whoami", "scope"])
def test_who_one_is_is_told_without_a_library_for_asking(empty: Path, command: str) -> None:
    assert not modules_after([command], empty) & (HEAVY | {"cryptography"})


def test_run_loads_only_the_tracers(project: ProjectUnderTest) -> None:
    loaded = modules_after(["run", "-q", "true"], project.root)
    assert "roar_tracer_preload" in loaded
    assert not loaded & HEAVY


def test_a_run_without_tasks_loads_little_of_its_backends(project: ProjectUnderTest) -> None:
    loaded = modules_after(["run", "-q", "true"], project.root)
    assert {"roar_ray.backend", "roar_osmo.backend"} <= loaded
    theirs = {"yaml", "hashlib", "roar_osmo.client", "roar_osmo.notes", "roar_ray.collecting"}
    theirs |= {"difflib", "logging", "socket"}
    ours = {"fragments", "fragment_checks", "task_journal", "model.fragment", "run.subtrees"}
    assert not loaded & (theirs | {f"roar_core.{name}" for name in ours})
