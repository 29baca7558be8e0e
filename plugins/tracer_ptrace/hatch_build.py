"""Compile roar-ptrace when a wheel, an editable install or a source distribution is made.

The journal's header has one master, in roar_core: a checkout compiles against it where it lies, a
source distribution carries a copy in native/. roar_core is never imported here: pip builds in an
environment that does not have it.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HEADER = "roar_journal.h"
STARTER = Path("src/roar_tracer_ptrace/_native/roar-ptrace")

FLAGS = ("-O2", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-pthread", "-s")
# Without a dynamic loader the starter begins 0.4 ms sooner, and nothing of the user's environment
# (LD_PRELOAD, LD_LIBRARY_PATH) gets into the helper. Not every system has static libraries.
LINKS = (("-static",), ())


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts roar-ptrace into wheels and roar_journal.h into source distributions."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if self.target_name == "sdist":
            build_data["force_include"][str(_header(root))] = f"native/{HEADER}"
            return
        if platform.system() == "Linux":
            _compile(root)
        build_data["pure_python"] = False
        machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{machine}"


def _header(root: Path) -> Path:
    beside = root / "native" / HEADER
    master = root.parent.parent / "roar_core/src/roar_core/include" / HEADER
    for path in (beside, master):
        if path.is_file():
            return path
    raise SystemExit(f"{HEADER} is missing: build from a checkout or from a source distribution")


def _compile(root: Path) -> None:
    target = root / STARTER
    target.parent.mkdir(exist_ok=True)
    # Built beside and renamed: a helper that runs keeps the old file whole.
    fresh = target.with_suffix(".new")
    sources = sorted(str(path) for path in (root / "native").glob("*.c"))
    includes = (f"-I{_header(root).parent}", f"-I{root / 'native'}")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    complaint = ""
    for link in LINKS:
        command = [*compiler, *FLAGS, *link, *includes, "-o", str(fresh), *sources]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise SystemExit(_remedy(f"cannot run the C compiler: {error}")) from None
        if done.returncode == 0:
            fresh.replace(target)
            return
        complaint = f"{shlex.join(command)}\n{done.stderr}the compiler failed"
    raise SystemExit(_remedy(complaint))


def _remedy(what: str) -> str:
    return (
        f"{what}\nroar-tracer-ptrace needs a C compiler and the headers of the C library and of "
        "Linux: `apt install gcc libc6-dev` or `dnf install gcc glibc-devel`, or name yours in $CC"
    )
