/* Programs about to run, and those that have begun. */
#ifndef ROAR_PTRACE_PROGRAMS_H
#define ROAR_PTRACE_PROGRAMS_H

#include "process.h"

/* execve and execveat: report the attempt and let it be made. */
void programs_execute(struct notice *n, struct process *p, int folder, uint64_t path, uint64_t argv,
                      int flags);

/* At the next call of a process that tried: did it work? */
void programs_settle(struct process *p, pid_t tid);

/* The process ended before its next call: it did, as far as could be told beforehand. */
void programs_assume(struct process *p);

#endif
