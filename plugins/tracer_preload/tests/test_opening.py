"""Every face of opening a file is seen, and says what was asked for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from roar_core.journal import Intent, Kind

READ, WRITE = Intent.READ, Intent.WRITE
CREATED, TRUNCATE, INHERITED = Intent.CREATED, Intent.TRUNCATE, Intent.INHERITED

READERS = {
    "open": 'open("in", O_RDONLY)',
    "open64": 'open64("in", O_RDONLY)',
    "openat": 'openat(AT_FDCWD, "in", O_RDONLY)',
    "openat64": 'openat64(AT_FDCWD, "in", O_RDONLY)',
    "openat by dirfd": 'openat(open("..", O_PATH | O_DIRECTORY), "work/in", O_RDONLY)',
    "syscall openat": 'syscall(SYS_openat, AT_FDCWD, "in", O_RDONLY, 0)',
    "syscall openat2": 'syscall(SYS_openat2, AT_FDCWD, "in", (long[3]){O_RDONLY}, 24)',
    "fortified open": '({ extern int __open_2(const char *, int); __open_2("in", O_RDONLY); })',
    "fortified open64": '({ extern int __open64_2(const char *, int); __open64_2("in", O_RDONLY); })',
    "fortified openat": '({ extern int __openat_2(int, const char *, int); __openat_2(-100, "in", 0); })',
    "fortified openat64": '({ extern int __openat64_2(int, const char *, int); __openat64_2(-100, "in", 0); })',
    "fopen": 'fileno(fopen("in", "r"))',
    "fopen64": 'fileno(fopen64("in", "rb"))',
    "freopen": 'fileno(freopen("in", "r", stdin))',
    "dev fd": '({ char p[32]; sprintf(p, "/dev/fd/%d", open("in", O_RDONLY)); open(p, O_RDONLY); })',
    "link": '(symlink("in", "link"), open("link", O_RDONLY))',
    "after chdir": '(chdir("/"), chdir(getenv("HERE")), open("in", O_RDONLY))',
    "after fchdir": '({ int d = open(".", O_DIRECTORY); chdir("/"); fchdir(d); open("in", O_RDONLY); })',
}


@pytest.mark.parametrize("face", READERS)
def test_a_reader_is_reported_by_every_face(face: str, run: Callable, folder: Path) -> None:
    traced = run(
        f"int fd = {READERS[face]}; CHECK(fd >= 0); CHECK(read(fd, buffer, 9) == 7); close(fd);",
        environ={**os.environ, "HERE": str(folder)},
    )
    assert set(traced.opens("in")) == {READ}
    assert not traced.is_unused("in")


WRITERS = {
    "open": 'open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600)',
    "open64": 'open64("out", O_WRONLY | O_CREAT | O_TRUNC, 0600)',
    "openat": 'openat(AT_FDCWD, "out", O_WRONLY | O_CREAT | O_TRUNC, 0600)',
    "creat": 'creat("out", 0600)',
    "creat64": 'creat64("out", 0600)',
    "syscall open": 'syscall(SYS_open, "out", O_WRONLY | O_CREAT | O_TRUNC, 0600)',
    "fopen": 'fileno(fopen("out", "w"))',
    "freopen": '({ FILE *f = fopen("in", "r"); fileno(freopen("out", "w", f)); })',
}


@pytest.mark.parametrize("face", WRITERS)
def test_a_writer_says_created_or_truncated(face: str, run: Callable, folder: Path) -> None:
    body = f'int fd = {WRITERS[face]}; CHECK(fd >= 0); CHECK(write(fd, "abc", 3) == 3); close(fd);'
    assert run(body).opens("out") == [WRITE | CREATED]
    traced = run(body)
    assert traced.opens("out") == [WRITE | TRUNCATE]
    after, before = traced.open_records("out")[0].fingerprints
    assert (after.size, before.size) == (0, 3)
    assert after.identity == before.identity


@pytest.mark.parametrize("flags", ["O_CREAT", "O_CREAT | O_EXCL", "O_CREAT | O_TRUNC", "O_TMPFILE"])
def test_the_mode_of_a_new_file_is_passed_on(flags: str, run: Callable, folder: Path) -> None:
    name = "." if flags == "O_TMPFILE" else "out"
    run(
        f"""umask(0); struct stat st; int fd = open("{name}", O_RDWR | {flags}, 0640); CHECK(fd >= 0);
        fstat(fd, &st); CHECK((st.st_mode & 07777) == 0640);"""
    )


def test_the_first_write_of_an_existing_file_carries_what_it_was(run: Callable) -> None:
    traced = run('int fd = open("in", O_WRONLY | O_APPEND); write(fd, "more", 4); close(fd);')
    assert traced.opens("in") == [WRITE]
    after, before = traced.open_records("in")[0].fingerprints
    assert after == before
    assert before.size == 7


@pytest.mark.parametrize(
    "call",
    ["mkstemp(t)", "mkostemp(t, O_CLOEXEC)", "mkstemp64(t)", "mkostemp64(t, 0)"],
)
def test_a_temporary_file_is_reported_by_the_name_it_got(call: str, run: Callable) -> None:
    traced = run(f'char t[] = "tmp-XXXXXX"; int fd = {call}; CHECK(fd >= 0); printf("%s", t);')
    assert traced.opens(traced.stdout.decode()) == [READ | WRITE | CREATED]


@pytest.mark.parametrize("call", ["mkstemps(t, 4)", "mkostemps(t, 4, 0)", "mkstemps64(t, 4)"])
def test_a_temporary_file_with_a_suffix_too(call: str, run: Callable) -> None:
    traced = run(f'char t[] = "tmp-XXXXXX.txt"; int fd = {call}; CHECK(fd >= 0); printf("%s", t);')
    assert traced.opens(traced.stdout.decode()) == [READ | WRITE | CREATED]


def test_a_file_without_a_name_gets_one_by_link(run: Callable) -> None:
    traced = run(
        """int fd = open(".", O_TMPFILE | O_RDWR, 0600); CHECK(fd >= 0); write(fd, "abc", 3);
        char p[64]; sprintf(p, "/proc/self/fd/%d", fd);
        CHECK(linkat(AT_FDCWD, p, AT_FDCWD, "out", AT_SYMLINK_FOLLOW) == 0); tmpfile();"""
    )
    (first, _) = (r for r in traced.of(Kind.OPEN) if Intent.TMPFILE & r.value)
    (link,) = traced.of(Kind.LINK)
    assert link.fingerprints[0].identity == first.fingerprints[0].identity
    assert traced.named(Kind.LINK)[0][1] == "out"


@pytest.mark.parametrize(
    "body",
    [
        'CHECK(open("absent", O_RDONLY) < 0);',
        'open("in", O_PATH);',
        'open(".", O_RDONLY | O_DIRECTORY);',
        'struct stat st; stat("in", &st); access("in", R_OK);',
        'open("/dev/null", O_RDWR); open("/proc/self/status", O_RDONLY); fopen("/proc/self/maps", "r");',
        'open("/proc/self/status", O_RDONLY); open("/proc/self/stat", O_RDONLY);',
        'mkfifo("fifo", 0600); open("fifo", O_RDWR);',
        'int fd = memfd_create("m", 0); ftruncate(fd, 10); mmap(0, 10, PROT_WRITE, MAP_SHARED, fd, 0);',
    ],
)
def test_what_is_no_artifact_makes_no_record(body: str, run: Callable, folder: Path) -> None:
    traced = run(body)
    told = {Kind.OPEN, Kind.TRUNCATE, Kind.MAPPED}
    names = [name for kind in told for (name,) in traced.named(kind)]
    assert [name for name in names if not name.startswith(("/usr/", "/etc/"))] == []


def test_repeated_opens_are_reported_once_per_version(run: Callable) -> None:
    traced = run(
        """for (int i = 0; i < 100; i++) { int fd = open("in", O_RDONLY); read(fd, buffer, 9); close(fd); }
        truncate("in", 3);
        for (int i = 0; i < 100; i++) { int fd = open("in", O_RDONLY); read(fd, buffer, 9); close(fd); }"""
    )
    assert [record.fingerprints[0].size for record in traced.open_records("in")] == [7, 3]


def test_a_new_file_with_an_old_inode_number_is_reported_again(run: Callable) -> None:
    traced = run(
        """for (int i = 0; i < 20; i++) { char n[8]; sprintf(n, "f%d", i);
          int fd = open(n, O_WRONLY | O_CREAT, 0600); write(fd, "x", 1); close(fd); unlink(n); }"""
    )
    for i in range(20):
        assert traced.opens(f"f{i}") == [WRITE | CREATED]
    assert len(traced.of(Kind.UNLINK)) == 20


def test_what_the_first_program_inherits_is_reported(
    trace: Callable, build: Callable, folder: Path
) -> None:
    program = build('while (read(0, buffer, 9) > 0); printf("x");')
    with (folder / "in").open() as source, (folder / "out").open("a") as target:
        traced = trace(program, stdin=source, stdout=target)
    assert traced.opens("in") == [READ | INHERITED]
    assert traced.opens("out") == [WRITE | INHERITED]


def test_any_bytes_are_a_name(run: Callable, folder: Path) -> None:
    traced = run(
        r'int fd = open("\xff\n \x01", O_WRONLY | O_CREAT, 0600); rename("\xff\n \x01", "\xfe");'
    )
    assert traced.opens("\udcff\n \x01") == [WRITE | CREATED]
    assert traced.named(Kind.RENAME) == [("\udcff\n \x01", "\udcfe")]


def test_paths_longer_than_a_small_stack_are_whole(run: Callable, folder: Path) -> None:
    traced = run(
        """char d[201]; memset(d, 'd', 200); d[200] = 0;
        for (int i = 0; i < 15; i++) { mkdir(d, 0700); CHECK(chdir(d) == 0); }
        CHECK(open("out", O_WRONLY | O_CREAT, 0600) >= 0); CHECK(rename("out", "new") == 0);"""
    )
    deep = "/".join(["d" * 200] * 15)
    assert traced.opens(f"{deep}/out") == [WRITE | CREATED]
    assert traced.named(Kind.RENAME) == [(f"{deep}/out", f"{deep}/new")]


def test_a_path_beyond_path_max_is_whole_too(run: Callable) -> None:
    traced = run(
        """char d[201]; memset(d, 'd', 200); d[200] = 0;
        for (int i = 0; i < 30; i++) { mkdir(d, 0700); CHECK(chdir(d) == 0); }
        CHECK(open("out", O_WRONLY | O_CREAT, 0600) >= 0); CHECK(unlink("out") == 0);"""
    )
    deep = "/".join(["d" * 200] * 30)
    assert traced.opens(f"{deep}/out") == [WRITE | CREATED | Intent.TEXTUAL]
    assert traced.named(Kind.UNLINK) == [(f"{deep}/out",)]


def test_a_shell_redirection_is_an_ordinary_open(trace: Callable) -> None:
    traced = trace("bash", "-c", "cat < in > out; read x < in; : < in; echo $x >> out")
    assert traced.code == 0
    assert READ in traced.opens("in")
    assert not traced.is_unused("in")
    assert traced.opens("out") == [WRITE | CREATED]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cp in out", {"in": [READ], "out": [WRITE | CREATED]}),
        ("sort -o out in", {"in": [READ], "out": [WRITE | CREATED]}),
        ("tar cf out in", {"in": [READ], "out": [WRITE | CREATED]}),
        (
            "python3 -c \"import shutil; shutil.copy('in', 'out')\"",
            {"in": [READ], "out": [WRITE | CREATED]},
        ),
        (
            "python3 -c \"import mmap; f = open('in', 'rb'); mmap.mmap(f.fileno(), 0, prot=1)[:]\"",
            {"in": [READ]},
        ),
        (
            "sqlite3 out 'create table t(x)' && sqlite3 out 'select * from t'",
            {"out": [READ | WRITE | CREATED]},
        ),
        ("grep -c content in", {"in": [READ]}),
        ("gzip -k in", {"in": [READ]}),
    ],
)
def test_common_programs(
    command: str, expected: dict[str, list[Intent]], trace: Callable, folder: Path
) -> None:
    traced = trace("bash", "-c", command)
    assert (traced.code, traced.lost) == (0, 0), traced.stderr
    for name, intents in expected.items():
        assert traced.opens(name)[: len(intents)] == intents
        if READ in intents:
            assert not traced.is_unused(name)


def test_sed_in_place_is_a_new_file_with_the_old_name(trace: Callable) -> None:
    traced = trace("sed", "-i", "s/c/C/", "in")
    (made,) = (name for (name,) in traced.named(Kind.OPEN) if name.startswith("sed"))
    assert CREATED in traced.opens(made)[0]
    assert (made, "in") in traced.named(Kind.RENAME)


def test_a_compiler_and_make_are_seen_through(trace: Callable, folder: Path) -> None:
    (folder / "a.h").write_text("#define A 1\n")
    (folder / "a.c").write_text('#include "a.h"\nint main(void) { return A - 1; }\n')
    (folder / "Makefile").write_text("a: a.o\n\tcc -o a a.o\na.o: a.c a.h\n\tcc -c a.c\n")
    traced = trace("make")
    assert traced.code == 0, traced.stderr
    for name in ("Makefile", "a.c", "a.h"):
        assert READ in traced.opens(name)[0]
        assert not traced.is_unused(name)
    assert CREATED in traced.opens("a")[0]
    assert any(CREATED in intents for intents in traced.opens("a.o"))


def test_git_objects_are_seen(trace: Callable, folder: Path) -> None:
    traced = trace(
        "bash",
        "-c",
        "git init -q . && git add in && git -c user.name=a -c user.email=b commit -qm x",
    )
    assert (traced.code, traced.lost) == (0, 0), traced.stderr
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
    )
    name = f".git/objects/{head.stdout[:2]}/{head.stdout.strip()[2:]}"
    targets = [names[-1] for kind in (Kind.LINK, Kind.RENAME) for names in traced.named(kind)]
    assert name in targets
