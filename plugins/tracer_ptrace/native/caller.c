#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* Another user's needs CAP_SYS_RESOURCE, which root in a container lacks: /proc/PID/limits does
 * not. */
bool caller_limit(pid_t tid, int resource, rlim_t *limit) {
    const char *name = resource == RLIMIT_NOFILE ? "Max open files" : "Max file size";
    struct rlimit got;
    char path[32], line[128];
    bool found = prlimit(tid, resource, NULL, &got) == 0;
    if (found) {
        *limit = got.rlim_cur;
        return true;
    }
    snprintf(path, sizeof path, "/proc/%d/limits", (int)tid);
    FILE *limits = fopen(path, "re");
    while (limits && !found && fgets(line, sizeof line, limits)) {
        unsigned long long value = RLIM_INFINITY;
        found = !strncmp(line, name, strlen(name));
        if (found)
            sscanf(line + strlen(name), "%llu", &value);
        *limit = value;
    }
    if (limits)
        fclose(limits);
    return found;
}

void caller_is_hidden(struct process *p) {
    tell(p, ROAR_GAP_TRACER,
         "calls that could not be made in their caller's place were looked at from outside");
}

void caller_went_through_proc(struct process *p, const struct place *at) {
    /* A loop of links is refused by both. */
    struct place unlimited = *at;
    unlimited.how &= ~(uint64_t)RESOLVE_NO_MAGICLINKS;
    int fd = place_open(&unlimited, O_PATH, 0, 0);
    if (fd < 0)
        return;
    close(fd);
    caller_is_hidden(p);
}

/* Whether anybody who could be the caller waits for an answer again. */
static bool somebody_calls(const struct notice *n, struct process *p) {
    struct pollfd calls = {n->listener, POLLIN, 0};
    return (poll(&calls, 1, 0) > 0 && calls.revents & POLLIN) || process_is_wanted(p);
}

int caller_wait_for(const struct notice *n, struct process *p, const struct place *at) {
    for (int look = 0; look < LOOKS; look++) {
        bool last = look && somebody_calls(n, p);
        int fd = place_open(at, O_PATH, 0, 0);
        if (fd != -ENOENT || last)
            return fd < 0 ? -1 : fd;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return -1;
}
