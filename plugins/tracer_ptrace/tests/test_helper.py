"""The helper: who it is, whom it outlives, and that nothing keeps it from answering."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from roar_core.hookspecs import LaunchPlan
from roar_core.journal import GapCode, Journal, Kind, Record
from roar_core.testing.processes import wait_for
from roar_core.testing.projects import ProjectUnderTest
from roar_tracer_ptrace import STARTER, PtraceTracer

LEASE = """
static volatile int asked;
static void on_break(int signal) { (void)signal; asked = 1; }
"""
# The child's open of the leased file waits until the holder gives the lease up, which it does only
# after an open of its own: a helper that answers one call after the other would wait for itself.
HOLD = """
struct sigaction action = {.sa_handler = on_break};
CHECK(!sigaction(SIGIO, &action, 0));
int fd = open("leased", O_RDWR | O_CREAT, 0644);
CHECK(write(fd, "leased", 6) == 6);
CHECK(!fcntl(fd, F_SETLEASE, F_WRLCK));
pid_t child = fork();
if (!child) { get("leased"); _exit(0); }
while (!asked) usleep(1000);
put("while-the-other-waits");
CHECK(!fcntl(fd, F_SETLEASE, F_UNLCK));
reap(child);
"""
LANDLOCK = """
#include <linux/landlock.h>
static void confine(const char *folder) {
    struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE |
        LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG};
    int set = syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    struct landlock_path_beneath_attr below = {rules.handled_access_fs, open(folder, O_PATH)};
    CHECK(set >= 0 && below.parent_fd >= 0);
    CHECK(!syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &below, 0));
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK(!syscall(SYS_landlock_restrict_self, set, 0));
}
"""


class Launched:
    """One command under the starter, with a journal of its own."""

    def __init__(self, folder: Path, argv: list[str], **how: object) -> None:
        self.journal = Journal.create(folder / "test.jnl", "0" * 32, preimage_wait_ms=0)
        plan = LaunchPlan(
            program=os.fsencode(str(shutil.which(argv[0]))),
            argv=tuple(map(os.fsencode, argv)),
            environ=os.environb,
            cwd=folder,
            journal=Path(self.journal.path),
            run_uid="0" * 32,
        )
        self.launch = PtraceTracer().launch(plan)
        self.command = subprocess.Popen(
            self.launch.argv, cwd=folder, pass_fds=self.launch.pass_fds, **how
        )
        self.launch.started(self.command.pid)

    def helper(self) -> int:
        """The process that has our journal mapped and is neither we nor the command."""
        name = str(self.journal.path)
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                mapped = name in Path(f"/proc/{entry}/maps").read_text()
            except OSError:
                continue
            if mapped and int(entry) not in (os.getpid(), self.command.pid):
                found.append(int(entry))
        [pid] = found
        return pid

    def finish(self) -> tuple[list[Record], set[str]]:
        codes = {reason.code for reason in self.launch.finished()}
        records = self.journal.finish()
        self.journal.remove()
        return records, codes


def test_it_holds_nothing_of_the_commands_and_is_alone(tmp_path: Path) -> None:
    ran = Launched(
        tmp_path,
        ["sh", "-c", "echo ready; read end"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert ran.command.stdout is not None
    assert ran.command.stdin is not None
    assert ran.command.stdout.readline() == b"ready\n"
    helper = ran.helper()
    links = [os.readlink(f"/proc/{helper}/fd/{fd}") for fd in os.listdir(f"/proc/{helper}/fd")]
    theirs = os.fstat(ran.command.stdout.fileno()).st_ino
    assert not any(f"pipe:[{theirs}]" in link for link in links)
    assert os.getsid(helper) == helper
    assert os.readlink(f"/proc/{helper}/cwd") == "/"
    children = Path(f"/proc/{ran.command.pid}/task/{ran.command.pid}/children").read_text()
    assert children == ""
    ran.command.communicate(b"\n")
    assert ran.finish()[1] == set()
    wait_for(lambda: not Path(f"/proc/{helper}").exists() or is_zombie(helper))


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM", "SIGQUIT", "SIGTSTP", "SIGUSR1"])
def test_signals_of_a_terminal_or_a_shutdown_do_not_end_it(name: str, tmp_path: Path) -> None:
    ran = Launched(
        tmp_path, ["sh", "-c", "echo ready; read end; echo x > out"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert ran.command.stdout is not None
    assert ran.command.stdout.readline() == b"ready\n"
    os.kill(ran.helper(), signal.Signals[name])
    ran.command.communicate(b"\n")
    records, codes = ran.finish()
    assert (ran.command.returncode, codes) == (0, set())
    assert any(r.kind == Kind.OPEN and r.strings[0].endswith(b"/out") for r in records)


def test_a_helper_that_is_killed_is_told_of(tmp_path: Path) -> None:
    ran = Launched(tmp_path, ["sleep", "600"])
    wait_for(lambda: Path(f"/proc/{ran.command.pid}/comm").read_text() == "sleep\n")
    os.kill(ran.helper(), signal.SIGKILL)
    ran.command.kill()
    ran.command.wait()
    assert ran.finish()[1] == {"tracer"}


@pytest.mark.needs("cc")
def test_somebody_who_has_called_nothing_yet_is_waited_for(
    tmp_path: Path, build: Callable[..., Path]
) -> None:
    program = build("""pid_t child = fork();
    if (!child) for (;;) pause();
    printf("%d\\n", child);
    fflush(stdout);
    kill(getpid(), SIGKILL);""")
    ran = Launched(tmp_path, [str(program)], stdout=subprocess.PIPE)
    assert ran.command.stdout is not None
    with ran.command.stdout as answers:
        child = int(answers.readline())
    ran.command.wait()
    assert ran.launch.catch_up()
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: not ran.launch.catch_up())
    assert ran.finish()[1] == set()


def test_a_journal_that_is_none_is_one_sentence_and_the_command_runs(tmp_path: Path) -> None:
    (tmp_path / "not-a-journal").write_text("x" * 9000)
    for name in ("not-a-journal", "absent", "."):
        done = subprocess.run(
            [STARTER, "--journal", tmp_path / name, "--", "/bin/echo", "echo", "hello"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "hello\n")
        assert done.stderr.count("\n") == 1
        assert "nothing is recorded" in done.stderr


def test_another_machines_journal_is_left_alone_and_the_command_runs(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "test.jnl", "0" * 32) as journal:
        path = Path(journal.path)
        with path.open("r+b") as file:
            boot_id = path.read_bytes().index(journal.header.boot_id)
            os.pwrite(file.fileno(), b"another", boot_id)
        before = path.read_bytes()
        done = subprocess.run(
            [STARTER, "--journal", path, "--", "/bin/echo", "echo", "hello"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "hello\n")
        assert done.stderr.endswith("Object is remote; nothing is recorded\n")
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    "arguments", [[], ["--journal"], ["--journal", "j", "--"], ["-x", "y", "--", "a", "b"]]
)
def test_a_wrong_command_line_is_answered_with_the_right_one(arguments: list[str]) -> None:
    done = subprocess.run([STARTER, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: roar-ptrace")


@pytest.mark.needs("cc")
def test_a_call_that_waits_holds_up_nobody_else(
    traced: ProjectUnderTest, build: Callable[..., Path]
) -> None:
    ran = traced.run(str(build(HOLD, top=LEASE)))
    assert ran.exit_code == 0, ran.stderr
    assert {"leased", "while-the-other-waits"} <= ran.writes


@pytest.mark.needs("cc")
def test_a_sandbox_stays_closed(traced: ProjectUnderTest, build: Callable[..., Path]) -> None:
    """What a program may not do after it gave the right away, nobody does in its place.

    Whether its calls succeed cannot be known: what it tried to read counts, and the job says so.
    """
    body = """confine("dir"); get("dir/in"); put("dir/out");
    CHECK(open("in", O_RDONLY) < 0 && errno == EACCES);
    CHECK(open("out", O_WRONLY | O_CREAT, 0644) < 0 && errno == EACCES);
    puts("confined");"""
    traced.write("dir/in", "content")
    program = build(body, top=LANDLOCK)
    bare = subprocess.run([program], cwd=traced.root, capture_output=True, text=True, check=False)
    if bare.returncode:
        pytest.fail(f"Landlock is not to be had here: {bare.stderr}")
    (traced.root / "dir/out").unlink()
    ran = traced.run(str(program))
    assert (ran.exit_code, ran.stdout) == (0, "confined\n")
    assert "dir/in" in ran.reads
    assert ran.writes == {"dir/out"}
    assert ran.job is not None
    assert [reason["code"] for reason in ran.job["coverage"]["reasons"]] == ["tracer"]


@pytest.mark.needs("root", "cc")
def test_without_privileges_a_setuid_program_runs_as_its_caller_and_that_is_told(
    tmp_path: Path, build: Callable[..., Path]
) -> None:
    program = build('printf("%d\\n", geteuid());', name="whoami")
    program.chmod(0o4755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(0o711)
    journal = Journal.create(tmp_path / "test.jnl", "0" * 32, preimage_wait_ms=0)
    os.chown(journal.path, 65534, 65534)
    starter = tmp_path / "roar-ptrace"
    shutil.copy(STARTER, starter)
    done = subprocess.run(
        [starter, "--journal", journal.path, "--", program, "whoami"],
        user=65534,
        group=65534,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "65534\n")
    gaps = [GapCode(r.value).code for r in journal.finish() if r.kind == Kind.GAP]
    journal.remove()
    assert gaps == ["privileged"]


def test_a_namespace_of_its_own_is_seen_from_outside_and_said_so(traced: ProjectUnderTest) -> None:
    line = "cat in > made; mv made moved; ln moved linked; rm moved"
    ran = traced.run("unshare", "-Ur", "sh", "-c", line)
    assert ran.exit_code == 0, ran.stderr
    assert (ran.reads, ran.writes) == ({"in"}, {"linked"})
    assert ran.job is not None
    assert [reason["code"] for reason in ran.job["coverage"]["reasons"]] == ["tracer"]


def test_a_ring_is_a_hole_and_its_program_is_seen(traced: ProjectUnderTest) -> None:
    code = (
        "import ctypes; ctypes.CDLL(None).syscall(425, 4, ctypes.create_string_buffer(120));"
        "open('out', 'w').write(open('in').read())"
    )
    ran = traced.run(sys.executable, "-c", code)
    assert (ran.reads, ran.writes) == ({"in"}, {"out"})
    assert ran.job is not None
    assert [reason["code"] for reason in ran.job["coverage"]["reasons"]] == ["io_uring"]


def test_a_run_within_a_run_says_that_it_sees_nothing(traced: ProjectUnderTest) -> None:
    """One listener to a chain of filters (seccomp(2)): the inner one cannot have its own."""
    inner = f"{sys.executable} -m roar_core run --tracer ptrace --no-fallback cat in"
    ran = traced.run("sh", "-c", f"{inner} > out")
    assert ran.exit_code == 0, ran.stderr
    assert "partial: tracer" in ran.stderr
    assert "out" in ran.writes
