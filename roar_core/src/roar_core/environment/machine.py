"""The machine a run happened on, and the interpreter that its program was run by.

Everything is read from files in well under a millisecond, except what a helper program must be
asked for: the accelerators (see `gpus`) and an interpreter's version; both are cached.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from roar_core.environment.container import container
from roar_core.environment.gpus import accelerators
from roar_core.environment.interpreter import interpreters
from roar_core.model.environment import Environment


def environment(
    programs: Iterable[str],
    variables: Iterable[str] = (),
    *,
    environ: Mapping[str, str] | None = None,
) -> Environment:
    """Describe this machine and the Python, if any, among the `programs` that a run executed.

    `programs` are absolute paths; `variables` names what of `environ` (default: this process's) is
    recorded, and only that. Never raises: what cannot be found out is None.
    """
    environ = os.environ if environ is None else environ
    found = accelerators(environ)
    return Environment(
        os=_operating_system(),
        arch=os.uname().machine,
        interpreter=interpreters(programs, environ),
        cpu=_cpu_model(),
        memory_bytes=_memory_bytes(),
        gpus=found.gpus,
        cuda=found.runtime,
        container=container(environ),
        variables={name: environ[name] for name in sorted(set(variables)) if name in environ},
    )


def _operating_system() -> str:
    """The distribution as it calls itself, and the kernel: os-release(5), uname(2)."""
    kernel = os.uname()
    name = ""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        if match := re.search(r'^PRETTY_NAME=["\']?([^"\'\n]*)', _text(path), re.MULTILINE):
            name = match[1].strip()
            break
    return f"{name or 'unknown distribution'}, {kernel.sysname} {kernel.release}"


def _cpu_model() -> str | None:
    """`model name` of the first processor; on ARM, which has none, what the board calls itself."""
    # The kernel writes this file as it is read; on a hundred cores all of it takes milliseconds.
    head = _text("/proc/cpuinfo", 4096)
    match = re.search(r"^(?:model name|cpu model|Hardware)\s*:\s*(.+)$", head, re.MULTILINE)
    if match:
        return match[1].strip()
    return _text("/sys/firmware/devicetree/base/model").rstrip("\0\n") or None


def _memory_bytes() -> int | None:
    match = re.search(r"^MemTotal:\s*(\d+) kB", _text("/proc/meminfo", 4096), re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _text(path: str, most: int = 1 << 16) -> str:
    """The beginning of a small text file, empty when it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 8 ms
            return file.read(most).decode(errors="replace")
    except OSError:
        return ""
