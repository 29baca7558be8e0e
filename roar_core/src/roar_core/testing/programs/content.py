"""What changes content, and what only could have: truncation, mappings, copies, chains."""

from __future__ import annotations

from roar_core.testing.programs.table import Program, c

_BIG = {"in": "0123456789abcdef" * 8192}

PROGRAMS: tuple[Program, ...] = (
    c("truncate", 'CHECK(!truncate("in", 0));', writes={"in"}),
    c("ftruncate-grows", 'CHECK(!ftruncate(open("in", O_WRONLY), 100));', writes={"in"}),
    c("truncate-on-open", 'close(open("in", O_WRONLY | O_TRUNC));', writes={"in"}),
    c("truncate-after-read", 'get("in"); CHECK(!truncate("in", 3));', reads={"in"}, writes={"in"}),
    c("fallocate", 'CHECK(!posix_fallocate(open("in", O_WRONLY), 0, 5000));', writes={"in"}),
    c(
        "append",
        'int fd = open("in", O_WRONLY | O_APPEND); put_in(fd);',
        writes={"in"},
    ),
    # The bytes before are among those read, and nobody could know that in time.
    c(
        "append-then-read",
        'put_in(open("in", O_WRONLY | O_APPEND)); get("in");',
        reads={"in"},
        writes={"in"},
        coverage={"unknown_hash"},
    ),
    c("overwrite-the-beginning", 'put_in(open("in", O_WRONLY));', writes={"in"}),
    c("rewrite-the-same-bytes", 'put("in");', files={"in": "new\n"}, writes={"in"}),
    c(
        "read-modify-write",
        """int fd = open("in", O_RDWR); CHECK(read(fd, buffer, 8) == 8); buffer[0] = 'C';
        CHECK(pwrite(fd, buffer, 8, 0) == 8);""",
        reads={"in"},
        writes={"in"},
    ),
    c(
        "read-then-overwrite",
        'get("in"); put_in(open("in", O_WRONLY));',
        reads={"in"},
        writes={"in"},
    ),
    c("read-then-truncate-on-open", 'get("in"); put("in");', reads={"in"}, writes={"in"}),
    c(
        "read-then-replace-by-rename",
        'get("in"); put("new"); CHECK(!rename("new", "in"));',
        reads={"in"},
        writes={"in"},
    ),
    c(
        "read-then-rename-then-write",
        'get("in"); CHECK(!rename("in", "old")); put("in");',
        reads={"in"},
        writes={"in", "old"},
    ),
    c("produce-then-consume", 'put("out"); get("out");', writes={"out"}),
    c(
        "consume-then-produce-then-consume",
        'get("in"); put("out"); get("out");',
        reads={"in"},
        writes={"out"},
    ),
    c("replace-then-read", 'put("in"); get("in");', writes={"in"}),
    c(
        "produce-consume-remove",
        'put("mid"); get("mid"); CHECK(!unlink("mid")); put("out");',
        writes={"out"},
    ),
    c(
        "mmap-read",
        """int fd = open("in", O_RDONLY); char *p = mmap(0, 8, PROT_READ, MAP_PRIVATE, fd, 0);
        CHECK(p != MAP_FAILED); close(fd); putchar(p[3]);""",
        reads={"in"},
    ),
    c(
        "mmap-private-changes-nothing",
        """int fd = open("in", O_RDONLY);
        char *p = mmap(0, 8, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        CHECK(p != MAP_FAILED); p[0] = 'X'; close(fd);""",
        reads={"in"},
    ),
    c(
        "mmap-shared-write",
        """int fd = open("in", O_RDWR);
        char *p = mmap(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(p != MAP_FAILED); close(fd); p[0] = 'X'; CHECK(!munmap(p, 8));""",
        reads={"in"},
        writes={"in"},
    ),
    c(
        "mmap-a-new-file",
        """int fd = open("out", O_RDWR | O_CREAT, 0644); CHECK(!ftruncate(fd, 4096));
        char *p = mmap(0, 4096, PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(p != MAP_FAILED); strcpy(p, "x");""",
        writes={"out"},
    ),
    c(
        "sendfile",
        """int in = open("in", O_RDONLY), out = open("out", O_WRONLY | O_CREAT, 0644); off_t at = 0;
        CHECK(sendfile(out, in, &at, 8) == 8); close(in); close(out);""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "copy-file-range",
        """int in = open("in", O_RDONLY), out = open("out", O_WRONLY | O_CREAT, 0644); off_t at = 0;
        CHECK(copy_file_range(in, &at, out, 0, 8, 0) == 8); close(in); close(out);""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "splice",
        """loff_t at = 0;
        int p[2], in = open("in", O_RDONLY), out = open("out", O_WRONLY | O_CREAT, 0644);
        CHECK(!pipe(p)); CHECK(splice(in, &at, p[1], 0, 8, 0) == 8);
        CHECK(splice(p[0], 0, out, 0, 8, 0) == 8); close(in); close(out);""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "pread",
        'int fd = open("in", O_RDONLY); CHECK(pread(fd, buffer, 3, 1) == 3); close(fd);',
        reads={"in"},
    ),
    c(
        "read-and-rewind",
        """int fd = open("in", O_RDONLY); CHECK(read(fd, buffer, 3) == 3);
        lseek(fd, 0, 0); close(fd);""",
        reads={"in"},
    ),
    c(
        "vectors",
        """struct iovec v = {buffer, 8};
        int fd = open("in", O_RDONLY); CHECK(preadv(fd, &v, 1, 0) == 8); close(fd);
        fd = open("out", O_WRONLY | O_CREAT, 0644); CHECK(writev(fd, &v, 1) == 8);""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "duplicate-descriptor",
        """int fd = open("in", O_RDONLY), two = dup(fd); CHECK(read(two, buffer, 3) == 3);
        close(two); lseek(fd, 0, 0); close(fd);""",
        reads={"in"},
    ),
    c(
        "copy-in-large-blocks",
        """int in = open("in", O_RDONLY), out = open("out", O_WRONLY | O_CREAT, 0644); ssize_t n;
        while ((n = read(in, buffer, sizeof buffer)) > 0) CHECK(write(out, buffer, n) == n);""",
        files=_BIG,
        reads={"in"},
        writes={"out"},
    ),
    c(
        "write-at-a-distance",
        'int fd = creat("out", 0644); CHECK(pwrite(fd, "x", 1, 1 << 20) == 1);',
        writes={"out"},
    ),
    c(
        "locks-change-nothing",
        'int fd = open("in", O_RDWR); CHECK(!lockf(fd, F_LOCK, 0)); close(fd);',
    ),
)
