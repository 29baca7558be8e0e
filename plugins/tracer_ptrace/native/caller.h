/* What is common to answering calls: reading their paths, and those whose outcome we cannot know.
 */
#ifndef ROAR_PTRACE_CALLER_H
#define ROAR_PTRACE_CALLER_H

#include <limits.h>

#include "place.h"

/* The path at `from` in the caller's memory; false when it has none, or we may not read it. */
bool caller_path(const struct notice *n, struct process *p, uint64_t from, char to[PATH_MAX]);

/* Say once that we see this process from outside only. */
void caller_is_hidden(struct process *p);

/*
 * After a call was let through: an O_PATH descriptor of what is at its place, waited for a moment;
 * -1 when nothing comes.
 */
int caller_wait_for(const struct place *at);

#endif
