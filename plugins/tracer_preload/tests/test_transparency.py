"""What a command does is the same with us and without: output, exit code, files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent.parent

COMMANDS = {
    "git": r"""
        git init -q a && cp -r ../sources a/s && cd a && git add . &&
        git -c user.name=a -c user.email=b -c commit.gpgsign=false commit -qm x &&
        git ls-files | wc -l && git clone -q . ../b && cd ../b && git status --short &&
        git log --format=%s && git gc -q && git fsck""",
    "compiler": r"""
        mkdir o && cp ../sources/* ../header/*.h o && cd o &&
        for f in elf paths emit; do cc -c -D_GNU_SOURCE -fPIC -I. $f.c; done; ls""",
    "python": r"""python3 - <<'END'
import concurrent.futures, sqlite3, subprocess, tempfile
with tempfile.NamedTemporaryFile() as f:
    f.write(b"x"); f.flush(); print(open(f.name).read())
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda n: len(open("in").read()), range(50))))
print(subprocess.run(["sh", "-c", "exit 3"]).returncode)
d = sqlite3.connect("d.db"); d.execute("pragma journal_mode=wal"); d.execute("create table t(x)")
d.executemany("insert into t values(?)", [(i,) for i in range(999)]); d.commit()
print(d.execute("select sum(x) from t").fetchall())
END""",
    "archives": r"""
        tar czf s.tgz -C ../sources . && mkdir t && tar xzf s.tgz -C t && diff -r t ../sources &&
        find t -type f | sort | xargs -P4 -n3 md5sum | sort | md5sum && rm -r t && ls""",
    "shell": r"""
        for i in $(seq 30); do echo $i | sort > f$i; done; cat f* | sort -n | uniq | wc -l
        exec 5<f1; read x <&5; echo $x; (cd /tmp; pwd); diff <(sort f1) <(sort f1) && echo same
        cat <<< here; trap 'echo bye' EXIT; mkfifo p; (echo piped > p &) ; cat p; wait
        { sh -c 'kill -9 $$'; } 2>/dev/null; echo $?; set -e; false || exit 7""",
    "awk, sed, grep, perl": r"""
        cp -r ../sources s; sed -i 's/roar/ROAR/g' s/*.c; grep -rc ROAR s | sort | head
        awk 'END { print NR; system("echo hi"); "echo y" | getline y; print y }' s/*.c
        perl -pi -e 's/ROAR/roar/' s/*.c; md5sum s/*.c | md5sum""",
    "cp, mv, dd, truncate": r"""
        dd if=/dev/zero of=z bs=1k count=64 status=none; truncate -s 100 z; stat -c %s z
        shred -u z; cp -a ../sources s; mv s t; cp --reflink=auto t/emit.c u; ln u v; rm u; ls -R""",
    "make": r"""
        printf 'all: a b c\na b c:\n\techo $@ > $@\n' > Makefile; make -j3 -s && cat a b c""",
    "descriptors closed": r"exec <&- >&-; cat ../sources/emit.c 2>&1; echo x; exit 4",
}

# What differs from run to run by itself.
VOLATILE = (".tgz", ".db", ".db-wal", ".db-shm")


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Beside the folder to work in: our own sources, to have something to work on."""
    shutil.copytree(PLUGIN / "native", tmp_path / "sources")
    shutil.copytree(PLUGIN.parent.parent / "roar_core/src/roar_core/include", tmp_path / "header")
    return tmp_path


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts and not path.name.endswith(VOLATILE)
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_does_the_same_with_us(
    name: str, trace: Callable, places: Path, folder: Path, without_us: Callable
) -> None:
    bare_folder = places / "bare"
    shutil.copytree(folder, bare_folder)
    argv = ["bash", "-c", COMMANDS[name]]
    bare = without_us(argv, bare_folder)
    traced = trace(*argv)
    assert (traced.code, traced.stdout, traced.stderr) == bare
    assert content_of(folder) == content_of(bare_folder)
    assert (traced.lost, traced.unreadable) == (0, 0)


def test_a_sanitized_program_still_finds_its_errors(trace: Callable, build: Callable) -> None:
    broken = build('char *p = malloc(4); free(p); printf("%d", p[1]);', "-fsanitize=address")
    traced = trace("bash", "-c", f"{broken}")
    assert traced.code == 1
    assert b"heap-use-after-free" in traced.stderr
    assert subprocess.run([broken], capture_output=True, check=False).returncode == 1
