"""Where a program stands: its mask, its root, its user, its name, its locks, its own observers."""

from __future__ import annotations

from roar_core.testing.programs.table import CONTENT, PROGRAM, Program, Seen, c, command, shell

PROGRAMS: tuple[Program, ...] = (
    shell(
        "umask",
        "(umask 077; echo x > a); umask 002; echo x > b; cd dir; echo x > c; stat -c %a ../[ab] c",
        files={"dir/.keep": ""},
        writes={"a", "b", "dir/c"},
    ),
    command(
        "a-script-knows-its-name",
        "./script",
        "word",
        files={"script": '#!/bin/sh\necho "$0 $1"; cat in > out\n', "in": CONTENT},
        reads={"script", "in"},
        writes={"out"},
        before="chmod +x script",
    ),
    shell(
        "through-standard-input-by-name",
        "cat /dev/stdin < in; cat /dev/fd/3 3< in; cat /proc/self/fd/0 < in > /dev/stderr",
        reads={"in"},
    ),
    shell(
        "through-a-link-to-standard-output",
        "ln -s /dev/stdout link; cat in > link",
        reads={"in"},
    ),
    shell("fifo", "mkfifo f; cat in > f & cat f > out; wait; rm f", reads={"in"}, writes={"out"}),
    shell(
        "locks-are-let-go",
        "flock lock cat in; for i in 1 2 3 4 5 6 7 8 9; do flock -n lock true || echo held; done",
        reads={"in"},
        writes={"lock"},
    ),
    c(
        "executes-what-it-has-just-written",
        """for (int i = 0; i < 20; i++) {
            int in = open("in", O_RDONLY), out = open("made", O_WRONLY | O_CREAT | O_TRUNC, 0755);
            ssize_t n = read(in, buffer, sizeof buffer);
            CHECK(write(out, buffer, n) == n); close(in); close(out);
            pid_t p = fork(); if (!p) { execl("./made", "made", (char *)0); _exit(errno); }
            reap(p); }""",
        files={"in": "#!/bin/sh\nexit 0\n"},
        reads={"in"},
        writes={"made"},
    ),
    c(
        "few-descriptors",
        """struct rlimit r = {8, 8}; CHECK(!setrlimit(RLIMIT_NOFILE, &r)); int last = 0;
        for (int fd; (fd = open("in", O_RDONLY)) >= 0;) { last = fd; read(fd, buffer, 1); }
        CHECK(errno == EMFILE && last == 7); close(7); put("out");""",
        top="#include <sys/resource.h>\n",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "errors-are-its-own",
        """CHECK(open("in/x", O_RDONLY) < 0 && errno == ENOTDIR);
        CHECK(open("in", O_RDONLY | O_DIRECTORY) < 0 && errno == ENOTDIR);
        CHECK(open("in", O_WRONLY | O_CREAT | O_EXCL, 0644) < 0 && errno == EEXIST);
        CHECK(open("no/x", O_WRONLY | O_CREAT, 0644) < 0 && errno == ENOENT);
        CHECK(open("soft", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
        CHECK(open("soft", O_WRONLY | O_CREAT | O_EXCL, 0644) < 0 && errno == EEXIST);
        CHECK(open((char *)8, O_RDONLY) < 0 && errno == EFAULT);
        CHECK(openat(99, "in", O_RDONLY) < 0 && errno == EBADF);
        CHECK(open("", O_RDONLY) < 0 && errno == ENOENT);
        CHECK(unlink("absent") < 0 && errno == ENOENT);
        CHECK(rename("in", "in/x") < 0 && errno == ENOTDIR);
        CHECK(link("absent", "x") < 0 && errno == ENOENT);
        CHECK(truncate("absent", 0) < 0 && errno == ENOENT);
        CHECK(open("loop", O_RDONLY) < 0 && errno == ELOOP);""",
        before="ln -s in soft; ln -s loop loop",
    ),
    c(
        "create-through-a-dangling-link",
        'CHECK(!symlink("made", "soft")); put_in(open("soft", O_WRONLY | O_CREAT, 0644));',
        writes={"made"},
    ),
    c(
        "all-threads-at-once",
        """pthread_t t[16];
        for (long i = 0; i < 16; i++) CHECK(!pthread_create(&t[i], 0, all_at_once, (void *)i));
        for (int i = 0; i < 16; i++) pthread_join(t[i], 0);""",
        top="""static void *all_at_once(void *x) { char a[16], b[16];
        for (int i = 0; i < 25; i++) { sprintf(a, "a%ld", (long)x); sprintf(b, "b%ld", (long)x);
            put(a); CHECK(!rename(a, b)); get("in"); CHECK(!unlink(b)); put(b); } return 0; }""",
        reads={"in"},
        writes={f"b{i}" for i in range(16)},
    ),
    c(
        "a-thread-becomes-a-program",
        """pthread_t t; CHECK(!pthread_create(&t, 0, become, 0)); pause();""",
        top="""static void *become(void *x) { (void)x;
        execlp("cp", "cp", "in", "out", (char *)0); exit(1); }""",
        reads={"in"},
        writes={"out"},
    ),
    shell(
        "nested-debugger",
        "gdb -batch -ex run --args cat in 2>&1 | grep content",
        reads={"in"},
        needs=("gdb",),
    ),
    c(
        "another-root",
        """CHECK(!chroot("root")); CHECK(!chdir("/dir"));
        get("/dir/in"); get("../dir/in"); put("out"); put("/top");
        CHECK(!rename("out", "/dir/moved")); CHECK(!unlink("/top"));
        CHECK(open("/proc/self/cwd/../../outside", O_RDONLY) < 0);
        CHECK(open("/proc/self/root/../outside", O_RDONLY) < 0);
        CHECK(open("../../../outside", O_RDONLY) < 0);""",
        files={"root/dir/in": CONTENT, "outside": CONTENT},
        reads={"root/dir/in"},
        writes={"root/dir/moved"},
        needs=("root",),
        lacking={"sees_raw_syscalls": Seen({PROGRAM}, (), {"chroot"})},
    ),
    c(
        "no-descriptor-left",
        """struct rlimit r = {5, 5}; CHECK(!setrlimit(RLIMIT_NOFILE, &r)); while (dup(0) >= 0) {}
        CHECK(open("in", O_WRONLY | O_TRUNC) < 0 && errno == EMFILE);
        CHECK(open("made", O_WRONLY | O_CREAT, 0644) < 0 && errno == EMFILE);
        struct stat s; CHECK(!stat("in", &s) && s.st_size == 8); CHECK(stat("made", &s) < 0);""",
        top="#include <sys/resource.h>\n",
    ),
    c(
        "refused-flags",
        """CHECK(unlinkat(AT_FDCWD, "in", 1) < 0 && errno == EINVAL);
        CHECK(linkat(AT_FDCWD, "in", AT_FDCWD, "out", 1) < 0 && errno == EINVAL);
        struct { unsigned long long flags, mode, resolve; } how = {O_RDONLY | 1ull << 40, 0, 0};
        CHECK(syscall(437, AT_FDCWD, "in", &how, sizeof how) < 0 && errno == EINVAL);
        CHECK(!access("in", F_OK) && access("out", F_OK));""",
    ),
    c(
        "a-root-for-one-call",
        """struct { unsigned long long flags, mode, resolve; } how = {O_RDONLY, 0, 0x10};
        int d = open("dir", O_RDONLY | O_DIRECTORY), fd = syscall(437, d, "/in", &how, sizeof how);
        CHECK(read(fd, buffer, 8) == 8);
        how.flags = O_WRONLY | O_CREAT; how.mode = 0644;
        put_in(syscall(437, d, "/../out", &how, sizeof how));""",
        files={"dir/in": CONTENT},
        reads={"dir/in"},
        writes={"dir/out"},
    ),
    c(
        "itself-by-detours",
        """get("/proc/./self/cwd/in"); put("/proc//self//cwd/./out");
        get("/proc/self/../self/cwd/in");""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "an-inode-number-comes-back",
        """for (int i = 0; i < 50; i++) { put("old"); CHECK(!unlink("old")); put("made");
            put_in(open("made", O_WRONLY | O_APPEND)); if (i < 49) CHECK(!unlink("made")); }""",
        writes={"made"},
    ),
    c(
        "threads-in-folders-of-their-own",
        """pthread_t t; CHECK(!pthread_create(&t, 0, move_away, 0)); pthread_join(t, 0);
        put("out");""",
        top="""#include <sched.h>
        static void *move_away(void *x) { CHECK(!unshare(CLONE_FS)); CHECK(!chdir("dir"));
        get("in"); put("out"); return x; }""",
        files={"dir/in": CONTENT},
        reads={"dir/in"},
        writes={"dir/out", "out"},
    ),
    c(
        "a-thread-with-a-user-of-its-own",
        """pthread_t t; CHECK(!pthread_create(&t, 0, as_nobody, 0)); pthread_join(t, 0); get("in");
        put("out");""",
        top="""static void *as_nobody(void *x) { syscall(SYS_setfsuid, 65534);
        CHECK(open("in", O_RDONLY) < 0 && errno == EACCES);
        CHECK(open("made", O_WRONLY | O_CREAT, 0644) < 0 && errno == EACCES);
        CHECK(unlink("in") < 0 && errno == EACCES); return x; }""",
        before="chmod 600 in",
        reads={"in"},
        writes={"out"},
        needs=("root",),
    ),
    c(
        "below-a-closed-folder",
        """CHECK(!setgroups(0, 0) && !setgid(65534) && !setuid(65534));
        CHECK(open("closed/in", O_RDONLY) < 0 && errno == EACCES);
        CHECK(unlink("closed/open/in") < 0 && errno == EACCES);
        CHECK(rename("closed/open/in", "closed/open/out") < 0 && errno == EACCES);
        CHECK(link("closed/open/in", "open") < 0 && errno == EACCES);
        CHECK(truncate("closed/open/in", 0) < 0 && errno == EACCES);""",
        top="#include <grp.h>\n",
        files={"closed/open/in": CONTENT},
        before="chmod 777 closed/open; chmod 666 closed/open/in; chmod 700 closed",
        needs=("root",),
    ),
    c(
        "another-user",
        """CHECK(!setgroups(0, 0) && !setgid(65534) && !setuid(65534));
        CHECK(open("secret", O_RDONLY) < 0 && errno == EACCES); get("in");
        put("open/out"); struct stat st; CHECK(!stat("open/out", &st) && st.st_uid == 65534);""",
        top="#include <grp.h>\n",
        files={"in": CONTENT, "secret": "s\n", "open/.keep": ""},
        before="chmod 600 secret; chmod 777 open",
        reads={"in"},
        writes={"open/out"},
        needs=("root",),
    ),
    c(
        "setuid",
        """if (geteuid() != 65534) return 9; get("in"); put("open/out");""",
        files={"in": CONTENT, "open/.keep": ""},
        argv=("sh", "-c", f"./{PROGRAM} setuid; echo $?"),
        before=f"chown 65534 {PROGRAM}; chmod 4755 {PROGRAM}; chmod 777 open",
        reads={"in"},
        writes={"open/out"},
        needs=("root",),
        lacking={"sees_setuid": Seen({PROGRAM}, (), {"privileged"})},
    ),
)
