"""What plugins put in front of a command's Pythons runs first, and is gone when they begin."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from roar_core.python_startup import lead

STARTED = """
import sys
from _roar_imports import watch

def start(folder):
    sys.started = [*getattr(sys, "started", []), NAME]

    def add(module):
        module.added = [*getattr(module, "added", []), NAME]

    watch({"colorsys": add})
"""
SEES = """
import importlib.util, json, os, sys
importlib.util.find_spec("colorsys")
import colorsys
import sitecustomize
print(json.dumps({
    "started": getattr(sys, "started", []),
    "added": getattr(colorsys, "added", []),
    "theirs": getattr(sitecustomize, "ran", None),
    "path": [each for each in sys.path if "lead" in each],
}))
"""


@pytest.fixture
def modules(tmp_path: Path) -> dict[str, Path]:
    """Code of two plugins."""
    found = {}
    for name in ("_one", "_two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text(STARTED.replace("NAME", repr(name)))
        found[name] = tmp_path / name
    return found


def seen(environ: dict[str, str], *options: str) -> Any:
    done = subprocess.run(
        [sys.executable, *options, "-c", SEES], env=environ, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_two_plugins_and_the_user_s_own_start_one_after_the_other(
    tmp_path: Path, modules: dict[str, Path]
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text("ran = 'theirs'\n")
    environ = {"PYTHONPATH": str(tmp_path / "theirs")}
    for name, folder in modules.items():
        environ |= lead(folder, name, tmp_path / f"lead{name}", environ)
    assert seen(environ) == {
        "started": ["_two", "_one"],
        "added": ["_two", "_one"],
        "theirs": "theirs",
        "path": [],
    }


def test_a_package_starts_as_a_folder_does(tmp_path: Path, modules: dict[str, Path]) -> None:
    package = tmp_path / "lead" / "sitecustomize"
    package.parent.mkdir()
    lead(modules["_one"], "_one", package, {})
    (package / "sitecustomize.py").rename(package / "__init__.py")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text("ran = 'theirs'\n")
    path = os.pathsep.join((str(package.parent), str(tmp_path / "theirs")))
    told = seen({"PYTHONPATH": path})
    assert told == {"started": ["_one"], "added": ["_one"], "theirs": "theirs", "path": []}


def test_an_interpreter_that_heeds_no_variable_is_as_ever(
    tmp_path: Path, modules: dict[str, Path]
) -> None:
    environ = lead(modules["_one"], "_one", tmp_path / "lead", {})
    code = "import sys; print(getattr(sys, 'started', None))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_what_is_led_to_stays_when_the_plugin_goes(
    tmp_path: Path, modules: dict[str, Path]
) -> None:
    environ = lead(modules["_one"], "_one", tmp_path / "lead", {})
    shutil.rmtree(modules["_one"])
    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys.started)"], env=environ,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("['_one']\n", "")
