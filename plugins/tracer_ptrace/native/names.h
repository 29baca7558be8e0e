/* Names given, moved and taken away, and files cut by their name. */
#ifndef ROAR_PTRACE_NAMES_H
#define ROAR_PTRACE_NAMES_H

#include "process.h"

/* A path as a call gives it: relative to a descriptor of the caller's, or AT_FDCWD. */
struct given {
    int folder;
    uint64_t path;
};

void names_rename(struct notice *n, struct process *p, struct given from, struct given to,
                  unsigned flags);
void names_link(struct notice *n, struct process *p, struct given from, struct given to, int flags);
void names_unlink(struct notice *n, struct process *p, struct given name);
/* Before the file behind the caller's descriptor changes: let roar have its digest (rule 4). */
void names_hold(const struct notice *n, uint64_t fd);
void names_truncate(struct notice *n, struct process *p, uint64_t path, int64_t length);

#endif
