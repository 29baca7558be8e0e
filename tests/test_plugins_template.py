"""The template is a plugin: a copy of it builds, installs, type-checks and passes its own tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PIP_INSTALL = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q")
TEMPLATE = ROOT / "plugins" / "_template"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template away from the checkout, where its author would work."""
    folder = tmp_path_factory.mktemp("author") / "roar-analyzer-logbook"
    shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def installed(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed the wheel it built of the copy."""
    target = tmp_path_factory.mktemp("site")
    subprocess.run(
        [*PIP_INSTALL, "--no-deps", "--target", str(target), str(copy)],
        check=True,
        cwd=copy,
    )
    return target


@pytest.mark.slow
def test_roar_lists_the_installed_template(installed: Path, tmp_path: Path) -> None:
    done = run("-m", "roar_core", "plugins", "--json", cwd=tmp_path, path=installed)
    [row] = [r for r in json.loads(done.stdout)["plugins"] if r["name"] == "logbook"]
    assert (row["kind"], row["distribution"]) == ("analyzer", "roar-analyzer-logbook")
    assert (row["state"], row["reason"]) == ("ok", None)


@pytest.mark.slow
def test_the_templates_own_tests_pass(copy: Path, installed: Path) -> None:
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=copy, path=installed)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_template_type_checks(copy: Path, tmp_path: Path) -> None:
    arguments = ["--strict", "--explicit-package-bases", "--cache-dir", str(tmp_path), "src"]
    done = run("-m", "mypy", *arguments, cwd=copy, path=copy / "src")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_analyzer_is_under_forty_lines() -> None:
    [module] = (TEMPLATE / "src").glob("*/__init__.py")
    assert len(module.read_text(encoding="utf-8").splitlines()) < 40


def run(*arguments: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ROAR_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environ | {"PYTHONPATH": str(path), "MYPYPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
