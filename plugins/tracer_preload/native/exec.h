/* Executing another program in this process. */
#ifndef ROAR_PRELOAD_EXEC_H
#define ROAR_PRELOAD_EXEC_H

#include "journal.h"

/* One call that executes: `call` makes it with the given environment. */
struct roar_execution {
    int (*call)(const struct roar_execution *e, char *const *envp);
    int dirfd;
    const char *path;
    char *const *argv;
    char *const *envp;
    int flags;
    bool search; /* along PATH */
};

/* Report, restore our variables, call; returns only when it failed, with errno as the call left it.
 */
int roar_execute(const struct roar_execution *e) HIDDEN;

#endif
