"""Compile the library for BLAKE3's inner nodes when a wheel or an editable install is made."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = Path("src/roar_proxy_s3/_native/libroar_blake3_tree.so")
FLAGS = (
    *("-shared", "-fPIC", "-O3", "-std=gnu11", "-Wall", "-Wextra", "-Wno-psabi"),
    *("-fvisibility=hidden", "-s"),
)


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts libroar_blake3_tree.so into wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "sdist":
            return
        if platform.system() == "Linux":
            _compile(Path(self.root))
        build_data["pure_python"] = False
        machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{machine}"


def _compile(root: Path) -> None:
    target = root / LIBRARY
    target.parent.mkdir(exist_ok=True)
    compiler = shlex.split(os.environ.get("CC", "cc"))
    # Built beside and renamed: a process that has the old library mapped keeps it whole.
    fresh = target.with_suffix(".new")
    source = root / "native" / "blake3_tree.c"
    command = [*compiler, *FLAGS, "-o", str(fresh), str(source)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SystemExit(_remedy(f"cannot run the C compiler {compiler[0]!r}: {error}")) from None
    if done.returncode:
        raise SystemExit(_remedy(f"{shlex.join(command)}\n{done.stderr}the compiler failed"))
    fresh.replace(target)


def _remedy(what: str) -> str:
    return (
        f"{what}\nroar-proxy-s3 needs a C compiler and the C library's headers: "
        "`apt install gcc libc6-dev` or `dnf install gcc glibc-devel`, or name yours in $CC"
    )
