/* What is common to answering calls: reading their paths, and those whose outcome we cannot know.
 */
#ifndef ROAR_PTRACE_CALLER_H
#define ROAR_PTRACE_CALLER_H

#include <limits.h>
#include <sys/resource.h>

#include "place.h"

/* The path at `from` in the caller's memory; false when it has none, or we may not read it. */
bool caller_path(const struct notice *n, struct process *p, uint64_t from, char to[PATH_MAX]);

/* A limit of the caller's: RLIMIT_NOFILE or RLIMIT_FSIZE. */
bool caller_limit(pid_t tid, int resource, rlim_t *limit);

/* Say once that we see this process from outside only. */
void caller_is_hidden(struct process *p);

/* Say so when a path leads through a link into /proc, which we must not follow as ourselves. */
void caller_went_through_proc(struct process *p, const struct place *at);

/*
 * After a call was let through: an O_PATH descriptor of what is at its place, waited for a moment;
 * -1 when nothing comes. When another call comes meanwhile, it may be the same thread's next one.
 */
int caller_wait_for(const struct notice *n, struct process *p, const struct place *at);

#endif
