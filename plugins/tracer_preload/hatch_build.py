"""Compile the preload library when a wheel, an editable install or a source distribution is made.

The journal's header has one master, in roar_core. A checkout compiles against it where it lies; a
source distribution carries a copy in native/. roar_core itself is never imported: pip builds in an
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
LIBRARY = Path("src/roar_tracer_preload/_native/libroar_preload.so")

# A program's start-up pays for every segment, relocation and crt file of a preloaded library: 20 us
# of 46 (measured over 300 x /bin/true). Unwind tables stay: a thread may be cancelled in open(2),
# and the unwinder must pass through us to the program's own clean-up handlers.
FLAGS = (
    *("-shared", "-fPIC", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror=implicit"),
    *("-fvisibility=hidden", "-ffreestanding", "-fno-builtin", "-fno-stack-protector"),
    *("-fno-delete-null-pointer-checks", "-fno-strict-aliasing", "-fasynchronous-unwind-tables"),
    *(
        "-fno-tree-loop-distribute-patterns",
        "-ftls-model=initial-exec",
        "-fno-semantic-interposition",
    ),
    *("-U_FORTIFY_SOURCE", "-D_GNU_SOURCE", "-nostartfiles"),
    *("-Wl,-z,norelro", "-Wl,-z,noseparate-code", "-Wl,--hash-style=gnu", "-Wl,--build-id=none"),
    *("-Wl,-z,lazy", "-Wl,-z,noexecstack", "-Wl,-Bsymbolic", "-Wl,--as-needed", "-Wl,-O1", "-s"),
)

# Outline atomics call into libgcc, whose own constructor asks libc for the processor's abilities.
MACHINE_FLAGS = {"aarch64": ("-mno-outline-atomics",)}


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts libroar_preload.so into wheels and roar_journal.h into source distributions."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if self.target_name == "sdist":
            build_data["force_include"][str(self._header(root))] = f"native/{HEADER}"
            return
        if platform.system() == "Linux":
            self._compile(root)
        build_data["pure_python"] = False
        machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{machine}"

    def _header(self, root: Path) -> Path:
        copies = (
            root / "native" / HEADER,
            root.parent.parent / "roar_core/src/roar_core/include" / HEADER,
        )
        for path in copies:
            if path.is_file():
                return path
        raise SystemExit(
            f"{HEADER} is missing: build from a checkout or from a source distribution"
        )

    def _compile(self, root: Path) -> None:
        target = root / LIBRARY
        target.parent.mkdir(exist_ok=True)
        sources = sorted(str(path) for path in (root / "native").glob("*.[cS]"))
        compiler = shlex.split(os.environ.get("CC", "cc"))
        # Built beside and renamed: a program that has the old library mapped keeps it whole.
        fresh = target.with_suffix(".new")
        includes = (f"-I{self._header(root).parent}", f"-I{root / 'native'}")
        command = [
            *compiler,
            *FLAGS,
            *MACHINE_FLAGS.get(platform.machine(), ()),
            *includes,
            "-o",
            str(fresh),
            *sources,
            "-ldl",
        ]
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
        f"{what}\nroar-tracer-preload needs a C compiler and the C library's headers: "
        "`apt install gcc libc6-dev` or `dnf install gcc glibc-devel`, or name yours in $CC"
    )
