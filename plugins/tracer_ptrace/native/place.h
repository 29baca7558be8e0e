/* Where a caller's path leads, said so that our own calls lead there too. */
#ifndef ROAR_PTRACE_PLACE_H
#define ROAR_PTRACE_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "process.h"

struct place {
    int folder;   /* what `path` is relative to, or AT_FDCWD when it is absolute */
    uint64_t how; /* RESOLVE_* of openat2(2) */
    bool owned;   /* `folder` is closed by place_leave */
    char path[PATH_MAX + 64];
};

/*
 * The place of `path` as thread `n->tid` of `p` would find it, relative to its descriptor `folder`
 * (or AT_FDCWD); false when we cannot look there.
 */
bool place_enter(struct place *at, struct process *p, const struct notice *n, int folder,
                 const char *path);

/* The same under the caller's own limits, RESOLVE_* of openat2(2): they count from its `folder`. */
bool place_enter_limited(struct place *at, struct process *p, const struct notice *n, int folder,
                         const char *path, uint64_t resolve);
void place_leave(struct place *at);

/* openat2(2) there; a descriptor or a negative errno. Links of /proc that would be ours: -ELOOP. */
int place_open(const struct place *at, uint64_t flags, uint64_t mode, uint64_t resolve);

/* fstatat(2) there; 0 or a negative errno. `flags`: AT_SYMLINK_NOFOLLOW. */
int place_stat(const struct place *at, struct stat *st, int flags);

/*
 * The folder in which the path's last name stands, and that name (with slashes at its end, if it
 * has any); a descriptor or a negative errno. -EINVAL: the last part is `.`, `..` or nothing.
 */
int place_parent(const struct place *at, const char **name);

#endif
