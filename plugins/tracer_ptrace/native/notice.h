/* One system call that waits for our answer (seccomp_unotify(2)). */
#ifndef ROAR_PTRACE_NOTICE_H
#define ROAR_PTRACE_NOTICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "calls.h"

struct notice {
    int listener;
    uint64_t id;
    pid_t tid; /* as our pid namespace numbers it */
    enum abi abi;
    enum call call;
    uint64_t args[6]; /* of a 32-bit caller: zero-extended */
    bool answered;
};

/* Have the kernel keep caller and helper on one processor; false before Linux 6.6. */
bool notice_prefer_one_processor(int listener);

/* Whether nobody is left who could make a call. */
bool notice_is_over(int listener);

/* Wait for the next call; false when nobody is left who could make one. */
bool notice_receive(int listener, struct notice *n);

/* Let the kernel carry the call out, as if nobody had asked. */
void notice_continue(struct notice *n);

/* The call is done: its result, or a negative errno. */
void notice_answer(struct notice *n, int64_t result);

/*
 * Give the caller a copy of our descriptor, without answering yet; returns its number there or a
 * negative errno. -ENOENT: the caller is gone.
 */
int notice_give(struct notice *n, int fd, bool close_on_exec);

/* Whether the caller still waits: before that, a number read elsewhere may be a stranger's. */
bool notice_is_alive(const struct notice *n);

#endif
