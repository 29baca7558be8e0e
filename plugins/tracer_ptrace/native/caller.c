#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "memory.h"
#include "paths.h"

/* A call that was let through takes microseconds; a slow disk may take longer. */
#define LOOKS 200
#define PAUSE_NS 100000

static void tell(struct process *p, enum roar_gap code, const char *what) {
    if (!p->told_unreadable)
        journal_gap(code, p->pid, what);
    p->told_unreadable = true;
    p->proves_nothing = true;
}

bool caller_path(const struct notice *n, struct process *p, uint64_t from, char to[PATH_MAX]) {
    int got = memory_path(n, from, to);
    if (got == -EPERM && notice_is_alive(n)) {
        char link[32], program[PATH_MAX] = "a program that forbids to be looked at";
        struct path *path = path_scratch(0);
        snprintf(link, sizeof link, "/proc/%d/exe", (int)p->pid);
        if (path_of_link(path, link))
            snprintf(program, sizeof program, "%.*s", (int)path->length, path->text);
        tell(p, ROAR_GAP_PRIVILEGED, program);
    }
    return got > 0;
}

void caller_is_hidden(struct process *p) {
    tell(p, ROAR_GAP_TRACER, "a process in a sandbox of its own was seen from outside only");
}

int caller_wait_for(const struct place *at) {
    for (int look = 0; look < LOOKS; look++) {
        int fd = place_open(at, O_PATH, 0, 0);
        if (fd != -ENOENT)
            return fd < 0 ? -1 : fd;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return -1;
}
