"""Who does it: children of every make, threads, daemons, other programs, cleared environments."""

from __future__ import annotations

from roar_core.testing.programs.table import CONTENT, Program, c, shell

PROGRAMS: tuple[Program, ...] = (
    c(
        "fork",
        'pid_t p = fork(); if (!p) { get("in"); put("out"); _exit(0); } reap(p);',
        reads={"in"},
        writes={"out"},
    ),
    c(
        "vfork-and-exec",
        """pid_t p = vfork();
        if (!p) { execl("/bin/cp", "cp", "in", "out", (char *)0); _exit(1); } reap(p);""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "posix-spawn",
        """char *argv[] = {"cp", "in", "out", 0}; pid_t p;
        CHECK(!posix_spawnp(&p, "cp", 0, 0, argv, environ)); reap(p);""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "posix-spawn-opens-files",
        """char *argv[] = {"cat", 0}; pid_t p;
        posix_spawn_file_actions_t a; posix_spawn_file_actions_init(&a);
        posix_spawn_file_actions_addopen(&a, 0, "in", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&a, 1, "out", O_WRONLY | O_CREAT, 0644);
        CHECK(!posix_spawnp(&p, "cat", &a, 0, argv, environ)); reap(p);""",
        reads={"in"},
        writes={"out"},
    ),
    c("system", 'CHECK(!system("cat in > out"));', reads={"in"}, writes={"out"}),
    c(
        "popen",
        """FILE *f = popen("cat in", "r"); CHECK(fgets(buffer, 9, f)); CHECK(!pclose(f));
        put("out");""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "exec-in-place",
        'get("in"); put("made"); execlp("cp", "cp", "made", "out", (char *)0); return 1;',
        reads={"in"},
        writes={"made", "out"},
    ),
    c(
        "exec-by-descriptor",
        """char *argv[] = {"cat", "in", 0}; int fd = open("/bin/cat", O_RDONLY | O_CLOEXEC);
        fexecve(fd, argv, environ); return 1;""",
        reads={"in"},
    ),
    c(
        "exec-with-an-empty-environment",
        """char *argv[] = {"cp", "in", "out", 0}, *none[] = {0};
        execve("/bin/cp", argv, none); return 1;""",
        reads={"in"},
        writes={"out"},
    ),
    c("exec-fails", 'CHECK(execl("/absent", "x", (char *)0) < 0); get("in");', reads={"in"}),
    c(
        "threads",
        """pthread_t t[8];
        for (long i = 0; i < 8; i++) CHECK(!pthread_create(&t[i], 0, work_in_thread, (void *)i));
        for (int i = 0; i < 8; i++) pthread_join(t[i], 0);""",
        top="""static void *work_in_thread(void *x) { char n[9]; sprintf(n, "t%ld", (long)x);
        for (int i = 0; i < 50; i++) { get("in"); put(n); } return 0; }""",
        reads={"in"},
        writes={f"t{i}" for i in range(8)},
    ),
    c(
        "descriptor-from-the-parent",
        """int in = open("in", O_RDONLY), out = open("out", O_WRONLY | O_CREAT, 0644);
        pid_t p = fork();
        if (!p) { CHECK(read(in, buffer, 8) == 8); CHECK(write(out, buffer, 8) == 8); _exit(0); }
        reap(p);""",
        reads={"in"},
        writes={"out"},
    ),
    c(
        "descriptor-passed-over-a-socket",
        """int s[2]; CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
        char room[CMSG_SPACE(sizeof(int))] = {0};
        struct iovec v = {buffer, 1}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1,
            .msg_control = room, .msg_controllen = sizeof room};
        pid_t p = fork();
        if (!p) { CHECK(recvmsg(s[1], &m, 0) == 1); int fd = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&m));
            CHECK(pread(fd, buffer, 8, 0) == 8); _exit(0); }
        int fd = open("in", O_RDONLY); struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET; c->cmsg_type = SCM_RIGHTS; c->cmsg_len = CMSG_LEN(sizeof(int));
        *(int *)CMSG_DATA(c) = fd;
        CHECK(sendmsg(s[0], &m, 0) == 1); close(fd); reap(p);""",
        reads={"in"},
    ),
    c(
        "daemon-writes-after-its-parent-ended",
        """if (fork()) return 0; setsid(); if (fork()) _exit(0);
        close(0); usleep(100000); get("in"); put("out");""",
        reads={"in"},
        writes={"out"},
    ),
    c("killed-after-writing", 'put("out"); kill(getpid(), SIGKILL);', writes={"out"}),
    c("aborts", 'FILE *f = fopen("out", "w"); fputs("lost", f); abort();', writes={"out"}),
    c("exit-code", 'put("out"); return 42;', writes={"out"}),
    c(
        "many-children",
        """for (int i = 0; i < 40; i++) { pid_t p = fork();
            if (!p) { char n[9]; sprintf(n, "c%d", i); get("in"); put(n); _exit(0); } reap(p); }""",
        reads={"in"},
        writes={f"c{i}" for i in range(40)},
    ),
    c(
        "closes-every-descriptor",
        """for (int i = 0; i < 1024; i++) close(i);
        CHECK(open("in", O_RDONLY) == 0); read(0, buffer, 1); put("out");""",
        reads={"in"},
        writes={"out"},
    ),
    shell("env-i", "env -i PATH=$PATH sh -c 'cat in > out'", reads={"in"}, writes={"out"}),
    shell("unset-ld-preload", "unset LD_PRELOAD; cat in > out", reads={"in"}, writes={"out"}),
    shell("ld-preload-emptied", "LD_PRELOAD= cp in out", reads={"in"}, writes={"out"}),
    shell("few-descriptors-allowed", "ulimit -n 16; cat in > out", reads={"in"}, writes={"out"}),
    shell("little-memory-allowed", "ulimit -v 100000; cat in > out", reads={"in"}, writes={"out"}),
    shell("small-files-allowed", "ulimit -f 1; cat in > out", reads={"in"}, writes={"out"}),
    shell(
        "shebang",
        "./script > out",
        files={"script": f"#!/bin/sh\necho {CONTENT}"},
        reads={"script"},
        writes={"out"},
        before="chmod +x script",
    ),
    shell(
        "nested-strace",
        "strace -f -o log cat in > out",
        reads={"in"},
        writes={"log", "out"},
        unstable=("log",),
        needs=("strace",),
    ),
)
