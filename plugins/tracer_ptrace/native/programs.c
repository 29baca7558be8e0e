/*
 * A call that was let through does not tell how it ended. That a program has taken over shows at
 * the next call of its process: another file below /proc/PID/exe, or another stack.
 */
#include "programs.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "caller.h"
#include "memory.h"
#include "paths.h"

#define ARGUMENTS_ROOM (64u << 10)
#define KNOWN 64

/* Open the program for looking at; -1 when the attempt will fail for want of it. */
static int open_program(struct notice *n, struct process *p, int folder, uint64_t path, int flags,
                        struct path *given) {
    char text[PATH_MAX];
    struct place at;
    bool itself = false;
    if (!caller_path(n, p, path, text)) {
        itself = flags & AT_EMPTY_PATH;
        if (!itself)
            return -1;
        snprintf(text, sizeof text, "/proc/self/fd/%d", folder);
    }
    if (!place_enter(&at, p, n, folder, text))
        return -1;
    int fd = place_open(&at, O_PATH | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0, 0);
    given->length = 0;
    given->whole = true;
    if (fd >= 0 && itself) {
        path_of_fd(given, fd);
    } else {
        /* The name that was used: a link of an environment says more than where it leads. */
        if (at.folder >= 0 && at.path[0] != '/') {
            path_of_fd(given, at.folder);
            path_add(given, "/", 1);
        }
        path_add(given, at.path, strlen(at.path));
    }
    place_leave(&at);
    return fd;
}

/* The first bytes of the file; executable and not readable is possible: then nothing. */
static size_t read_head(int fd, void *head, size_t size) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int file = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t got = file < 0 ? 0 : read(file, head, size);
    if (file >= 0)
        close(file);
    return got > 0 ? (size_t)got : 0;
}

/* Whether our tables know the calls of the machine that the program is for. */
static bool is_of_a_known_abi(const unsigned char *head, size_t size) {
    uint16_t machine;
    if (size < 20 || memcmp(head, ELFMAG, SELFMAG))
        return true;
    memcpy(&machine, head + 18, sizeof machine);
#if defined(__x86_64__)
    /* EM_X86_64 with 32-bit words is x32. */
    return (machine == EM_X86_64 && head[EI_CLASS] == ELFCLASS64) || machine == EM_386;
#else
    return machine == EM_AARCH64;
#endif
}

/* Who it would run as, were it not for no_new_privs. */
static bool gains_privileges(int fd, const struct stat *st) {
    char link[32], capabilities[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return st->st_mode & S_ISUID || (st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) ||
           getxattr(link, "security.capability", capabilities, sizeof capabilities) > 0;
}

/* What was found out about a file, by its inode and version. */
struct known {
    struct stat st;
    bool is_elf, is_foreign, gains;
};

static struct known find_out(int fd, const struct stat *st) {
    unsigned char head[64];
    size_t size = read_head(fd, head, sizeof head);
    return (struct known){
        .st = *st,
        .is_elf = size >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG),
        .is_foreign = !is_of_a_known_abi(head, size),
        .gains = gains_privileges(fd, st),
    };
}

/* The same few programs run again and again. */
static struct known look_at_file(int fd, const struct stat *st) {
    static struct known all[KNOWN];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    struct known *known = &all[roar_slot_key(st->st_dev, st->st_ino) % KNOWN];
    if (known->st.st_ino != st->st_ino || known->st.st_dev != st->st_dev ||
        memcmp(&known->st.st_ctim, &st->st_ctim, sizeof st->st_ctim))
        *known = find_out(fd, st);
    struct known found = *known;
    pthread_mutex_unlock(&lock);
    return found;
}

/* Tell what will be different for this program; whether it is the very file to run. */
static bool look_at_program(struct process *p, int fd, const struct stat *st, const char *path) {
    struct known known = look_at_file(fd, st);
    if (known.is_foreign)
        journal_gap(ROAR_GAP_FOREIGN_ABI, p->pid, path);
    if (known.gains && standing_is_unprivileged())
        journal_gap(ROAR_GAP_PRIVILEGED, p->pid, path);
    else if (known.gains)
        standing_may_differ();
    return known.is_elf;
}

static void report_attempt(struct notice *n, struct process *p, uint64_t argv,
                           const struct stat *st, const struct path *path) {
    static __thread char arguments[ARGUMENTS_ROOM];
    size_t length = memory_arguments(n, argv, arguments, ARGUMENTS_ROOM);
    journal_report(&(struct report){
        .kind = ROAR_EXEC,
        .pid = p->pid,
        .tid = n->tid,
        .first = st,
        .strings = 2,
        .text = {path_text(path), {arguments, length}},
    });
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool may_be_executed(const struct stat *st) {
    return S_ISREG(st->st_mode) && st->st_mode & 0111;
}

void programs_execute(struct notice *n, struct process *p, int folder, uint64_t path, uint64_t argv,
                      int flags) {
    struct path *given = path_scratch(0);
    struct attempt *attempt = &p->attempt;
    int fd = open_program(n, p, folder, path, flags, given);
    if (fd >= 0 && fstat(fd, &attempt->program) == 0 && may_be_executed(&attempt->program) &&
        process_program(p->pid, &attempt->before)) {
        free(attempt->path);
        attempt->path = strndup(given->text, given->length);
        attempt->pending = true;
        attempt->tid = n->tid;
        bool is_elf = look_at_program(p, fd, &attempt->program, attempt->path);
        attempt->by_stack = !is_elf || same_file(&attempt->before, &attempt->program);
        if (attempt->by_stack && !process_stack(p->pid, &attempt->stack))
            attempt->stack = 0;
        report_attempt(n, p, argv, &attempt->program, given);
        p->standing_known = false;
    }
    if (fd >= 0)
        close(fd);
    notice_continue(n);
}

static void report_start(const struct process *p, const struct stat *program,
                         const struct path *path) {
    char link[32];
    struct path *cwd = path_scratch(1);
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)p->pid);
    path_of_link(cwd, link);
    journal_report(&(struct report){
        .kind = ROAR_START,
        .value = (uint64_t)p->parent,
        .pid = p->pid,
        .tid = p->pid,
        .first = program,
        .strings = 2,
        .text = {path_text(path), path_text(cwd)},
    });
}

void programs_settle(struct process *p, pid_t tid) {
    struct attempt *attempt = &p->attempt;
    if (!attempt->pending)
        return;
    struct stat now;
    uint64_t stack = attempt->stack;
    bool seen =
        process_program(p->pid, &now) && (!attempt->by_stack || process_stack(p->pid, &stack));
    bool began = !seen || !same_file(&now, &attempt->before) || stack != attempt->stack;
    /* Another thread, still of the old program: it does not know either. */
    if (!began && tid != attempt->tid)
        return;
    if (!seen) {
        programs_assume(p);
        return;
    }
    attempt->pending = false;
    if (!began) {
        journal_report(
            &(struct report){.kind = ROAR_EXEC_FAILED, .value = EACCES, .pid = p->pid, .tid = tid});
        return;
    }
    char link[32];
    struct path *path = path_scratch(0);
    snprintf(link, sizeof link, "/proc/%d/exe", (int)p->pid);
    path_of_link(path, link);
    report_start(p, &now, path);
}

void programs_assume(struct process *p) {
    struct attempt *attempt = &p->attempt;
    if (!attempt->pending)
        return;
    attempt->pending = false;
    struct path *path = path_scratch(0);
    path->length = 0;
    path->whole = true;
    path_add(path, attempt->path, strlen(attempt->path));
    report_start(p, &attempt->program, path);
}
