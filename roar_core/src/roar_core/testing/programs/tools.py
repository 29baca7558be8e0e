"""Programs everybody has: what they do to files in their own ways."""

from __future__ import annotations

from roar_core.testing.programs.table import CONTENT, Program, command, shell

_LINES = {"in": "b\na\nc\n"}
_C_PROJECT = {
    "Makefile": (
        "all: app\napp: one.o two.o\n\tcc -o $@ one.o two.o\n%.o: %.c x.h\n\tcc -c -o $@ $<\n"
    ),
    "one.c": '#include "x.h"\nint main(void) { return two(); }\n',
    "two.c": '#include "x.h"\nint two(void) { return 0; }\n',
    "x.h": "int two(void);\n",
}
_GIT = "git init -q . && git add in && git commit -q -m first"

PROGRAMS: tuple[Program, ...] = (
    command("cat", "cat", "in", reads={"in"}),
    command("cp", "cp", "in", "out", reads={"in"}, writes={"out"}),
    command("cp-p", "cp", "-p", "in", "out", reads={"in"}, writes={"out"}),
    command(
        "cp-r",
        "cp",
        "-r",
        "dir",
        "new",
        files={"dir/a": "A\n", "dir/b/c": "C\n"},
        reads={"dir/a", "dir/b/c"},
        writes={"new/a", "new/b/c"},
    ),
    command(
        "cp-onto",
        "cp",
        "in",
        "there",
        files={"in": CONTENT, "there": "old\n"},
        reads={"in"},
        writes={"there"},
    ),
    command("mv", "mv", "in", "out", reads={"in"}, writes={"out"}),
    command(
        "mv-over",
        "mv",
        "in",
        "there",
        files={"in": CONTENT, "there": "old\n"},
        reads={"in"},
        writes={"there"},
    ),
    command("install", "install", "-m", "600", "in", "out", reads={"in"}, writes={"out"}),
    command("ln", "ln", "in", "out", reads={"in"}, writes={"out"}),
    command("ln-s", "ln", "-s", "in", "out"),
    command("rm", "rm", "in"),
    command("dd", "dd", "if=in", "of=out", "status=none", reads={"in"}, writes={"out"}),
    command(
        "dd-onto",
        *("dd", "if=in", "of=there", "conv=notrunc", "status=none"),
        files={"in": CONTENT, "there": "0123456789\n"},
        reads={"in"},
        writes={"there"},
    ),
    command("touch-new", "touch", "out", writes={"out"}),
    shell("touch-what-was-read", "cat in; touch in", reads={"in"}),
    command("chmod", "chmod", "600", "in"),
    command("truncate-s", "truncate", "-s", "3", "in", writes={"in"}),
    command("sed-i", "sed", "-i", "s/c/C/", "in", reads={"in"}, writes={"in"}),
    command("sort-o", "sort", "-o", "in", "in", files=_LINES, reads={"in"}, writes={"in"}),
    command("perl-i", "perl", "-pi", "-e", "s/c/C/", "in", reads={"in"}, writes={"in"}),
    command(
        "perl-writes",
        "perl",
        "-e",
        'open F, "<", "in"; open G, ">", "out"; print G <F>',
        reads={"in"},
        writes={"out"},
    ),
    command("awk", "awk", '{ print > "out" }', "in", reads={"in"}, writes={"out"}),
    command("head", "head", "-c", "1", "in", reads={"in"}),
    command("tail", "tail", "-n", "1", "in", reads={"in"}),
    command("grep-q", "grep", "-q", "content", "in", reads={"in"}),
    command("wc", "wc", "-l", "in", reads={"in"}),
    command(
        "cmp", "cmp", "in", "other", files={"in": CONTENT, "other": CONTENT}, reads={"in", "other"}
    ),
    command(
        "split", "split", "-l", "1", "in", files=_LINES, reads={"in"}, writes={"xaa", "xab", "xac"}
    ),
    command("md5sum", "md5sum", "in", reads={"in"}),
    command("stat", "stat", "-c", "%n %s", "in"),
    command("ls", "ls", "-l", "--time-style=+", "in"),
    command("find", "find", ".", "-name", "in"),
    shell(
        "find-exec",
        "find dir -type f -exec cat {} + | sort > out",
        files={"dir/a": "A\n", "dir/b": "B\n"},
        reads={"dir/a", "dir/b"},
        writes={"out"},
    ),
    command("gzip", "gzip", "-n", "in", reads={"in"}, writes={"in.gz"}),
    shell("gunzip", "gzip -nk in; rm in; gunzip in.gz", reads={"in"}, writes={"in"}),
    shell(
        "tar-round-trip",
        "tar -cf t.tar --sort=name dir; mkdir new; tar -xf t.tar -C new",
        files={"dir/a": "A\n", "dir/b": "B\n"},
        reads={"dir/a", "dir/b"},
        writes={"t.tar", "new/dir/a", "new/dir/b"},
    ),
    shell(
        "tar-compressed",
        "tar -cf - in | gzip -n > t.tgz; tar -tzf t.tgz",
        reads={"in"},
        writes={"t.tgz"},
    ),
    shell(
        "sqlite",
        "sqlite3 a.db 'create table t(x); insert into t values(1)'; sqlite3 a.db 'select * from t'",
        writes={"a.db"},
        needs=("sqlite3",),
    ),
    shell(
        "git-commit",
        "cat in more > new && mv new in && git add in && git commit -q -m second"
        " && git show HEAD:in",
        files={"in": CONTENT, "more": CONTENT},
        before=_GIT,
        reads={"in", "more"},
        writes={"in"},
        unstable=(".git/index",),
        needs=("git",),
    ),
    shell(
        "git-checkout",
        "git rm -q --cached in && rm in && git checkout -q HEAD -- in",
        before=_GIT,
        writes={"in"},
        unstable=(".git/index",),
        needs=("git",),
    ),
    shell(
        "make-in-parallel",
        "make -s -j2 && ./app",
        files=_C_PROJECT,
        reads=set(_C_PROJECT),
        writes={"one.o", "two.o", "app"},
        needs=("cc", "make"),
    ),
    command(
        "make-nothing-to-do",
        "make",
        "-s",
        files={"Makefile": "out: in\n\tcp in out\n", "in": CONTENT},
        before="make -s; touch -r in out",
        reads={"Makefile"},
        needs=("make",),
    ),
)
