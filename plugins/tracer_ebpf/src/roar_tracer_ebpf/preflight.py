"""What the eBPF tracer needs of a machine, and the remedy for each thing that is missing."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from roar_core.hookspecs import Preflight
from roar_tracer_ebpf.own import PYTHON

_ENABLE = "sudo roar tracer enable ebpf"
_BTF = "/sys/kernel/btf/vmlinux"
_TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
# include/linux/proc_ns.h: PROC_PID_INIT_INO.
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
_SYS_BPF = {"x86_64": 321, "aarch64": 280}

Check = tuple[str, bool, str]


def look(socket: str, daemon: str | None, starter: Path, rebuild: str) -> Preflight:
    """The verdict. `daemon` is what is wrong with the one at `socket`, None when there is none."""
    checks: list[Check] = []
    remedies: list[tuple[str, str]] = []

    def check(what: str, passed: bool, detail: str, reason: str, remedy: str) -> bool:
        checks.append((what, passed, detail))
        if not passed:
            remedies.append((reason, remedy))
        return passed

    machine = os.uname().machine
    is_linux = os.uname().sysname == "Linux" and machine in _SYS_BPF
    words = f"{os.uname().sysname} {machine}"
    if not check(
        "system", is_linux, words, f"ebpf works on Linux x86-64 and aarch64, not {words}", ""
    ):
        return _verdict(checks, remedies)
    check("starter", starter.is_file(), str(starter), f"{starter} is missing", rebuild)
    if daemon == "":
        checks.append(("daemon", True, socket))
        return _verdict(checks, remedies)
    if os.geteuid() != 0:
        if daemon is None:
            reason, remedy = "the daemon roard is not running, and you are not root", _ENABLE
        else:
            reason, remedy = daemon, "" if "renew it:" in daemon else _again(daemon)
        check("daemon", False, daemon or "not running", reason, remedy)
        return _verdict(checks, remedies)
    if daemon is None:
        checks.append(("daemon", True, "not running; each run loads a collector of its own"))
    else:
        checks.append(("daemon", True, f"not used: {daemon}"))
    _look_as_root(check, machine)
    return _verdict(checks, remedies)


def _again(daemon: str) -> str:
    if "group" in daemon:
        return "ask root to add you, or: sudo roar config set ebpf.group, then enable it again"
    return f"sudo roar tracer disable ebpf, then {_ENABLE}"


def _look_as_root(check: object, machine: str) -> None:
    assert callable(check)
    has_python = os.access(PYTHON, os.X_OK)
    check("interpreter", has_python, PYTHON, f"{PYTHON} is missing", "apt install python3")
    packages = ("/usr/lib/python3/dist-packages/bcc", "/usr/lib/python3/site-packages/bcc")
    bcc = next((path for path in packages if os.path.isdir(path)), _fedoras())  # noqa: PTH112
    install = "apt install python3-bpfcc"
    check("bcc", bool(bcc), bcc or "not found", f"{PYTHON} has no bcc", install)
    has_types = os.path.exists(_BTF)  # noqa: PTH110
    needs = "boot a kernel built with CONFIG_DEBUG_INFO_BTF"
    check("kernel types", has_types, _BTF, f"the kernel tells no types: {_BTF} is missing", needs)
    tracefs = next((path for path in _TRACEFS if os.path.isdir(path)), "")  # noqa: PTH112
    missing = "the kernel has no tracefs"
    check("tracefs", bool(tracefs), tracefs or "missing", missing, "boot one with CONFIG_FTRACE")
    namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    is_first = namespace == _FIRST_PID_NAMESPACE
    inside = "this is a container with process numbers of its own"
    check("processes", is_first, namespace, inside, "roar tracer use ptrace")
    if machine == platform.machine():
        refusal = _refusal_of_bpf(machine)
        detail = refusal or "allowed"
        refused = f"the kernel refuses bpf(2): {refusal}"
        remedy = "give the container CAP_BPF and CAP_PERFMON, or look for a lockdown: dmesg"
        check("bpf(2)", not refusal, detail, refused, remedy)


def _fedoras() -> str:
    for path in Path("/usr/lib").glob("python3.*/site-packages/bcc"):
        return str(path)
    return ""


def _refusal_of_bpf(machine: str) -> str:
    """Why a map of one element cannot be made; empty when it can."""
    import ctypes
    import struct

    libc = ctypes.CDLL(None, use_errno=True)
    # union bpf_attr: map_type BPF_MAP_TYPE_ARRAY, key_size, value_size, max_entries, map_flags.
    request = ctypes.create_string_buffer(struct.pack("=5I", 2, 4, 4, 1, 0), 72)
    fd = libc.syscall(_SYS_BPF[machine], 0, request, ctypes.c_uint(72))
    if fd < 0:
        return os.strerror(ctypes.get_errno())
    os.close(fd)
    return ""


def _verdict(checks: list[Check], remedies: list[tuple[str, str]]) -> Preflight:
    if not remedies:
        return Preflight(ok=True, checks=tuple(checks))
    reason, remedy = remedies[0]
    return Preflight(ok=False, reason=reason, remedy=remedy, checks=tuple(checks))
