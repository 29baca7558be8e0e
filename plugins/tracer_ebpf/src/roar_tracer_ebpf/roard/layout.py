"""What trace.bpf.c is compiled with: the kernel's offsets, the machine's registers and calls."""

from __future__ import annotations

from collections.abc import Mapping

from roar_tracer_ebpf.roard.btf import BtfError

# Structure -> members. "a|b" takes the first that exists: kernels have renamed them.
_MEMBERS = {
    "task_struct": (*("tgid", "files", "fs", "mm", "signal", "exit_code", "cred"),),
    "cred": ("euid",),
    "files_struct": ("fdt",),
    "fdtable": ("fd", "max_fds"),
    "file": ("f_mode", "f_flags", "f_path", "f_inode"),
    "path": ("mnt", "dentry"),
    "dentry": ("d_parent", "d_name"),
    "qstr": ("name", "hash_len"),
    "vfsmount": ("mnt_root",),
    "mount": ("mnt", "mnt_parent", "mnt_mountpoint", "mnt_ns"),
    "inode": ("i_mode", "i_sb", "i_ino", "i_generation", "i_size", "i_nlink", "i_flags"),
    "super_block": ("s_dev", "s_magic"),
    "address_space": ("host",),
    "fs_struct": ("root", "pwd"),
    "mm_struct": ("arg_start", "arg_end"),
    "signal_struct": ("live", "group_exit_code"),
    "linux_binprm": ("file", "filename", "buf"),
    "io_kiocb": ("opcode",),
    "kiocb": ("ki_filp",),
}
STRUCTURES = frozenset(_MEMBERS)

# Linux 6.11 split the times into seconds and nanoseconds; before they were a timespec64.
_TIMES = {
    "mtime": ("i_mtime_sec", "i_mtime_nsec", ("__i_mtime", "i_mtime")),
    "ctime": ("i_ctime_sec", "i_ctime_nsec", ("__i_ctime", "i_ctime")),
}

CLASSES = {
    "OTHER": 0,
    "ATTRIBUTES": 1,
    "OPEN": 2,
    "OPENAT": 3,
    "OPENAT2": 4,
    "CREAT": 5,
    "RENAME": 6,
    "RENAMEAT": 7,
    "LINK": 8,
    "LINKAT": 9,
    "UNLINK": 10,
    "UNLINKAT": 11,
    "TRUNCATE": 12,
    "FTRUNCATE": 13,
    "MMAP": 14,
}

# Call -> class. ATTRIBUTES are calls that set an inode's ctime and leave its content alone.
CALLS = {
    "open": "OPEN",
    "openat": "OPENAT",
    "openat2": "OPENAT2",
    "creat": "CREAT",
    "open_by_handle_at": "OPENAT",
    "rename": "RENAME",
    "renameat": "RENAMEAT",
    "renameat2": "RENAMEAT",
    "link": "LINK",
    "linkat": "LINKAT",
    "unlink": "UNLINK",
    "unlinkat": "UNLINKAT",
    "truncate": "TRUNCATE",
    "ftruncate": "FTRUNCATE",
    "mmap": "MMAP",
    **dict.fromkeys(
        (
            *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"),
            *("utime", "utimes", "futimesat", "utimensat", "rmdir", "mkdir", "mkdirat", "mknod"),
            *("mknodat", "symlink", "symlinkat", "setxattr", "lsetxattr", "fsetxattr"),
            *("removexattr", "lremovexattr", "fremovexattr", "setxattrat", "removexattrat"),
            *("file_setattr",),
        ),
        "ATTRIBUTES",
    ),
}
OPEN_CALLS = ("open", "openat", "openat2", "creat", "open_by_handle_at")
NAME_CALLS = (
    *("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"),
    *("truncate", "ftruncate"),
)

# arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h
_NEW = {"openat2": 437, "fchmodat2": 452, "setxattrat": 463, "removexattrat": 466}
_NEW |= {"file_setattr": 469}
NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {
        "open": 2,
        "mmap": 9,
        "truncate": 76,
        "ftruncate": 77,
        "rename": 82,
        "mkdir": 83,
        "rmdir": 84,
        "creat": 85,
        "link": 86,
        "unlink": 87,
        "symlink": 88,
        "chmod": 90,
        "fchmod": 91,
        "chown": 92,
        "fchown": 93,
        "lchown": 94,
        "utime": 132,
        "mknod": 133,
        "setxattr": 188,
        "lsetxattr": 189,
        "fsetxattr": 190,
        "removexattr": 197,
        "lremovexattr": 198,
        "fremovexattr": 199,
        "utimes": 235,
        "openat": 257,
        "mkdirat": 258,
        "mknodat": 259,
        "fchownat": 260,
        "futimesat": 261,
        "unlinkat": 263,
        "renameat": 264,
        "linkat": 265,
        "symlinkat": 266,
        "fchmodat": 268,
        "utimensat": 280,
        "open_by_handle_at": 304,
        "renameat2": 316,
        **_NEW,
    },
    "aarch64": {
        "setxattr": 5,
        "lsetxattr": 6,
        "fsetxattr": 7,
        "removexattr": 14,
        "lremovexattr": 15,
        "fremovexattr": 16,
        "mknodat": 33,
        "mkdirat": 34,
        "unlinkat": 35,
        "symlinkat": 36,
        "linkat": 37,
        "renameat": 38,
        "truncate": 45,
        "ftruncate": 46,
        "fchmod": 52,
        "fchmodat": 53,
        "fchownat": 54,
        "fchown": 55,
        "openat": 56,
        "utimensat": 88,
        "mmap": 222,
        "open_by_handle_at": 265,
        "renameat2": 276,
        **_NEW,
    },
}

# struct pt_regs: the number of the call and its first five arguments, untouched at its exit.
_REGISTERS = {
    "x86_64": {"NR": 120, "0": 112, "1": 104, "2": 96, "3": 56, "4": 72},
    "aarch64": {"NR": 280, "0": 272, "1": 8, "2": 16, "3": 24, "4": 32},
}


def macros(offsets: Mapping[str, Mapping[str, int]], machine: str) -> dict[str, int]:
    """Every name that trace.bpf.c expects to be defined.

    Raises BtfError when this kernel lacks a member, or the machine is none we know.
    """
    if machine not in _REGISTERS:
        raise BtfError(f"no system call table for {machine}")
    defined = {f"REG_{name}": offset for name, offset in _REGISTERS[machine].items()}
    defined |= {f"CLASS_{name}": number for name, number in CLASSES.items()}
    for structure, members in _MEMBERS.items():
        for member in members:
            name = f"OFF_{structure}_{member}"
            defined[name] = _offset(offsets, structure, member)
    for time, (seconds, nanoseconds, old) in _TIMES.items():
        inode = offsets["inode"]
        if seconds in inode:
            pair = inode[seconds], inode[nanoseconds]
        else:
            at = next((inode[name] for name in old if name in inode), None)
            if at is None:
                raise BtfError(f"this kernel's inode has no {time}")
            pair = at, at + 8
        defined[f"OFF_inode_{time}_sec"], defined[f"OFF_inode_{time}_nsec"] = pair
    # Members near a structure's beginning are copied as one block; a far one would make it large.
    far = "OFF_inode_i_generation"
    for structure in ("inode", "file", "dentry", "super_block"):
        mark = f"OFF_{structure}_"
        near = [value for name, value in defined.items() if mark in name and name != far]
        defined[f"RAW_{structure.upper()}"] = (max(near) + 23) & ~7
    return defined


def _offset(offsets: Mapping[str, Mapping[str, int]], structure: str, member: str) -> int:
    try:
        return offsets[structure][member]
    except KeyError:
        raise BtfError(f"this kernel's {structure} has no member {member}") from None
