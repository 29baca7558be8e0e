"""Each example of a backend is a plugin of its own: it installs, type-checks, keeps its word."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("backend_*"))
PIP_INSTALL = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda example: example.name)
def copy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy away from the checkout, where its author would work."""
    folder = tmp_path_factory.mktemp("author") / f"roar-{request.param.name.replace('_', '-')}"
    shutil.copytree(request.param, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def installed(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed the wheel it built of the copy."""
    # Called as an installer would call it: what lies in there is a package, no input of anything.
    target = tmp_path_factory.mktemp("environment") / "site-packages"
    subprocess.run(
        [*PIP_INSTALL, "--no-deps", "--target", str(target), str(copy)], check=True, cwd=copy
    )
    return target


def test_roar_lists_it(copy: Path, installed: Path, tmp_path: Path) -> None:
    done = run("-m", "roar_core", "plugins", "--json", cwd=tmp_path, path=installed)
    [row] = [r for r in json.loads(done.stdout)["plugins"] if r["distribution"] == copy.name]
    assert (row["kind"], row["name"]) == ("backend", copy.name.removeprefix("roar-backend-"))
    assert (row["state"], row["reason"]) == ("ok", None)


def test_its_own_tests_pass(copy: Path, installed: Path) -> None:
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=copy, path=installed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_type_checks(copy: Path, tmp_path: Path) -> None:
    arguments = ["--strict", "--explicit-package-bases", "--cache-dir", str(tmp_path), "src"]
    done = run("-m", "mypy", *arguments, cwd=copy, path=copy / "src")
    assert done.returncode == 0, done.stdout + done.stderr


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
