"""Programs that some mechanisms cannot see into: seen, or admitted as a hole."""

from __future__ import annotations

from roar_core.testing.programs.table import PROGRAM, Program, Seen, Source, Unit, c

STATIC = Unit("static", flags=("-static",))
STATIC_PIE = Unit("static-pie", flags=("-static-pie",))
MUSL = Unit("musl", "musl")
# Both refuse or complain when another library is put before theirs.
SANITIZED = Unit("sanitized", flags=("-fsanitize=address",))
M32 = Unit("32-bit", flags=("-m32",))
GO = Unit("go", "go")
_COPY = """int in = open("in", O_RDONLY); CHECK(read(in, buffer, 8) == 8); put("out");"""

_GO_COPY = """package main

import "os"

func main() {
    content, err := os.ReadFile("in")
    if err != nil { os.Exit(1) }
    if os.WriteFile("out", content, 0644) != nil { os.Exit(2) }
}
"""
_FILTER = """
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
/* Kill for calls that the program does not make itself, but an observer inside might. */
static void forbid(void) {
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_getpid, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_readlinkat, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_gettid, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
    struct sock_fprog p = {sizeof f / sizeof *f, f};
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p));
}
"""

PROGRAMS: tuple[Program, ...] = (
    c(
        "static",
        _COPY,
        unit=STATIC,
        reads={"in"},
        writes={"out"},
        lacking={"sees_static": Seen({PROGRAM}, (), {"static"})},
    ),
    c(
        "static-position-independent",
        _COPY,
        unit=STATIC_PIE,
        reads={"in"},
        writes={"out"},
        lacking={"sees_static": Seen({PROGRAM}, (), {"static"})},
    ),
    c(
        "static-starts-another",
        'execlp("cp", "cp", "in", "out", (char *)0); return 1;',
        unit=STATIC,
        reads={"in"},
        writes={"out"},
        lacking={"sees_static": Seen({PROGRAM, "in"}, {"out"}, {"static"})},
    ),
    c(
        "sanitized",
        _COPY,
        # It looks for leaks by ptrace, which an observer may need for itself.
        top='const char *__asan_default_options(void) { return "detect_leaks=0"; }',
        unit=SANITIZED,
        reads={"in"},
        writes={"out"},
        lacking={"sees_raw_syscalls": Seen({PROGRAM}, (), {"interposer"})},
    ),
    c(
        "32-bit",
        _COPY,
        unit=M32,
        needs=("m32",),
        reads={"in"},
        writes={"out"},
        lacking={
            "sees_raw_syscalls": Seen({PROGRAM}, (), {"foreign_abi"}),
            "sees_foreign_abi": Seen({PROGRAM}, (), {"foreign_abi"}),
        },
    ),
    c(
        "musl-alone",
        _COPY,
        unit=MUSL,
        reads={"in"},
        writes={"out"},
        lacking={"sees_raw_syscalls": Seen({PROGRAM}, (), {"foreign_libc"})},
    ),
    c(
        "static-in-a-shell",
        _COPY,
        unit=STATIC,
        argv=("sh", "-c", f"cat in > one; ./{PROGRAM} static-in-a-shell; cat in > two"),
        reads={"in"},
        writes={"one", "two", "out"},
        lacking={"sees_static": Seen({PROGRAM, "in"}, {"one", "two"}, {"static"})},
    ),
    c(
        "musl",
        _COPY,
        unit=MUSL,
        argv=("sh", "-c", f"./{PROGRAM} musl; cat in > two"),
        reads={"in"},
        writes={"out", "two"},
        lacking={"sees_raw_syscalls": Seen({PROGRAM, "in"}, {"two"}, {"foreign_libc"})},
    ),
    Program(
        "go",
        ("sh", "-c", f"./{PROGRAM}; cat in > two"),
        Seen({PROGRAM, "in"}, {"out", "two"}),
        source=Source(GO, _GO_COPY),
        lacking={"sees_raw_syscalls": Seen({PROGRAM, "in"}, {"two"}, {"direct_calls"})},
        needs=("go",),
    ),
    c(
        "own-seccomp-filter",
        'get("in"); forbid(); put("out");',
        top=_FILTER,
        reads={"in"},
        writes={"out"},
        lacking={"sees_raw_syscalls": Seen({PROGRAM, "in"}, (), {"seccomp"})},
    ),
    c(
        "io-uring",
        'char parameters[120] = {0}; syscall(SYS_io_uring_setup, 4, parameters); get("in");',
        reads={"in"},
        lacking={"sees_io_uring": Seen({PROGRAM, "in"}, (), {"io_uring"})},
    ),
)
