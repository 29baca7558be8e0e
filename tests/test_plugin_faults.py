"""Plugins with faults, installed for real by pip: each hurts only itself, and is named once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

PIP_INSTALL = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q")
HOOKS = "from roar_core.hookspecs import Preflight, TracerAbilities, hookimpl\n"

# A whole tracer that observes nothing: what is tested here is that it is still there.
SOUND = (
    HOOKS
    + """
class Launch:
    def __init__(self, plan):
        self.argv, self.environ, self.pass_fds = plan.argv, plan.environ, ()
    def started(self, pid):
        pass
    def catch_up(self):
        return False
    def finished(self):
        return ()

class SoundTracer:
    name, priority, abilities = "sound", -100, TracerAbilities()
    def preflight(self):
        return Preflight(True)
    def launch(self, plan):
        return Launch(plan)

@hookimpl
def roar_tracers():
    return [SoundTracer()]
"""
)

OFFER = HOOKS + "@hookimpl\ndef roar_tracers():\n    "
FAULTS = {
    "unimportable": ("import no_such_module", "broken", "No module named 'no_such_module'"),
    "exiting": ("raise SystemExit(7)", "broken", "SystemExit: 7"),
    "broken": (f"{OFFER}raise OSError('no luck')", "broken", "OSError: no luck"),
    "misfit": (f"{OFFER}return [object()]", "broken", "object lacks abilities"),
    "signature": (
        HOOKS + "@hookimpl\ndef roar_tracers(colour):\n    return []",
        "broken",
        "PluginValidationError",
    ),
    "too-new": ("roar_api_version = 99", "too new", "needs plugin API 99"),
    "same-left": (f"{OFFER}return []", "duplicate", "same-left 1.0 and same-right 1.0 both offer"),
    "same-right": (f"{OFFER}return []", "duplicate", "same-left 1.0 and same-right 1.0 both offer"),
}
ENTRY = {"same-left": "same", "same-right": "same"}

Roar = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed every faulty plugin and the sound one."""
    wheels = tmp_path_factory.mktemp("wheels")
    target = tmp_path_factory.mktemp("site")
    built = [wheel(wheels, name, code) for name, (code, _, _) in FAULTS.items()]
    built.append(wheel(wheels, "sound", SOUND))
    subprocess.run(
        [*PIP_INSTALL, "--no-deps", "--no-index", "--target", str(target), *map(str, built)],
        check=True,
    )
    return target


def wheel(folder: Path, name: str, code: str) -> Path:
    """A wheel of one module that advertises a tracer (PEP 427)."""
    module = f"fault_{name.replace('-', '_')}"
    distribution = name.replace("-", "_")
    info = f"{distribution}-1.0.dist-info"
    path = folder / f"{distribution}-1.0-py3-none-any.whl"
    contents = {
        f"{module}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[roar.tracers]\n{ENTRY.get(name, name)} = {module}\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{m},,\n" for m in contents))
    return path


@pytest.fixture
def roar(site: Path, tmp_path: Path) -> Roar:
    """Runs `roar` in an empty project, with the plugins of `site` installed."""
    (tmp_path / "project").mkdir()

    def run(
        *arguments: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ROAR_", "XDG_"))}
        return subprocess.run(
            [sys.executable, "-m", "roar_core", *arguments],
            cwd=tmp_path / "project",
            env=kept
            | {"HOME": str(tmp_path), "PYTHONPATH": str(site), "ROAR_NO_TELEMETRY": "1"}
            | dict(environ or {}),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def listed(roar: Roar, **environ: str) -> dict[str, Any]:
    done = roar("plugins", "--json", environ=environ)
    assert done.returncode == 0, done.stderr
    return {row["distribution"]: row for row in json.loads(done.stdout)["plugins"]}


def test_each_is_listed_with_its_state_and_the_reason(roar: Roar) -> None:
    rows = listed(roar)
    for name, (_, state, reason) in FAULTS.items():
        assert rows[name]["state"] == state, name
        assert reason in rows[name]["reason"], name
    assert (rows["sound"]["state"], rows["sound"]["reason"]) == ("ok", None)


def test_the_sound_tracer_is_there_and_each_other_is_told_once(roar: Roar) -> None:
    done = roar("tracer", "--json")
    document = json.loads(done.stdout)
    assert document["chosen"] == "sound"
    for name in FAULTS:
        assert len([f for f in document["failures"] if name in f.split(" failed ")[0]]) == 1, name
    shown = roar("tracer")
    assert "Traceback" not in shown.stderr
    for name in FAULTS:
        assert sum(name in line.split(" failed ")[0] for line in shown.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_goes_on_without_the_faulty_one(roar: Roar, name: str) -> None:
    entry = ENTRY.get(name, name)
    others = ",".join(other for other in FAULTS if ENTRY.get(other, other) != entry)
    done = roar(
        *("run", "--tracer", "sound", "--", "sh", "-c", "echo hello; exit 3"),
        environ={"ROAR_DISABLE_PLUGINS": others},
    )
    assert (done.returncode, done.stdout) == (3, "hello\n"), done.stderr
    assert "Traceback" not in done.stderr
    [blamed] = [line for line in done.stderr.splitlines() if " failed while " in line]
    assert name in blamed.split(" failed ")[0]


def test_commands_that_need_no_tracer_say_nothing_of_tracers(roar: Roar) -> None:
    for command in (["config", "get", "run.tracer"], ["--help"], ["completion", "bash"]):
        done = roar(*command)
        assert (done.returncode, done.stderr) == (0, ""), command


def test_disabled_plugins_are_neither_loaded_nor_told(roar: Roar) -> None:
    rows = listed(roar, ROAR_DISABLE_PLUGINS="all")
    assert {row["state"] for row in rows.values()} == {"disabled"}
    done = roar("tracer", environ={"ROAR_DISABLE_PLUGINS": "all"})
    assert "failed" not in done.stderr
