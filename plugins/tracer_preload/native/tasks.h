/* Which task of a platform's worker each thread works for. */
#ifndef ROAR_PRELOAD_TASKS_H
#define ROAR_PRELOAD_TASKS_H

#include "journal.h"

/* The tag plus one; 0: nobody has said. `told` is what this thread's newest TASK_IS says. */
extern __thread uint64_t roar_task HIDDEN;
extern __thread uint64_t roar_task_told HIDDEN;

/* emit.c: let the journal know before what depends on it; false when it was lost. */
bool roar_settle_task(void) HIDDEN;

#endif
