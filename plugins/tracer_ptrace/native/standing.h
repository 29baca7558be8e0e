/*
 * Who a caller is and what it sees of the file system, and how to act in its place.
 *
 * The helper makes calls that its callers asked for. That is right only with the same identity, the
 * same root and the same restrictions.
 */
#ifndef ROAR_PTRACE_STANDING_H
#define ROAR_PTRACE_STANDING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STANDING_GROUPS 128

struct standing {
    bool strange;      /* nobody can act in its place: calls are let through and looked at after */
    bool other_root;   /* another root or mount namespace: paths start at /proc/PID/root */
    bool other_person; /* to be impersonated */
    uid_t uid;
    gid_t gid;
    int groups;
    gid_t group[STANDING_GROUPS];
};

/* Remember who we are; before anything else. */
void standing_begin(bool gave_up_privileges);

/* Whether this run's programs cannot gain privileges by setuid files. */
bool standing_is_unprivileged(void);

/* A caller is about to change who it is: from now on, look. */
void standing_may_differ(void);

/*
 * Whether ids that a caller asks for are ours already (or -1: as it is), while all stand as we do:
 * `make` and others ask for what they have.
 */
bool standing_has_uids(const uint64_t *ids, int count);
bool standing_has_gids(const uint64_t *ids, int count);

/* Nobody can be acted for any more: a sandbox that cannot be looked at (Landlock). */
void standing_is_hidden(void);

/* How a process stands; cheap until somebody changed. */
void standing_of(pid_t tid, struct standing *s);

/* Become the caller for the file system's purposes, and ourselves again. This thread only. */
bool standing_assume(const struct standing *s);
void standing_resume(const struct standing *s);

/* The file mode creation mask of a process; -1 when it cannot be known. */
int standing_umask(pid_t tid);

/* A process is about to change its mask: until then, all have the one we started with. */
void standing_umask_may_differ(void);

#endif
