"""In a stranger's process: small stacks, tight limits, filters, full journals. The program comes first."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roar_core.journal import PREIMAGE_DONE, Intent, Journal, Kind

WORK = """for (int i = 0; i < 200; i++) { char n[16]; sprintf(n, "f%d", i);
    int fd = open(n, O_WRONLY | O_CREAT, 0600); CHECK(fd >= 0); CHECK(write(fd, n, 2) == 2); CHECK(!close(fd)); }"""


def test_errno_is_kept(run: Callable) -> None:
    run(
        """errno = 42; int fd = open("in", O_RDONLY); CHECK(errno == 42); close(fd); CHECK(errno == 42);
        fd = open("new", O_WRONLY | O_CREAT, 0600); CHECK(errno == 42); rename("new", "newer"); CHECK(errno == 42);
        unlink("newer"); CHECK(errno == 42); fclose(fopen("in", "r")); errno = 42;
        if (!fork()) _exit(errno != 42); int s; wait(&s); CHECK(!s); CHECK(errno == 42);
        CHECK(open("absent", O_RDONLY) < 0 && errno == ENOENT);
        CHECK(execl("/absent", "x", (char *)0) < 0 && errno == ENOENT);"""
    )


def test_descriptors_are_handed_out_as_ever(run: Callable) -> None:
    run(
        'CHECK(open("in", O_RDONLY) == 3); CHECK(open("new", O_RDWR | O_CREAT, 0600) == 4); CHECK(dup(0) == 5);'
    )


def test_a_program_that_closes_everything_is_still_followed(run: Callable) -> None:
    traced = run(
        """for (int fd = 0; fd < 1024; fd++) close(fd); CHECK(open("in", O_RDONLY) == 0);
        read(0, buffer, 9); closefrom(0); open("out", O_WRONLY | O_CREAT, 0600); execl("/bin/true", "true", (char *)0);"""
    )
    assert not traced.is_unused("in")
    assert traced.opens("out") == [Intent.WRITE | Intent.CREATED]
    assert len(traced.of(Kind.START)) == 2


def test_the_smallest_thread_stack_is_enough(run: Callable) -> None:
    traced = run(
        """#include <limits.h>
        void *work(void *x) { int fd = open("in", O_RDONLY); CHECK(fd >= 0); read(fd, buffer, 9); close(fd);
            fd = open("new", O_WRONLY | O_CREAT | O_TRUNC, 0600); close(fd); CHECK(!rename("new", "newer"));
            CHECK(!unlink("newer"));
            if (!vfork()) { execl("/bin/true", "true", (char *)0); _exit(1); } wait(0); return 0; }
        int main(void) { pthread_t t; pthread_attr_t a; pthread_attr_init(&a);
            CHECK(!pthread_attr_setstacksize(&a, PTHREAD_STACK_MIN));
            CHECK(!pthread_create(&t, &a, work, 0)); pthread_join(t, 0); return 0; }""",
        whole=True,
    )
    assert traced.named(Kind.UNLINK) == [("newer",)]


def test_signal_handlers_may_open_files_at_any_moment(run: Callable) -> None:
    traced = run(
        """#include <sys/time.h>
        static int n; void handler(int s) { int e = errno; char p[16]; int k = n++; sprintf(p, "s%d", k);
            /* On a slow machine the timer would fill the journal, whose reader is not there. */
            if (n == 20000) { struct itimerval off = {0}; setitimer(ITIMER_REAL, &off, 0); }
            int fd = open(p, O_WRONLY | O_CREAT, 0600); close(fd); unlink(p); errno = e; }
        int main(void) { struct sigaction a = {.sa_handler = handler}; sigaction(SIGALRM, &a, 0);
            struct itimerval t = {{0, 200}, {0, 200}}; setitimer(ITIMER_REAL, &t, 0);
            for (int i = 0; i < 20000; i++) { int fd = open("in", O_RDONLY); if (fd >= 0) { read(fd, buffer, 9); close(fd); } }
            t = (struct itimerval){0}; setitimer(ITIMER_REAL, &t, 0); printf("%d", n); return 0; }""",
        whole=True,
    )
    created = [r for r in traced.of(Kind.OPEN) if Intent.CREATED & r.value]
    assert len(created) == int(traced.stdout) > 0


def test_a_cancelled_thread_runs_its_clean_up(run: Callable) -> None:
    """The unwinder passes through our frame: a thread that waits in open(2) of a fifo is cancelled."""
    run(
        """void clean(void *x) { *(int *)x = 7; }
        static int cleaned;
        void *work(void *x) { __attribute__((cleanup(clean))) int local = 1; pthread_cleanup_push(clean, &cleaned);
            open("fifo", O_RDONLY); pthread_cleanup_pop(0); return 0; }
        int main(void) { mkfifo("fifo", 0600); pthread_t t; pthread_create(&t, 0, work, 0); usleep(50000);
            pthread_cancel(t); void *r; pthread_join(t, &r); CHECK(r == PTHREAD_CANCELED); CHECK(cleaned == 7);
            return 0; }""",
        "-fexceptions",
        whole=True,
    )


def test_a_limit_on_memory_costs_no_record(trace: Callable, build: Callable) -> None:
    """16 MiB do not fit: records go by pwrite."""
    program = build(WORK)
    for limit in (100_000, 12_000):
        traced = trace("bash", "-c", f"ulimit -v {limit}; exec {program}")
        assert (traced.code, traced.lost) == (0, 0), traced.stderr
        assert all(traced.opens(f"f{i}") for i in range(200)), limit


def test_a_limit_on_file_size_never_kills(trace: Callable, build: Callable) -> None:
    traced = trace("bash", "-c", f"ulimit -f 4; exec {build(WORK)}")
    assert (traced.code, traced.lost) == (0, 0)
    assert all(traced.opens(f"f{i}") for i in range(200))
    traced = trace("bash", "-c", f"ulimit -f 4; ulimit -v 12000; exec {build(WORK)}")
    assert traced.code == 0
    assert traced.lost or all(traced.opens(f"f{i}") for i in range(200))


def test_a_full_journal_counts_what_is_lost_and_harms_nobody(
    trace: Callable, build: Callable
) -> None:
    traced = trace(
        build(WORK),
        table_slots=64,
        room_bytes=80 << 10,
        prepare=lambda journal: journal.stop_reading(),
    )
    assert traced.code == 0
    assert traced.lost > 50
    assert traced.unreadable == 0
    assert len(traced.of(Kind.OPEN)) + traced.lost >= 200


def test_a_writer_waits_for_room_that_comes(trace: Callable, build: Callable) -> None:
    def follow(journal: Journal, child: subprocess.Popen[bytes]) -> None:
        while child.poll() is None:
            journal.wait(0.02)
            journal.grow_if_needed()

    traced = trace(build(WORK), table_slots=64, room_bytes=80 << 10, around=follow)
    assert (traced.code, traced.lost) == (0, 0)
    assert all(traced.opens(f"f{i}") for i in range(200))


def test_records_go_on_in_further_chunks(trace: Callable, build: Callable) -> None:
    def follow(journal: Journal, child: subprocess.Popen[bytes]) -> None:
        while child.poll() is None:
            journal.wait(0.02)
            journal.grow_if_needed()

    program = build(
        'for (int i = 0; i < 200000; i++) { int fd = open("in", O_RDONLY); read(fd, buffer, 1); close(fd); }'
    )
    traced = trace(program, table_slots=0, around=follow)
    assert (traced.code, traced.lost, traced.unreadable) == (0, 0, 0)
    assert len(traced.opens("in")) == 200_000
    assert traced.of(Kind.EXIT)[0].offset > 16 << 20


FILTER = """#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
int main(int argc, char **argv) {
    /* Allow what this program calls itself and kill for anything else that we might. */
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_getpid, 4, 0), BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_readlinkat, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_gettid, 2, 0), BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_futex, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
    struct sock_fprog p = {sizeof f / sizeof *f, f};
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0) == -1);
    open("in", O_RDONLY);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    CHECK(INSTALL == 0);
    int fd = open("out", O_WRONLY | O_CREAT, 0600); write(fd, "x", 1); close(fd); rename("out", "new");
    if (argc == 1) { execl(argv[0], argv[0], "again", (char *)0); }
    return 0; }
"""


@pytest.mark.parametrize(
    "install",
    [
        "prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p)",
        "syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p)",
    ],
)
def test_under_a_filter_we_make_no_call_of_our_own(
    install: str, trace: Callable, build: Callable, folder: Path
) -> None:
    again = FILTER.replace("INSTALL", f"(argc == 1 ? {install} : 0)")
    traced = trace(build(again, whole=True))
    assert (traced.code, traced.stderr) == (0, b"")
    assert (folder / "new").exists()
    assert traced.gaps() == {"seccomp"}
    assert traced.opens("in") == [Intent.READ]
    assert len(traced.of(Kind.START)) == 1


def test_strict_seccomp_too(trace: Callable, build: Callable) -> None:
    traced = trace(
        build('CHECK(!prctl(PR_SET_SECCOMP, 1)); write(1, "x", 1); syscall(SYS_exit, 0);')
    )
    assert (traced.code, traced.stdout) == (0, b"x")
    assert traced.gaps() == {"seccomp"}


def test_another_root_is_a_gap(trace: Callable, build: Callable, folder: Path) -> None:
    program = build(
        'if (chroot(".")) return 77; chdir("/"); open("in", O_RDONLY); execl("/none", "none", (char *)0);'
    )
    traced = trace(program)
    assert traced.code == 0
    assert traced.gaps() == {"chroot"}


def test_another_user_is_a_gap_and_sees_no_complaint(trace: Callable, build: Callable) -> None:
    program = build(
        'CHECK(!setgid(65534)); CHECK(!setuid(65534)); execl("/bin/echo", "echo", "x", (char *)0);'
    )
    traced = trace(program)
    assert (traced.code, traced.stdout, traced.stderr) == (0, b"x\n", b"")
    assert traced.gaps() == {"other_user"}


def test_io_uring_is_a_gap(run: Callable) -> None:
    assert run("syscall(SYS_io_uring_setup, 0, 0);").gaps() == {"io_uring"}


REPLACING = {
    "truncate on open": 'close(open("in", O_WRONLY | O_TRUNC));',
    "write": 'int fd = open("in", O_WRONLY); write(fd, "X", 1);',
    "read and write": 'int fd = open("in", O_RDWR); write(fd, "X", 1);',
    "rename over": 'rename("new", "in");',
    "unlink": 'unlink("in");',
    "truncate": 'truncate("in", 0);',
    "fopen": 'fclose(fopen("in", "w"));',
    "map": 'int fd = open("in", O_RDWR); char *p = mmap(0, 7, 3, MAP_SHARED, fd, 0); p[0] = 1;',
    "shell": 'system("echo x > in");',
    "exchange": 'CHECK(!renameat2(AT_FDCWD, "new", AT_FDCWD, "in", 2)); unlink("new");',
    "rename away": 'rename("in", "away"); unlink("away");',
    "sort -o": 'system("sort -o in in");',
}


@pytest.mark.parametrize("how", REPLACING)
def test_a_writer_is_held_until_roar_has_what_was_read(
    how: str, trace: Callable, build: Callable, folder: Path
) -> None:
    program = build(
        f"""creat("new", 0600); int r = open("in", O_RDONLY); read(r, buffer, 9); close(r);
        {REPLACING[how]}"""
    )
    seen: list[bytes] = []

    def follow(journal: Journal, child: subprocess.Popen[bytes]) -> None:
        while child.poll() is None:
            journal.wait(0.02)
            for record in journal.read():
                if record.kind == Kind.OPEN and record.strings[0].endswith(b"/in") and not seen:
                    time.sleep(0.05)
                    seen.append((folder / "in").read_bytes())
                    journal.mark_preimage(record.fingerprints[0], PREIMAGE_DONE)

    started = time.monotonic()
    traced = trace(program, around=follow, preimage_wait_ms=10_000)
    assert traced.code == 0, traced.stderr
    assert seen == [b"content"]
    assert time.monotonic() - started < 8


def test_nobody_waits_for_a_roar_that_is_gone(trace: Callable, build: Callable) -> None:
    program = build('int r = open("in", O_RDONLY); read(r, buffer, 9); unlink("in");')
    started = time.monotonic()
    traced = trace(program, preimage_wait_ms=10_000, prepare=lambda journal: journal.stop_reading())
    assert traced.code == 0
    assert time.monotonic() - started < 8


def test_many_processes_share_one_journal(trace: Callable) -> None:
    traced = trace("bash", "-c", "for i in $(seq 40); do (cat in > o$i; rm o$i) & done; wait")
    assert (traced.code, traced.lost, traced.unreadable) == (0, 0, 0)
    assert len(traced.of(Kind.UNLINK)) == 40
    assert len({record.pid for record in traced.of(Kind.START)}) == 82


def test_a_damaged_or_missing_journal_leaves_the_program_alone(
    build: Callable, library: Path, tmp_path: Path
) -> None:
    program = build('FILE *f = fopen("/etc/hostname", "r"); puts("fine");')
    (tmp_path / "short").write_bytes(b"")
    (tmp_path / "wrong").write_bytes(b"x" * (20 << 20))
    for value in (
        "",
        "0",
        "0:",
        "0:relative",
        f"0:{tmp_path}/absent",
        f"0:{tmp_path}/wrong",
        "9:/x",
        "0:/" + "x" * 5000,
    ):
        done = subprocess.run(
            [program],
            env={"LD_PRELOAD": str(library), "ROAR_TRACE": value},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"fine\n", b""), value


def test_threads_forking_at_once_do_not_hang(run: Callable) -> None:
    traced = run(
        """void *work(void *x) { for (int i = 0; i < 30; i++) { pid_t p = fork();
            if (!p) { execl("/bin/true", "true", (char *)0); _exit(1); } int s; CHECK(waitpid(p, &s, 0) == p); CHECK(!s); }
            return 0; }
        int main(void) { pthread_t t[4]; for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, 0);
            for (int i = 0; i < 4; i++) pthread_join(t[i], 0); return 0; }""",
        whole=True,
    )
    assert len(traced.of(Kind.START)) == 121


@pytest.mark.parametrize("is_here", [True, False], ids=["a clock was set", "another machine"])
def test_a_journal_that_travelled_to_another_machine_is_left_alone(
    trace: Callable, is_here: bool
) -> None:
    """srun and ssh take our variables along, and a network's file system may show the file."""

    def travel(journal: Journal) -> None:
        header = journal.header
        with open(journal.path, "r+b") as file:
            started = header.created_realtime_ns - 3_600_000_000_000
            os.pwrite(file.fileno(), struct.pack("=Q", started), 40)
            if not is_here:
                boot_id = Path(journal.path).read_bytes().index(header.boot_id)
                os.pwrite(file.fileno(), b"another", boot_id)

    traced = trace("cat", "in", prepare=travel)
    assert (traced.code, traced.stdout, traced.stderr) == (0, b"content", b"")
    assert (len(traced.opens("in")) == 1) == is_here
    assert bool(traced.records) == is_here
