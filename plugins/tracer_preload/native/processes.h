/* What hooks of several families need when processes are made. */
#ifndef ROAR_PRELOAD_PROCESSES_H
#define ROAR_PRELOAD_PROCESSES_H

#include <stddef.h>

#include "journal.h"

/* A mapping made on the way to an exec, to be undone by the parent when a vfork child made it. */
struct roar_scratch {
    void *base;
    size_t size;
};
extern __thread struct roar_scratch roar_scratch HIDDEN;

/* Before anything that copies this process: proofs are spoilt, what children need is looked up. */
void roar_before_fork(void) HIDDEN;
void roar_before_clone(unsigned long flags) HIDDEN;

/* In the parent, and in the child, where `child` is 0: it tells its task anew, as its own. */
void roar_forked(long child) HIDDEN;

/* Report the end with an exit code; called by what ends without running handlers, too. */
void roar_exits(int status) HIDDEN;

/* For trampolines.S. */
void roar_before_vfork(void) HIDDEN;
long roar_in_vfork_child(void) HIDDEN;
long roar_vfork_returns(long child) HIDDEN;

#endif
