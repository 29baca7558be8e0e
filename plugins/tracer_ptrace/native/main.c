/*
 * roar-ptrace --journal JOURNAL [--control FD] -- PROGRAM ARGV0 [ARGUMENT …]
 *
 * Becomes PROGRAM, with a filter that sends its calls of interest, and those of all that it starts,
 * to a helper. So the command keeps the process that roar started: its number, parent, session,
 * terminal, descriptors and signals. What cannot be observed runs all the same, and the journal
 * says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter.h"
#include "helper.h"
#include "journal.h"
#include "opening.h"

#define INHERITED_LAST 255
#define CANNOT_EXECUTE 126
#define NOT_FOUND 127

struct command {
    const char *journal;
    int control;
    const char *program;
    char **argv;
};

static _Noreturn void usage(void) {
    fputs("usage: roar-ptrace --journal JOURNAL [--control FD] -- PROGRAM ARGV0 [ARGUMENT ...]\n"
          "Runs PROGRAM and writes what it and its children read and write into JOURNAL.\n"
          "Part of roar: use it as `roar run --tracer ptrace COMMAND`.\n",
          stderr);
    exit(2);
}

static struct command parse(char **argv) {
    struct command c = {.control = -1};
    char **at = argv + 1;
    for (; *at && strcmp(*at, "--"); at += 2) {
        if (!at[1])
            usage();
        if (!strcmp(*at, "--journal"))
            c.journal = at[1];
        else if (!strcmp(*at, "--control"))
            c.control = atoi(at[1]);
        else
            usage();
    }
    if (!c.journal || !at[0] || !at[1] || !at[2])
        usage();
    c.program = at[1];
    c.argv = at + 2;
    return c;
}

/*
 * Start the helper as anybody's child but the command's: roar's where roar is our parent and reaps
 * it, else nobody's. Without an exit signal, its mother's end is not told to a program that has yet
 * to start.
 */
static bool start_helper(int starter[2], int control) {
    if (control >= 0) {
        long sister = syscall(SYS_clone, CLONE_PARENT, NULL, NULL, NULL, NULL);
        if (sister == 0)
            helper_main(starter[1], control);
        return sister > 0;
    }
    pid_t mother = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
    if (mother < 0)
        return false;
    if (mother == 0) {
        if (fork() == 0)
            helper_main(starter[1], control);
        _exit(0);
    }
    while (waitpid(mother, NULL, __WALL) < 0 && errno == EINTR)
        ;
    return true;
}

static bool hears(int socket, char expected) {
    char byte = 0;
    ssize_t got;
    do
        got = read(socket, &byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1 && byte == expected;
}

static bool send_listener(int socket, int listener, bool unprivileged) {
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec data = {&(char){unprivileged ? 'u' : 'p'}, 1};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    memcpy(CMSG_DATA(&control.head), &listener, sizeof listener);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

static void unobserved(const char *why, int error) {
    char text[256];
    snprintf(text, sizeof text, "%s: %s", why, strerror(error));
    journal_gap(ROAR_GAP_TRACER, getpid(), text);
}

/* From here on the helper must live: the listener is kept until it has said that it listens. */
static void observe(int control) {
    int sockets[2];
    bool unprivileged;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) {
        unobserved("no socket for the ptrace helper", errno);
        return;
    }
    if (!start_helper(sockets, control)) {
        unobserved("the ptrace helper could not be started", errno);
    } else {
        close(sockets[1]);
        if (!hears(sockets[0], HELPER_PREPARED)) {
            unobserved("the ptrace helper ended at once", EPIPE);
        } else {
            int listener = filter_install(&unprivileged);
            if (listener < 0)
                unobserved("no seccomp listener could be had", -listener);
            else if (!send_listener(sockets[0], listener, unprivileged) ||
                     !hears(sockets[0], HELPER_LISTENING))
                _exit(CANNOT_EXECUTE);
            if (listener >= 0)
                close(listener);
        }
    }
    close(sockets[0]);
}

static int complain(const char *name, int error) {
    bool missing = error == ENOENT || error == ENOTDIR;
    fprintf(stderr, "roar: %s cannot be executed: %s\n", name,
            missing ? "its interpreter does not exist" : strerror(error));
    return missing ? NOT_FOUND : CANNOT_EXECUTE;
}

/* execvp(3) and every shell hand a script without `#!` to sh. */
static void execute_by_shell(const struct command *c) {
    size_t count = 0;
    while (c->argv[count])
        count++;
    char **argv = calloc(count + 2, sizeof *argv);
    if (!argv)
        return;
    argv[0] = "sh";
    argv[1] = (char *)c->program;
    for (size_t i = 1; i < count; i++)
        argv[i + 1] = c->argv[i];
    execv("/bin/sh", argv);
}

int main(int argc, char **argv) {
    (void)argc;
    struct command c = parse(argv);
    if (!journal_open(c.journal)) {
        int error = errno;
        fprintf(stderr, "roar: %s is no journal that can be written: %s; nothing is recorded\n",
                c.journal, strerror(error));
    } else {
        if (c.control >= 0)
            fcntl(c.control, F_SETFD, FD_CLOEXEC);
        opening_report_inherited(INHERITED_LAST);
        observe(c.control);
    }
    if (c.control >= 0)
        close(c.control);
    execv(c.program, c.argv);
    int error = errno;
    if (error == ENOEXEC)
        execute_by_shell(&c);
    return complain(c.argv[0], error);
}
