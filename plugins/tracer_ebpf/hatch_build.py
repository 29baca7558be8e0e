"""Compile the starter when a wheel or an editable install is made; it needs the C library only."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAM = Path("src/roar_tracer_ebpf/_native/roar-ebpf-start")

# It runs before every command, so it is small: no lazy binding to resolve, no debug information.
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror=implicit", "-Wl,--hash-style=gnu", "-s")


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts roar-ebpf-start into wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "sdist":
            return
        if platform.system() == "Linux":
            self._compile(Path(self.root))
        build_data["pure_python"] = False
        machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{machine}"

    def _compile(self, root: Path) -> None:
        target = root / PROGRAM
        target.parent.mkdir(exist_ok=True)
        compiler = shlex.split(os.environ.get("CC", "cc"))
        fresh = target.with_suffix(".new")
        command = [*compiler, *FLAGS, "-o", str(fresh), str(root / "native/start.c")]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise SystemExit(
                _remedy(f"cannot run the C compiler {compiler[0]!r}: {error}")
            ) from None
        if done.returncode:
            raise SystemExit(_remedy(f"{shlex.join(command)}\n{done.stderr}the compiler failed"))
        fresh.replace(target)


def _remedy(what: str) -> str:
    return (
        f"{what}\nroar-tracer-ebpf needs a C compiler and the C library's headers: "
        "`apt install gcc libc6-dev` or `dnf install gcc glibc-devel`, or name yours in $CC"
    )
