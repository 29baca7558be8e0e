/* One call, answered. */
#ifndef ROAR_PTRACE_ANSWER_H
#define ROAR_PTRACE_ANSWER_H

#include "notice.h"
#include "process.h"

/* Report what the call does, and have it done. */
void answer(struct notice *n);

/* A process has ended, by whatever: report what was still open about it. */
void answer_death(struct process *p);

#endif
