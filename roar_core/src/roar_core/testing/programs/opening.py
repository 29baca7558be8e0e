"""All the faces of opening a file, and what opens without touching any content."""

from __future__ import annotations

from roar_core.testing.programs.table import CONTENT, Program, Unit, c

FORTIFIED = Unit("fortified", flags=("-O2", "-D_FORTIFY_SOURCE=2"))
LARGE = Unit("large-files", flags=("-D_FILE_OFFSET_BITS=64",))
_IN_DIR = {"dir/in": CONTENT}

PROGRAMS: tuple[Program, ...] = (
    c("open-read", 'get("in");', reads={"in"}),
    c("open-write", 'put("out");', writes={"out"}),
    c("open-read-in-part", 'int fd = open("in", O_RDONLY); read(fd, buffer, 1);', reads={"in"}),
    c(
        "open64",
        """int fd = open64("in", O_RDONLY); read(fd, buffer, 9);
        put_in(open64("out", O_WRONLY | O_CREAT, 0644));""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "openat-with-a-directory",
        """int d = open("dir", O_RDONLY | O_DIRECTORY), fd = openat(d, "in", O_RDONLY);
        CHECK(read(fd, buffer, 9) > 0); put_in(openat(d, "out", O_WRONLY | O_CREAT, 0644));""",
        files=_IN_DIR,
        reads={"dir/in"},
        writes={"dir/out"},
    ),
    c(
        "openat-after-the-directory-moved",
        """int d = open("dir", O_RDONLY | O_DIRECTORY); CHECK(!rename("dir", "moved"));
        put_in(openat(d, "out", O_WRONLY | O_CREAT, 0644));""",
        files={"dir/.keep": ""},
        reads={"dir/.keep"},
        writes={"moved/.keep", "moved/out"},
    ),
    c("creat", 'put_in(creat("out", 0644));', writes={"out"}),
    c(
        "open-by-syscall",
        """int fd = syscall(SYS_openat, AT_FDCWD, "in", O_RDONLY); read(fd, buffer, 9);
        put_in(syscall(SYS_openat, AT_FDCWD, "out", O_WRONLY | O_CREAT, 0644));""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "openat2",
        """struct { unsigned long long flags, mode, resolve; } how = {O_WRONLY | O_CREAT, 0644, 0};
        put_in(syscall(437, AT_FDCWD, "out", &how, sizeof how));""",
        writes={"out"},
    ),
    c("open-fortified", 'get("in"); put("out");', unit=FORTIFIED, reads={"in"}, writes={"out"}),
    c(
        "fopen-large",
        'FILE *f = fopen("in", "r"); fread(buffer, 1, 9, f); put("out");',
        unit=LARGE,
        reads={"in"},
        writes={"out"},
    ),
    c("fopen-r", 'FILE *f = fopen("in", "r"); CHECK(fgets(buffer, 9, f));', reads={"in"}),
    c("fopen64-r", 'FILE *f = fopen64("in", "r"); CHECK(fgets(buffer, 9, f));', reads={"in"}),
    c("fopen-w", 'FILE *f = fopen("out", "w"); fputs("x", f); fclose(f);', writes={"out"}),
    c("fopen-a", 'FILE *f = fopen("in", "a"); fputs("x", f); fclose(f);', writes={"in"}),
    c(
        "fopen-r+",
        'FILE *f = fopen("in", "r+"); fgets(buffer, 4, f); rewind(f); fputs("X", f); fclose(f);',
        reads={"in"},
        writes={"in"},
    ),
    c("fopen-w+", 'FILE *f = fopen("in", "w+"); fputs("x", f); fclose(f);', writes={"in"}),
    c(
        "freopen",
        """freopen("in", "r", stdin); fgets(buffer, 9, stdin);
        freopen("out", "w", stdout); puts(buffer);""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "fdopen",
        'FILE *f = fdopen(open("in", O_RDONLY), "r"); fgets(buffer, 9, f); fclose(f);',
        reads={"in"},
    ),
    c(
        "mkstemp-then-rename",
        'char n[] = "tmpXXXXXX"; put_in(mkstemp(n)); CHECK(!rename(n, "out"));',
        writes={"out"},
    ),
    c("mkostemps-is-scratch", 'char n[] = "aXXXXXX.b"; put_in(mkostemps(n, 2, 0)); unlink(n);'),
    c("tmpfile", 'FILE *f = tmpfile(); fputs("x", f); fclose(f);'),
    c("o-tmpfile-without-a-name", 'put_in(open(".", O_TMPFILE | O_WRONLY, 0644));'),
    c(
        "o-tmpfile-then-linkat",
        """int fd = open(".", O_TMPFILE | O_WRONLY, 0644); CHECK(fd >= 0); write(fd, "x", 1);
        sprintf(buffer, "/proc/self/fd/%d", fd);
        CHECK(!linkat(AT_FDCWD, buffer, AT_FDCWD, "out", AT_SYMLINK_FOLLOW));""",
        writes={"out"},
    ),
    c("open-read-only-and-close", 'close(open("in", O_RDONLY));'),
    c("open-both-ways-and-close", 'close(open("in", O_RDWR));'),
    c("open-to-write-and-close", 'close(open("in", O_WRONLY));'),
    c("read-an-empty-file", 'get("in");', files={"in": ""}, reads={"in"}),
    c("create-an-empty-file", 'close(open("out", O_WRONLY | O_CREAT, 0644));', writes={"out"}),
    c("open-what-is-not-there", 'CHECK(open("absent", O_RDONLY) < 0); CHECK(!fopen("no/x", "w"));'),
    c("o-path", 'CHECK(open("in", O_PATH) >= 0);'),
    c(
        "look-only",
        """struct stat s; CHECK(!stat("in", &s) && !lstat("in", &s) && !access("in", R_OK));
        CHECK(!chmod("in", 0600)); CHECK(!utimensat(AT_FDCWD, "in", 0, 0));""",
    ),
    c(
        "many-opens-of-one-file",
        'for (int i = 0; i < 3000; i++) get("in"); for (int i = 0; i < 300; i++) put("out");',
        reads={"in"},
        writes={"out"},
    ),
    c(
        "o-excl-and-o-append",
        'put_in(open("out", O_WRONLY|O_CREAT|O_EXCL|O_APPEND, 0644));',
        writes={"out"},
    ),
    c("devices-are-no-files", 'get("/dev/null"); put("/dev/null"); get("/proc/self/status");'),
    c(
        "pipes-and-memory-are-no-files",
        """int p[2]; CHECK(!pipe(p)); write(p[1], "x", 1); put_in(memfd_create("in", 0));
        CHECK(!mkfifo("fifo", 0600)); int f = open("fifo", O_RDWR);
        write(f, "x", 1); read(f, buffer, 1);""",
    ),
    c(
        "shared-memory-by-name",
        """sprintf(buffer, "/roar-kit-%d", getpid());
        int fd = shm_open(buffer, O_RDWR | O_CREAT, 0600);
        CHECK(fd >= 0); CHECK(!ftruncate(fd, 4096)); CHECK(!shm_unlink(buffer));""",
    ),
)
