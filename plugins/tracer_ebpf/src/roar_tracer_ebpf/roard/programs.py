"""Compile, load and attach trace.bpf.c with bcc; what is left of it are descriptors.

bcc brings 100 MB of compiler with it. So the process that loaded the programs executes itself
again, keeping the descriptors: attachments live as long as these.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from roar_tracer_ebpf.roard import layout
from roar_tracer_ebpf.roard.btf import VMLINUX, BtfError, member_offsets

TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
# The programs that say whether a file was read or written. Without them (before Linux 6.13) every
# file opened for reading counts as read.
READ_POINTS = {
    "mm_filemap_get_pages": "on_pages",
    "mm_filemap_map_pages": "on_pages",
    "mm_filemap_fault": "on_pages",
}
_WRITE_POINTS = {"ctime_ns_xchg": "on_ctime", "ctime_xchg_skip": "on_ctime"}
_OTHER_POINTS = {"iomap_dio_rw_begin": "on_direct", "io_uring_submit_req": "on_io_uring"}
_PROCESS_POINTS = {
    "sched_process_fork": "on_fork",
    "sched_process_exit": "on_exit",
    "sched_process_exec": "on_exec",
}
_HEADERS = (
    "linux/types.h",
    "linux/bpf_common.h",
    "linux/version.h",
    "uapi/linux/if_ether.h",
    "uapi/linux/ptrace.h",
    "linux/log2.h",
    "asm/page.h",
    "uapi/linux/if_packet.h",
    "uapi/linux/bpf.h",
)
_KCONFIG = """
#define CONFIG_BPF_SYSCALL 1
#define PAGE_SIZE 4096
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 15, 0)
#define __always_inline inline __attribute__((always_inline))
#ifndef NULL
#define NULL ((void *)0)
#endif
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32;
typedef unsigned long long u64; typedef signed char s8; typedef short s16; typedef int s32;
typedef long long s64; typedef u8 __u8; typedef u16 __u16; typedef u32 __u32; typedef u64 __u64;
typedef s8 __s8; typedef s16 __s16; typedef s32 __s32; typedef s64 __s64;
typedef u16 __be16; typedef u32 __be32; typedef u64 __be64; typedef u16 __le16; typedef u32 __le32;
typedef u64 __le64; typedef u32 __wsum; typedef u16 __sum16; typedef _Bool bool;
typedef unsigned long size_t; typedef unsigned long uintptr_t;
typedef u64 __aligned_u64 __attribute__((aligned(8)));
"""


class LoadError(Exception):
    """The programs could not be loaded; the text says why and what to do."""


class Loaded(NamedTuple):
    """Descriptors of the maps, and those that keep the programs attached.

    `sees_reads` and `sees_writes` say which proofs this kernel offers.
    """

    maps: dict[str, int]
    links: list[int]
    sees_reads: bool
    sees_writes: bool


def mount_tracefs() -> str:
    """Where tracefs is; it is mounted when it is nowhere. Raises LoadError."""
    for folder in TRACEFS:
        if Path(folder, "events").is_dir():
            return folder
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tracefs", TRACEFS[0].encode(), b"tracefs", 0, None):
        error = os.strerror(ctypes.get_errno())
        raise LoadError(f"tracefs cannot be mounted: {error}; mount it at {TRACEFS[0]}")
    return TRACEFS[0]


def load(ring_pages: int) -> Loaded:
    """Compile for the running kernel, load, and attach everything this kernel has.

    Raises LoadError with one sentence for the user.
    """
    try:
        import bcc  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise LoadError(
            f"bcc cannot be imported: {error}; install it: apt install python3-bpfcc"
        ) from None
    tracing = mount_tracefs()
    machine = platform.machine()
    try:
        offsets = member_offsets(Path(VMLINUX).read_bytes(), layout.STRUCTURES)
        macros = layout.macros(offsets, machine)
    except OSError as error:
        raise LoadError(
            f"the kernel tells no types: {error}; it needs CONFIG_DEBUG_INFO_BTF"
        ) from None
    except BtfError as error:
        raise LoadError(str(error)) from None
    defines = [f"-D{name}={value}" for name, value in macros.items()]
    defines.append(f"-DRING_PAGES={ring_pages}")
    source = (Path(__file__).parent / "trace.bpf.c").read_text()
    stub = _stub_headers()
    os.environ["BCC_KERNEL_SOURCE"] = stub
    try:
        compiled = bcc.BPF(text=source, cflags=[*defines, "-Wno-duplicate-decl-specifier"])
        return _attach(bcc.BPF, compiled, tracing, machine)
    except Exception as error:  # bcc raises bare ones
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LoadError(f"the kernel refuses the programs: {reason}") from None
    finally:
        shutil.rmtree(stub, ignore_errors=True)


def _attach(kinds: Any, compiled: Any, tracing: str, machine: str) -> Loaded:
    tracepoint, raw = kinds.TRACEPOINT, kinds.RAW_TRACEPOINT
    for table, steps, kind in (
        ("steps", ("walk", "emit_event"), tracepoint),
        ("raw_steps", ("raw_walk", "raw_emit_event"), raw),
    ):
        for index, name in enumerate(steps):
            step = compiled.load_func(name, kind)
            compiled[table][ctypes.c_int(index)] = ctypes.c_int(step.fd)
    numbers = layout.NUMBERS[machine]
    classes = compiled["classes"]
    for call, number in numbers.items():
        classes[ctypes.c_int(number)] = ctypes.c_uint32(layout.CLASSES[layout.CALLS[call]])
    attached = set()
    for points in (_PROCESS_POINTS, READ_POINTS, _WRITE_POINTS, _OTHER_POINTS):
        for point, function in points.items():
            try:
                compiled.attach_raw_tracepoint(tp=point, fn_name=function)
            except Exception:  # bcc raises bare ones
                if points is _PROCESS_POINTS:
                    raise
                continue
            attached.add(point)
    for calls, function in (
        (layout.OPEN_CALLS, "on_open_exit"),
        (layout.NAME_CALLS, "on_name_exit"),
        (("mmap",), "on_mmap_exit"),
    ):
        compiled.load_func(function, tracepoint)
        for call in calls:
            if call in numbers and Path(tracing, f"events/syscalls/sys_exit_{call}").is_dir():
                compiled.attach_tracepoint(tp=f"syscalls:sys_exit_{call}", fn_name=function)
    maps = {
        name: compiled[name].map_fd if name != "events" else compiled["events"].map_fd
        for name in ("tracked", "runs", "slots", "events", "steps", "raw_steps")
    }
    links = [*compiled.raw_tracepoint_fds.values(), *compiled.tracepoint_fds.values()]
    return Loaded(maps, links, READ_POINTS.keys() <= attached, _WRITE_POINTS.keys() <= attached)


def _stub_headers() -> str:
    """A directory that stands for the kernel's headers, which are seldom installed."""
    folder = tempfile.mkdtemp(prefix="roar-bcc-")
    include = Path(folder, "include")
    for name in _HEADERS:
        path = include / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (include / "linux/kconfig.h").write_text(_KCONFIG)
    return folder
