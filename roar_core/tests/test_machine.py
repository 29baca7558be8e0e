"""The machine, its accelerators and container, and the interpreter a program was run by."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from roar_core.environment.container import container
from roar_core.environment.gpus import accelerators
from roar_core.environment.interpreter import interpreters
from roar_core.environment.machine import environment
from roar_core.model.environment import Gpu

# The shapes of `nvidia-smi -q -x` (driver 535) and `rocm-smi --json` (ROCm 6), cut to what is read.
NVIDIA = """<?xml version="1.0" ?>
<nvidia_smi_log>
 <driver_version>535.104.05</driver_version>
 <cuda_version>12.2</cuda_version>
 <attached_gpus>2</attached_gpus>
 <gpu id="00000000:01:00.0">
  <product_name>NVIDIA A100-SXM4-40GB</product_name>
  <fb_memory_usage><total>40960 MiB</total><used>3 MiB</used></fb_memory_usage>
  <bar1_memory_usage><total>65536 MiB</total></bar1_memory_usage>
 </gpu>
 <gpu id="00000000:02:00.0">
  <product_name>NVIDIA A100-SXM4-40GB</product_name>
  <fb_memory_usage><total>N/A</total></fb_memory_usage>
 </gpu>
</nvidia_smi_log>
"""
ROCM = (
    '{"card0": {"VRAM Total Memory (B)": "68702699520", "Card Series": "AMD Instinct MI210"},'
    ' "system": {"Driver version": "6.2.4"}}'
)


def install(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of programs that comes first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / "cache"))
    return folder


def test_this_machine_is_described(tmp_path: Path) -> None:
    environ = {"HOME": os.fspath(tmp_path), "SEED": "7", "SECRET": "x"}
    found = environment([sys.executable], ["SEED", "ABSENT"], environ=environ)
    assert platform.release() in found.os
    assert found.arch == platform.machine()
    assert found.interpreter == f"cpython {platform.python_version()}"
    assert found.variables == {"SEED": "7"}
    assert found.memory_bytes is not None
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert abs(found.memory_bytes - pages) < pages / 10


def test_without_a_home_everything_is_still_found() -> None:
    found = environment([sys.executable], environ={})
    assert found.interpreter == f"cpython {platform.python_version()}"


def test_a_program_that_is_no_python_has_no_interpreter(tmp_path: Path) -> None:
    programs = ["/bin/ls", "/usr/bin/python3-config", "/gone/python3.9"]
    assert interpreters(programs, {"HOME": os.fspath(tmp_path)}) is None


def test_an_interpreter_is_asked_once_and_again_when_it_changes(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": os.fspath(tmp_path)}
    program = tmp_path / "python3.12"
    program.symlink_to(sys.executable)
    asked = interpreters([os.fspath(program)], environ)
    assert asked == f"cpython {platform.python_version()}"
    rewrite_cache(tmp_path, ["cpython 0.0.1"])
    assert interpreters([os.fspath(program)], environ) == "cpython 0.0.1"
    program.unlink()
    program.symlink_to("/bin/true")
    assert interpreters([os.fspath(program)], environ) is None


def rewrite_cache(folder: Path, answers: list[str]) -> None:
    """Change what is kept of interpreters, so that a kept answer can be told from a fresh one."""
    file = folder / "roar/interpreters.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps(dict(zip(sorted(kept), answers, strict=True))))


def test_several_interpreters_are_all_named_in_one_order(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": os.fspath(tmp_path)}
    for name in ("pypy3.10", "python3.9"):
        (tmp_path / name).symlink_to(sys.executable)
    programs = [f"{tmp_path}/python3.9", f"{tmp_path}/pypy3.10", f"{tmp_path}/python3.9"]
    interpreters(programs, environ)
    rewrite_cache(tmp_path, ["pypy 3.10.13", "cpython 3.9.1"])
    expected = "cpython 3.9.1, pypy 3.10.13"
    assert interpreters(programs, environ) == expected
    assert interpreters(reversed(programs), environ) == expected


@pytest.mark.parametrize("other", ["/bin/false", "/bin/echo", "/bin/true"])
def test_a_program_that_is_python_only_by_name_is_unknown(tmp_path: Path, other: str) -> None:
    (tmp_path / "python3").symlink_to(other)
    assert interpreters([f"{tmp_path}/python3"], {}) is None


def test_a_script_called_python_is_not_started(tmp_path: Path) -> None:
    install(tmp_path, "python", f"touch {tmp_path}/started; echo cpython 3.12.1")
    assert interpreters([f"{tmp_path}/python"], {}) is None
    assert not (tmp_path / "started").exists()


def test_the_users_python_settings_do_not_reach_the_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    monkeypatch.setenv("PYTHONSTARTUP", os.fspath(tmp_path / "x"))
    assert interpreters([sys.executable], {}) == f"cpython {platform.python_version()}"


def test_a_machine_without_accelerators_asks_nobody(tools: Path) -> None:
    found = accelerators(os.environ)
    assert (found.gpus, found.runtime) == ((), None)
    assert not (tools.parent / "cache").exists()


def test_nvidia_gpus_are_told_and_asked_once_per_boot(tools: Path, tmp_path: Path) -> None:
    (tmp_path / "report").write_text(NVIDIA)
    install(tools, "nvidia-smi", f"echo x >> {tmp_path}/count; cat {tmp_path}/report")
    for _ in range(2):
        found = accelerators(os.environ)
        assert found.runtime == "12.2"
        assert found.gpus == (
            Gpu("NVIDIA A100-SXM4-40GB", 40960 << 20, "535.104.05"),
            Gpu("NVIDIA A100-SXM4-40GB", None, "535.104.05"),
        )
    assert (tmp_path / "count").read_text() == "x\n"


def test_amd_gpus_are_told(tools: Path, tmp_path: Path) -> None:
    (tmp_path / "report").write_text(ROCM)
    install(tools, "rocm-smi", f"cat {tmp_path}/report")
    found = accelerators(os.environ)
    assert found.gpus == (Gpu("AMD Instinct MI210", 68702699520, "6.2.4"),)


@pytest.mark.parametrize("tool", ["nvidia-smi", "rocm-smi"])
@pytest.mark.parametrize(
    "script", ["exit 9", "echo '[1]'", "echo '{\"system\": 3}'", "printf '\\377'"]
)
def test_a_tool_that_fails_means_no_accelerators(tools: Path, tool: str, script: str) -> None:
    install(tools, tool, script)
    assert accelerators(os.environ).gpus == ()


@pytest.mark.parametrize("damage", ["", "{", '{"key": 1}', '{"gpus": [3]}'])
def test_a_damaged_gpu_cache_is_asked_again(tools: Path, tmp_path: Path, damage: str) -> None:
    (tmp_path / "report").write_text(NVIDIA)
    install(tools, "nvidia-smi", f"cat {tmp_path}/report")
    cache = tmp_path / "cache/roar/gpus.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(damage)
    assert len(accelerators(os.environ).gpus) == 2


def test_an_unwritable_cache_changes_no_answer(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report").write_text(NVIDIA)
    install(tools, "nvidia-smi", f"cat {tmp_path}/report")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert len(accelerators(os.environ).gpus) == 2


@pytest.mark.parametrize(
    ("files", "environ", "kind"),
    [
        ({}, {}, None),
        ({".dockerenv": ""}, {}, "docker"),
        ({"run/.containerenv": 'engine="podman-4.3.1"\n'}, {}, "podman"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({}, {"APPTAINER_CONTAINER": "/x.sif"}, "apptainer"),
        ({}, {"container": "lxc"}, "lxc"),
        ({}, {"container": "odd value\n"}, None),
        ({"run/systemd/container": "systemd-nspawn\n"}, {}, "systemd-nspawn"),
        ({"proc/self/cgroup": "0::/kubepods/burstable/pod1\n"}, {}, "kubernetes"),
        ({"proc/self/cgroup": "0::/system.slice/docker-12ab.scope\n"}, {}, "docker"),
        ({"proc/self/cgroup": "0::/system.slice/docker.service\n"}, {}, None),
        ({"proc/self/cgroup": "0::/system.slice/containerd.service\n"}, {}, None),
        ({"proc/self/cgroup": "3:cpu:/lxc/box\n"}, {}, "lxc"),
        ({"proc/self/cgroup": "0::/user.slice/user-1000.slice\n"}, {}, None),
    ],
)
def test_the_kind_of_container_is_told(
    tmp_path: Path, files: dict[str, str], environ: dict[str, str], kind: str | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert container(environ, os.fspath(tmp_path)) == kind


def test_importing_this_needs_nothing_heavy() -> None:
    modules = ["git", "snapshot", "packages", "machine"]
    heavy = {"subprocess", "json", "pathlib", "tarfile", "importlib.metadata", "logging", "asyncio"}
    code = (
        "import attrs, sys; before = set(sys.modules);"
        f"[__import__('roar_core.environment.' + name) for name in {modules!r}];"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert heavy.isdisjoint(done.stdout.split())


def test_a_description_is_a_value() -> None:
    assert attrs.evolve(environment([], environ={}), os="x").os == "x"
