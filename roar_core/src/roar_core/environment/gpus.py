"""Accelerators, as their vendors' tools name them: nvidia-smi and rocm-smi, where installed.

The tools take up to seconds, so their answer is kept for the length of a boot; a failure, such as a
driver that hangs, is kept for ten minutes.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any

import attrs

from roar_core.environment.cache import load_cache, save_cache, user_cache_dir
from roar_core.environment.output_of import output_of, program
from roar_core.model.environment import Gpu

_TIMEOUT_S = 2.0
_FAILURE_KEPT_S = 600
_MIB = 1 << 20


@attrs.frozen
class Accelerators:
    """`runtime` is the version of CUDA that the driver supports, or `rocm <version>`."""

    gpus: tuple[Gpu, ...] = ()
    runtime: str | None = None


def accelerators(environ: Mapping[str, str]) -> Accelerators:
    """The accelerators of this machine; empty, at no cost, where no vendor's tool is installed."""
    nvidia, rocm = program("nvidia-smi"), program("rocm-smi")
    if nvidia is None and rocm is None:
        return Accelerators()
    folder = user_cache_dir(environ)
    path = None if folder is None else f"{folder}/gpus.json"
    key = _machine_key(nvidia, rocm)
    kept = _from_cache(load_cache(path), key)
    if kept is not None:
        return kept
    asked = _ask_nvidia(nvidia) if nvidia is not None else None
    if asked is None and rocm is not None:
        asked = _ask_rocm(rocm)
    found = asked or Accelerators()
    save_cache(
        path, {"key": key, "ok": asked is not None, "at": time.time(), **attrs.asdict(found)}
    )
    return found


def parse_nvidia(report: str) -> Accelerators | None:
    """Understand `nvidia-smi -q -x`; None when it names no GPU."""
    driver = _element(report, "driver_version")
    gpus = []
    for block in re.findall(r"<gpu\b.*?</gpu>", report, re.DOTALL):
        memory = re.search(r"<fb_memory_usage>.*?<total>(\d+) MiB", block, re.DOTALL)
        name = _element(block, "product_name")
        if name is not None:
            gpus.append(Gpu(name, int(memory[1]) * _MIB if memory else None, driver))
    return Accelerators(tuple(gpus), _element(report, "cuda_version")) if gpus else None


def parse_rocm(report: str, version: str | None) -> Accelerators | None:
    """Understand `rocm-smi --showproductname --showmeminfo vram --showdriverversion --json`."""
    import json

    try:
        cards = json.loads(report)
    except ValueError:
        return None
    if not isinstance(cards, dict):
        return None
    system = cards.get("system")
    driver = str(system.get("Driver version", "")) or None if isinstance(system, dict) else None
    gpus = []
    for label, card in sorted(cards.items()):
        if label.startswith("card") and isinstance(card, dict):
            name = card.get("Card Series") or card.get("Card series") or card.get("Card SKU")
            memory = str(card.get("VRAM Total Memory (B)", ""))
            gpus.append(Gpu(str(name or label), int(memory) if memory.isdigit() else None, driver))
    return Accelerators(tuple(gpus), f"rocm {version}" if version else None) if gpus else None


def _ask_nvidia(tool: str) -> Accelerators | None:
    report = _report([tool, "-q", "-x"])
    return None if report is None else parse_nvidia(report)


def _ask_rocm(tool: str) -> Accelerators | None:
    report = _report(
        [tool, "--showproductname", "--showmeminfo", "vram", "--showdriverversion", "--json"]
    )
    return None if report is None else parse_rocm(report, _first_line("/opt/rocm/.info/version"))


def _report(argv: list[str]) -> str | None:
    try:
        output = output_of(argv, _TIMEOUT_S)
    except OSError:
        return None
    return output.out.decode(errors="replace") if output.ok else None


def _machine_key(*tools: str | None) -> str:
    """Changes with the boot, the host (a home may be shared), the driver and the tools."""
    boot = _first_line("/proc/sys/kernel/random/boot_id")
    driver = _first_line("/sys/module/nvidia/version") or _first_line("/sys/module/amdgpu/version")
    stamps = [f"{tool}:{os.stat(tool).st_mtime_ns}" for tool in tools if tool is not None]  # noqa: PTH116
    return " ".join([str(boot), os.uname().nodename, str(driver), *stamps])


def _from_cache(kept: dict[str, Any], key: str) -> Accelerators | None:
    if kept.get("key") != key:
        return None
    try:
        if not kept["ok"] and time.time() - kept["at"] > _FAILURE_KEPT_S:
            return None
        return Accelerators(tuple(Gpu(**gpu) for gpu in kept["gpus"]), kept["runtime"])
    except (KeyError, TypeError):
        return None


def _element(xml: str, name: str) -> str | None:
    match = re.search(rf"<{name}>([^<]*)</{name}>", xml)
    return match[1].strip() or None if match else None


def _first_line(path: str) -> str | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 8 ms
            return file.readline(200).decode(errors="replace").strip() or None
    except OSError:
        return None
