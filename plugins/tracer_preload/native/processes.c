/*
 * The making and ending of processes.
 *
 * The journal is mapped before the fork, so that children inherit it. A copied descriptor shares
 * its offset with the original, so at a fork every open file counts as used. vfork itself is in
 * trampolines.S: its child returns through the frame its parent is to return through.
 */
#include "processes.h"

#include <errno.h>
#include <pty.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "emit.h"
#include "hooks.h"
#include "proof.h"
#include "raw.h"
#include "tasks.h"

__thread struct roar_scratch roar_scratch;

void roar_before_fork(void) {
    if (!roar_ready())
        return;
    /* Here, for a vfork child shares this thread's memory and would say it of itself. */
    roar_settle_task();
    roar_proof_spoil_range(0, ROAR_PROOF_FDS);
    roar_resolve_for_children();
}

void roar_forked(long child) {
    if (child == 0)
        roar_task_told = 0;
    if (child > 0 && roar_ready())
        roar_emit(ROAR_FORK, (uint64_t)child, NULL, NULL, 0, roar_no_text(), roar_no_text());
}

void roar_before_vfork(void) {
    roar_before_fork();
}

long roar_in_vfork_child(void) {
    roar_in_vfork++;
    return 0;
}

long roar_vfork_returns(long child) {
    if (child < 0) {
        errno = (int)-child;
        return -1;
    }
    roar_in_vfork--;
    if (roar_scratch.base) {
        /* What the child mapped for its exec lies in our memory. */
        raw_unmap(roar_scratch.base, roar_scratch.size);
        roar_scratch.base = NULL;
    }
    roar_forked(child);
    return child;
}

void roar_exits(int status) {
    if (roar_ready())
        roar_emit(ROAR_EXIT, (uint64_t)(status & 0xff) << 8, NULL, NULL, 0, roar_no_text(),
                  roar_no_text());
}

#define FORK_FACE(name)                                                                            \
    EXPORT pid_t name(void) {                                                                      \
        roar_before_fork();                                                                        \
        pid_t child = REAL(name)();                                                                \
        roar_forked(child);                                                                        \
        return child;                                                                              \
    }

pid_t __fork(void);
FORK_FACE(fork)
FORK_FACE(__fork)
FORK_FACE(_Fork)

void roar_before_clone(unsigned long flags) {
    if (flags & CLONE_THREAD)
        return;
    roar_before_fork();
    /* One memory, two sets of descriptors: our entries cannot tell them apart. */
    if (flags & CLONE_VM && !(flags & CLONE_FILES))
        roar_proof_never();
}

#define CLONE_FACE(name)                                                                           \
    EXPORT int name(int (*run)(void *), void *stack, int flags, void *argument, ...) {             \
        va_list more;                                                                              \
        va_start(more, argument);                                                                  \
        void *parent_tid = va_arg(more, void *);                                                   \
        void *tls = va_arg(more, void *);                                                          \
        void *child_tid = va_arg(more, void *);                                                    \
        va_end(more);                                                                              \
        roar_before_clone((unsigned long)flags);                                                   \
        int child = REAL(name)(run, stack, flags, argument, parent_tid, tls, child_tid);           \
        if (!(flags & CLONE_THREAD))                                                               \
            roar_forked(child);                                                                    \
        return child;                                                                              \
    }

int __clone(int (*run)(void *), void *stack, int flags, void *argument, ...);
CLONE_FACE(clone)
CLONE_FACE(__clone)

/* The parent ends inside; only the child returns, and says so for it. */
EXPORT int daemon(int keep_cwd, int keep_files) {
    if (!roar_ready())
        return REAL(daemon)(keep_cwd, keep_files);
    uint32_t parent = raw_pid();
    roar_before_fork();
    int result = REAL(daemon)(keep_cwd, keep_files);
    uint32_t child = raw_pid();
    if (child != parent) {
        roar_task_told = 0;
        roar_emit_for(parent, ROAR_FORK, child);
        roar_emit_for(parent, ROAR_EXIT, 0);
    }
    return result;
}

EXPORT int forkpty(int *terminal, char *name, const struct termios *settings,
                   const struct winsize *size) {
    roar_before_fork();
    int child = REAL(forkpty)(terminal, name, settings, size);
    roar_forked(child);
    return child;
}

#define EXIT_FACE(name)                                                                            \
    EXPORT void name(int status) {                                                                 \
        roar_exits(status);                                                                        \
        REAL(name)(status);                                                                        \
        __builtin_unreachable();                                                                   \
    }

EXIT_FACE(_exit)
EXIT_FACE(_Exit)
EXIT_FACE(quick_exit)
