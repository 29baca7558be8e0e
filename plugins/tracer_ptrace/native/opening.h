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
void opening_answer(struct notice *n, struct process *p, const struct opening *o);

/* Report what the command finds open when it starts: our own descriptors `0 … last`. */
void opening_report_inherited(int last);

#endif
