/* Files being opened. */
#ifndef ROAR_PTRACE_OPENING_H
#define ROAR_PTRACE_OPENING_H

#include "process.h"

/* One opening, as it was asked for. */
struct opening {
    int folder; /* the caller's descriptor or AT_FDCWD */
    uint64_t path;
    uint64_t flags, mode, resolve;
};

/* Answer one. */
/* Whether openat2(2), which refuses what it does not know, would take this. */
bool opening_is_known(const struct opening *o);

void opening_answer(struct notice *n, struct process *p, const struct opening *o);

/* mknod(2): it makes regular files too. */
void opening_make(struct notice *n, struct process *p, int folder, uint64_t path, mode_t mode);

/* Report what the command finds open when it starts: our own descriptors `0 … last`. */
void opening_report_inherited(int last);

#endif
