"""The process tree is followed, and what cannot be entered is named."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from roar_core.journal import Intent, Kind

ARGV = '(char *[]){"true", "x", 0}'
EXECS = {
    "execve": f'execve("/bin/true", {ARGV}, environ)',
    "execv": f'execv("/bin/true", {ARGV})',
    "execvp": f'execvp("true", {ARGV})',
    "execvpe": f'execvpe("true", {ARGV}, environ)',
    "execl": 'execl("/bin/true", "true", "x", (char *)0)',
    "execle": 'execle("/bin/true", "true", "x", (char *)0, environ)',
    "execlp": 'execlp("true", "true", "x", (char *)0)',
    "fexecve": f'fexecve(open("/bin/true", O_RDONLY), {ARGV}, environ)',
    "execveat": f'execveat(AT_FDCWD, "/bin/true", {ARGV}, environ, 0)',
    "syscall execve": f'syscall(SYS_execve, "/bin/true", {ARGV}, environ)',
    "empty environment": f'execve("/bin/true", {ARGV}, (char *[]){{0}})',
    "no environment": f'execve("/bin/true", {ARGV}, 0)',
    "cleared": f'unsetenv("LD_PRELOAD"); unsetenv("ROAR_TRACE"); execv("/bin/true", {ARGV})',
    "clearenv": f'clearenv(); execv("/bin/true", {ARGV})',
}


@pytest.mark.parametrize("face", EXECS)
def test_every_exec_leads_into_the_next_program(face: str, run: Callable) -> None:
    traced = run(f'{EXECS[face]}; CHECK(!"executed");')
    (executed,) = traced.of(Kind.EXEC)
    assert executed.strings[0].endswith(b"/true")
    assert executed.strings[1] == b"true\0x"
    starts = traced.of(Kind.START)
    assert [os.path.basename(record.strings[0]) for record in starts] == [b"program", b"true"]
    assert starts[1].offset > executed.offset
    assert starts[1].pid == executed.pid
    assert traced.gaps() == set()


CHILDREN = {
    "fork": 'if (!fork()) { execl("/bin/true", "true", (char *)0); _exit(9); }',
    "_Fork": 'if (!_Fork()) { execl("/bin/true", "true", (char *)0); _exit(9); }',
    "vfork": 'if (!vfork()) { execl("/bin/true", "true", (char *)0); _exit(9); }',
    "vfork env -i": 'if (!vfork()) { execle("/bin/true", "true", (char *)0, (char *[]){0}); _exit(9); }',
    "posix_spawn": 'CHECK(!posix_spawn(&pid, "/bin/true", 0, 0, (char *[]){"true", 0}, environ));',
    "posix_spawnp": 'CHECK(!posix_spawnp(&pid, "true", 0, 0, (char *[]){"true", 0}, 0));',
    "syscall fork": 'if (!syscall(SYS_fork)) { execl("/bin/true", "true", (char *)0); _exit(9); }',
    "syscall clone": 'if (!syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) { execl("/bin/true", "true", (char *)0); }',
}


@pytest.mark.parametrize("face", CHILDREN)
def test_every_child_is_followed(face: str, run: Callable) -> None:
    traced = run(
        f"pid_t pid; int status; {CHILDREN[face]} CHECK(wait(&status) > 0); CHECK(status == 0);"
    )
    (forked,) = traced.of(Kind.FORK)
    parent, child = traced.of(Kind.START)
    assert (forked.pid, forked.value) == (parent.pid, child.pid)
    assert child.value == parent.pid
    (executed,) = traced.of(Kind.EXEC)
    assert executed.pid == child.pid
    assert executed.offset < child.offset
    assert {record.pid: record.value for record in traced.of(Kind.EXIT)} == {
        parent.pid: 0,
        child.pid: 0,
    }


def test_a_cloned_function_runs_on_its_own_stack(run: Callable) -> None:
    traced = run(
        """int child(void *x) { open("in", O_RDONLY); _exit((long)x); }
        int main(void) { static char stack[65536]; int status;
        CHECK(clone(child, stack + sizeof stack, SIGCHLD | CLONE_VM, (void *)7) > 0);
        CHECK(wait(&status) > 0); CHECK(WEXITSTATUS(status) == 7); return 0; }""",
        whole=True,
    )
    assert traced.opens("in") == [Intent.READ]
    assert len(traced.of(Kind.FORK)) == 1


SHELLS = {
    "system": 'system("cat in >/dev/null")',
    "popen": 'pclose(popen("cat in >/dev/null", "r"))',
}


@pytest.mark.parametrize("call", SHELLS)
@pytest.mark.parametrize("before", ["", "clearenv();", 'unsetenv("LD_PRELOAD");'])
def test_shells_of_libc_are_followed(call: str, before: str, run: Callable) -> None:
    kept = 'CHECK(!getenv("LD_PRELOAD"));' if before else ""
    traced = run(f"{before} CHECK({SHELLS[call]} == 0); {kept}")
    assert not traced.is_unused("in")


def test_files_opened_by_spawn_actions_are_reported(run: Callable, folder: Path) -> None:
    traced = run(
        """posix_spawn_file_actions_t a; posix_spawn_file_actions_init(&a);
        posix_spawn_file_actions_addopen(&a, 0, "in", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&a, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        pid_t p; CHECK(!posix_spawn(&p, "/bin/cat", &a, 0, (char *[]){"cat", 0}, environ)); wait(0);"""
    )
    assert traced.opens("in") == [Intent.READ]
    assert traced.opens("out") == [Intent.WRITE | Intent.CREATED]
    assert (folder / "out").read_text() == "content"


ENDS = {
    "return 3;": 3,
    "exit(4);": 4,
    "_exit(5);": 5,
    "_Exit(6);": 6,
    "quick_exit(7);": 7,
    "syscall(SYS_exit_group, 8);": 8,
}


@pytest.mark.parametrize("end", ENDS)
def test_the_end_and_its_code_are_told(end: str, run: Callable) -> None:
    traced = run(end, code=ENDS[end])
    assert [record.value for record in traced.of(Kind.EXIT)] == [ENDS[end] << 8]


def test_what_was_done_before_a_kill_is_kept(trace: Callable, build: Callable) -> None:
    traced = trace(build('open("in", O_RDONLY); kill(getpid(), SIGKILL);'))
    assert traced.code == -9
    assert traced.opens("in") == [Intent.READ]
    assert traced.of(Kind.EXIT) == []


def test_the_environment_gains_two_variables_and_no_more(trace: Callable) -> None:
    traced = trace("env", "-i", "A=1", "sh", "-c", "env")
    names = {line.split(b"=")[0] for line in traced.stdout.splitlines()}
    assert names - {b"PWD", b"_", b"SHLVL", b"OLDPWD"} == {b"A", b"LD_PRELOAD", b"ROAR_TRACE"}


def test_a_users_own_preload_comes_first(trace: Callable, build: Callable, library: Path) -> None:
    theirs = build(
        """int open(const char *p, int f, ...) { write(2, "mine", 4);
        int (*next)() = dlsym(RTLD_NEXT, "open"); return next(p, f); }""".replace(
            "int open", "#include <dlfcn.h>\nint open"
        ),
        "-shared",
        "-fPIC",
        name="theirs.so",
        whole=True,
    )
    reader = build('int fd = open("in", O_RDONLY); printf("%s", getenv("LD_PRELOAD"));')
    for traced in (
        trace(reader, environ={**os.environ, "LD_PRELOAD": str(theirs)}),
        trace("env", f"LD_PRELOAD={theirs}", str(reader)),
    ):
        assert traced.stderr == b"mine"
        assert traced.stdout.decode() == f"{theirs}:{library}"
        assert traced.opens("in") == [Intent.READ]


def test_no_room_for_our_variables_is_said_and_changes_nothing(
    run: Callable, trace: Callable, build: Callable
) -> None:
    """Strings are filled up until the program would not start with ours beside them."""
    fill = build(
        """long room = sysconf(_SC_ARG_MAX); static char *envp[100000]; int n = 0;
        static char big[100001]; memset(big, 'x', 100000); big[0] = 'A'; big[1] = '=';
        for (long size = atol(argv[1]); size > 0; size -= 100000) {
            char *s = strdup(big); s[size < 100000 ? size : 100000] = 0; envp[n++] = s; }
        execve("/bin/true", (char *[]){"true", 0}, envp); return errno == E2BIG ? 7 : 8;""",
        name="fill",
    )
    low, high = 1_000_000, 4_000_000
    while high - low > 1:
        middle = (low + high) // 2
        code = subprocess.run([fill, str(middle)], env={}, check=False).returncode
        low, high = (middle, high) if code == 0 else (low, middle)
    traced = trace(fill, str(low), environ={"PATH": "/bin"})
    assert traced.code == 0
    assert traced.gaps() == {"no_room"}
    assert trace(fill, str(low + 10), environ={"PATH": "/bin"}).code == 7


READER = 'FILE *f = fopen("in", "r"); printf("%c", fgetc(f));'
FOREIGN = {
    "static": ("gcc", ["-static"], "static"),
    "static-pie": ("gcc", ["-static-pie"], "static"),
    "32-bit": ("gcc", ["-m32"], "foreign_abi"),
    "musl": ("musl-gcc", [], "foreign_libc"),
    "sanitized": ("gcc", ["-fsanitize=address"], "interposer"),
}


@pytest.mark.needs("cc", "m32", "musl")
@pytest.mark.parametrize("kind", FOREIGN)
def test_programs_we_cannot_be_in_are_named_and_run_as_ever(
    kind: str, build: Callable, trace: Callable, folder: Path
) -> None:
    cc, flags, gap = FOREIGN[kind]
    shutil.copy(build(READER, *flags, cc=cc), folder / "foreign")
    traced = trace("bash", "-c", "./foreign; ./foreign; cat in")
    assert (traced.code, traced.stdout, traced.stderr) == (0, b"cccontent", b"")
    assert traced.gaps() == {gap}
    assert len(traced.of(Kind.GAP)) == 1


@pytest.mark.needs("go")
def test_a_go_program_makes_its_own_calls(trace: Callable, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "main.go").write_text(
        'package main\nimport "os"\nfunc main() { os.Stdout.WriteString("go") }\n'
    )
    environ = {**os.environ, "GOCACHE": str(tmp_path / "cache"), "GOTOOLCHAIN": "local"}
    subprocess.run(
        ["go", "build", "-o", folder / "go", tmp_path / "main.go"], check=True, env=environ
    )
    traced = trace("bash", "-c", "./go; true")
    assert (traced.stdout, traced.gaps()) == (b"go", {"direct_calls"})


def test_a_script_is_judged_by_its_interpreter(
    trace: Callable, build: Callable, folder: Path
) -> None:
    (folder / "script").write_text(f"#!{build(READER, '-static')} x\n")
    (folder / "script").chmod(0o755)
    assert trace("bash", "-c", "./script; true").gaps() == {"static"}


def test_a_missing_program_fails_as_ever(trace: Callable) -> None:
    traced = trace("bash", "-c", "./absent")
    assert traced.code == 127
    traced = trace("env", "./absent")
    assert traced.code == 127
    assert len(traced.of(Kind.EXEC_FAILED)) == 1


def test_a_roar_within_keeps_its_own_journal(trace: Callable) -> None:
    traced = trace("env", "ROAR_TRACE=0:/nowhere/else.jnl", "cat", "in")
    assert traced.stdout == b"content"
    assert [os.path.basename(record.strings[0]) for record in traced.of(Kind.START)] == [b"env"]


def test_libraries_are_reported_once_and_as_code(
    run: Callable, build: Callable, folder: Path
) -> None:
    (folder / "lib").mkdir()
    dependency = build(
        "int depth(void) { return 5; }", "-shared", "-fPIC", name="libdep.so", whole=True
    )
    shutil.copy(dependency, folder / "lib/libdep.so")
    plugin = build(
        "extern int depth(void); int answer(void) { return depth(); }",
        "-shared",
        "-fPIC",
        f"-L{folder}/lib",
        "-l:libdep.so",
        "-Wl,-rpath,$ORIGIN",
        name="plugin.so",
        whole=True,
    )
    shutil.copy(plugin, folder / "lib/plugin.so")
    traced = run(
        """#include <dlfcn.h>
        int main(void) { for (int i = 0; i < 3; i++) { void *h = dlopen("./lib/plugin.so", RTLD_NOW);
        if (!h) { puts(dlerror()); return 1; } int (*f)(void) = dlsym(h, "answer"); CHECK(f() == 5); }
        CHECK(!dlopen("./lib/absent.so", RTLD_NOW)); CHECK(dlerror()); return 0; }""",
        whole=True,
    )
    for name in ("lib/plugin.so", "lib/libdep.so"):
        assert traced.opens(name) == [Intent.READ | Intent.CODE]
    libc = [r for r in traced.of(Kind.OPEN) if b"/libc.so" in r.strings[0]]
    assert [Intent(r.value) for r in libc] == [Intent.READ | Intent.CODE]
    assert not [r for r in traced.of(Kind.OPEN) if b"libroar" in r.strings[0]]


def test_runpath_of_the_caller_still_finds_libraries(
    run: Callable, build: Callable, folder: Path
) -> None:
    (folder / "lib").mkdir()
    shutil.copy(
        build("int depth(void) { return 5; }", "-shared", "-fPIC", name="d.so", whole=True),
        folder / "lib/libhidden.so",
    )
    traced = run(
        '#include <dlfcn.h>\nint main(void) { if (!dlopen("libhidden.so", RTLD_NOW)) { puts(dlerror()); return 1; } return 0; }',
        f"-Wl,--enable-new-dtags,-rpath,{folder}/lib",
        whole=True,
    )
    assert traced.opens("lib/libhidden.so") == [Intent.READ | Intent.CODE]


def test_a_changed_working_directory_is_told(run: Callable, folder: Path) -> None:
    (folder / "d").mkdir()
    traced = run('chdir("d"); int f = open("..", O_DIRECTORY); fchdir(f); chdir("/");')
    assert traced.named(Kind.CHDIR) == [("d",), (str(folder),), ("/",)]


def test_python_pools_and_subprocesses_are_followed(trace: Callable) -> None:
    traced = trace(
        "python3",
        "-c",
        "import multiprocessing, subprocess\n"
        "def work(n): return open('in').read()\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.Pool(2) as pool: assert pool.map(work, range(4)) == ['content'] * 4\n"
        "    subprocess.run(['cp', 'in', 'out'], check=True)\n",
    )
    assert (traced.code, traced.stderr) == (0, b"")
    assert not traced.is_unused("in")
    assert traced.opens("out") == [Intent.WRITE | Intent.CREATED]
