"""What the machine must have for a test marked `@pytest.mark.needs("cc", …)`, and how to get it."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

from roar_core.hookspecs import Tracer

# need -> (programs that must be on PATH, how to come by them)
_PROGRAMS = {
    "b3sum": (("b3sum",), "apt install b3sum"),
    "cc": (("cc",), "apt install gcc libc6-dev"),
    "chromium": (("chromium", "chromedriver"), "apt install chromium chromium-driver"),
    "dot": (("dot",), "apt install graphviz"),
    "gdb": (("gdb",), "apt install gdb"),
    "git": (("git",), "apt install git"),
    "go": (("go",), "apt install golang-go"),
    "ip": (("ip", "nsenter"), "apt install iproute2"),
    "make": (("make",), "apt install make"),
    "musl": (("musl-gcc",), "apt install musl-tools"),
    "sqlite3": (("sqlite3",), "apt install sqlite3"),
    "ssh-keygen": (("ssh-keygen",), "apt install openssh-client"),
    "strace": (("strace",), "apt install strace"),
    "tmux": (("tmux",), "apt install tmux"),
}


def leave_out(reason: str) -> NoReturn:
    """Skip the running test for `reason`; under `ROAR_TEST_EVERYTHING` fail it instead."""
    import pytest

    if os.environ.get("ROAR_TEST_EVERYTHING"):
        pytest.fail(f"{reason} (ROAR_TEST_EVERYTHING is set: nothing may be skipped)")
    pytest.skip(reason)


def require_usable(tracer: Tracer) -> None:
    """Leave the running test out where `tracer` does not work, with the remedy it gives."""
    verdict = tracer.preflight()
    if not verdict.ok:
        leave_out(f"tracer {tracer.name}: {verdict.reason}; {verdict.remedy}")


def require_any_tracer() -> None:
    """Leave the running test out where no installed tracer works."""
    from roar_core.plugins import tracers

    if not any(tracer.preflight().ok for tracer in tracers().usable):
        leave_out("no tracer works here; see: roar tracer check")


def missing(need: str) -> str | None:
    """Why `need` cannot be met on this machine, with the remedy; None when it can.

    Raises `KeyError` for a need nobody has described, so that a misspelt mark fails its test.
    """
    if need == "root":
        return None if os.geteuid() == 0 else "needs root; run the tests with sudo"
    if need == "m32":
        return _cannot_compile_32_bit()
    if need == "aarch64":
        # Debian's gcc for it and gcc-multilib exclude each other; clang compiles for everybody.
        there = shutil.which("clang") and os.path.isdir("/usr/aarch64-linux-gnu/include")  # noqa: PTH112
        return None if there else "needs clang and headers; apt install clang libc6-dev-arm64-cross"
    programs, remedy = _PROGRAMS[need]
    absent = [program for program in programs if shutil.which(program) is None]
    return f"needs {', '.join(absent)}; {remedy}" if absent else None


def _cannot_compile_32_bit() -> str | None:
    import subprocess

    if without_compiler := missing("cc"):
        return without_compiler
    trial = subprocess.run(
        ["cc", "-m32", "-x", "c", "-o", os.devnull, "-"],
        input=b"#include <stdio.h>\nint main(void) { return 0; }\n",
        capture_output=True,
        check=False,
    )
    return "needs a 32-bit C library; apt install libc6-dev-i386" if trial.returncode else None
