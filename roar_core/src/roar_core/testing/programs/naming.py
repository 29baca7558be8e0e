"""Names given, moved and taken away; odd ones, and the ways to reach a file."""

from __future__ import annotations

from roar_core.testing.programs.table import CONTENT, Program, c, python, shell

_LONG = "n" * 255
_NOT_UTF8 = "caf\udce9"
_DEEP = "d" * 250

PROGRAMS: tuple[Program, ...] = (
    c("rename", 'CHECK(!rename("in", "out"));', reads={"in"}, writes={"out"}),
    c(
        "rename-over",
        'put("new"); CHECK(!rename("new", "in"));',
        writes={"in"},
    ),
    c(
        "renameat",
        'int d = open("dir", O_RDONLY); CHECK(!renameat(d, "in", AT_FDCWD, "out"));',
        files={"dir/in": CONTENT},
        reads={"dir/in"},
        writes={"out"},
    ),
    c(
        "renameat2-exchange",
        'CHECK(!syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2));',
        files={"a": "A\n", "b": "B\n"},
        reads={"a", "b"},
        writes={"a", "b"},
    ),
    c("rename-there-and-back", 'CHECK(!rename("in", "away")); CHECK(!rename("away", "in"));'),
    c(
        "rename-a-directory",
        'get("dir/a"); CHECK(!rename("dir", "new"));',
        files={"dir/a": "A\n", "dir/sub/b": "B\n"},
        reads={"dir/a", "dir/sub/b"},
        writes={"new/a", "new/sub/b"},
    ),
    c(
        "write-below-a-renamed-directory",
        'mkdir("made", 0755); put("made/a"); CHECK(!rename("made", "out")); put("out/b");',
        writes={"out/a", "out/b"},
    ),
    c("rename-fails", 'CHECK(rename("absent", "out") < 0); CHECK(rename("in", "no/out") < 0);'),
    c("link", 'CHECK(!link("in", "out"));', reads={"in"}, writes={"out"}),
    c(
        "linkat",
        'put("made"); CHECK(!linkat(AT_FDCWD, "made", AT_FDCWD, "out", 0));',
        writes={"made", "out"},
    ),
    c("symlink", 'CHECK(!symlink("in", "soft"));'),
    c("read-through-a-symlink", 'CHECK(!symlink("in", "soft")); get("soft");', reads={"in"}),
    c(
        "write-through-a-symlink",
        'CHECK(!symlink("real", "soft")); put("soft");',
        writes={"real"},
    ),
    c(
        "through-a-symlinked-directory",
        'CHECK(!symlink("dir", "d")); get("d/in"); put("d/../out");',
        files={"dir/in": CONTENT},
        reads={"dir/in"},
        writes={"out"},
    ),
    c("unlink-after-write", 'put("gone"); CHECK(!unlink("gone"));'),
    c("unlink-after-read", 'get("in"); CHECK(!unlink("in"));', reads={"in"}),
    c("unlink-unread", 'CHECK(!unlink("in"));'),
    c("write-after-unlink", 'int fd = open("x", O_WRONLY|O_CREAT, 0644); unlink("x"); put_in(fd);'),
    c("remove-and-make-again", 'CHECK(!remove("in")); put("in");', writes={"in"}),
    c(
        "dot-dot",
        'mkdir("a", 0755); get("a/../in"); put("./a/.././a/out");',
        reads={"in"},
        writes={"a/out"},
    ),
    c(
        "chdir",
        'mkdir("a", 0755); CHECK(!chdir("a")); get("../in"); put("out");',
        reads={"in"},
        writes={"a/out"},
    ),
    c(
        "fchdir",
        'int d = open("dir", O_RDONLY); CHECK(!fchdir(d)); get("in"); put("../out");',
        files={"dir/in": CONTENT},
        reads={"dir/in"},
        writes={"out"},
    ),
    c(
        "beside-the-working-directory",
        'get("../beside/in"); put("../beside/out");',
        files={"../beside/in": CONTENT},
        reads={"../beside/in"},
        writes={"../beside/out"},
    ),
    shell(
        "names-with-spaces-and-newlines",
        'cat "a b" > "c\nd"; cat "c\nd" > " -e"',
        files={"a b": CONTENT},
        reads={"a b"},
        writes={"c\nd", " -e"},
    ),
    shell(
        "name-with-a-leading-dash",
        "cat ./-n > ./-x",
        files={"-n": CONTENT},
        reads={"-n"},
        writes={"-x"},
    ),
    shell(
        "names-with-quotes",
        "cat 'a\"b' > 'it'\\''s \\x $HOME *'",
        files={'a"b': CONTENT},
        reads={'a"b'},
        writes={"it's \\x $HOME *"},
    ),
    shell(
        "names-beyond-ascii",
        "cat 数据.csv > süß.csv",
        files={"数据.csv": CONTENT},
        reads={"数据.csv"},
        writes={"süß.csv"},
    ),
    python(
        "names-that-are-not-utf-8",
        """import os
with open(b"caf\\xe9", "rb") as f, open(b"\\xff\\xfe", "wb") as g:
    g.write(f.read())
""",
        files={_NOT_UTF8: CONTENT},
        reads={_NOT_UTF8},
        writes={"\udcff\udcfe"},
    ),
    shell(
        "name-of-255-bytes",
        "cat n*n > $(printf 'o%.0s' $(seq 255))",
        files={_LONG: CONTENT},
        reads={_LONG},
        writes={"o" * 255},
    ),
    # PATH_MAX is 4096 (limits.h): such a file can only be reached step by step.
    c(
        "deeper-than-a-path-can-name",
        """char n[251]; memset(n, 'd', 250); n[250] = 0;
        for (int i = 0; i < 20; i++) { CHECK(!mkdir(n, 0755)); CHECK(!chdir(n)); }
        put("out");""",
        # What no path can name, no digest can be taken of.
        writes={"/".join([_DEEP] * 20 + ["out"])},
        coverage={"output_gone"},
    ),
    c(
        "a-path-of-nearly-path-max",
        """char p[4096] = ""; for (int i = 0; i < 14; i++) {
            memset(p + strlen(p), 'd', 250); CHECK(!mkdir(p, 0755)); strcat(p, "/"); }
        strcat(p, "out"); put(p);""",
        writes={"/".join([_DEEP] * 14 + ["out"])},
    ),
)
