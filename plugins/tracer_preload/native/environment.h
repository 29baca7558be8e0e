/* The environment of the next program: our two variables in it, or carefully out of it. */
#ifndef ROAR_PRELOAD_ENVIRONMENT_H
#define ROAR_PRELOAD_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "journal.h"

/* Bytes needed for an environment that is to be `observed` (or is not to be); 0: it already is
 * right. */
size_t roar_environment_size(char *const *envp, bool observed) HIDDEN;

/* Build it in `room`, of that many bytes, 8-aligned. */
char **roar_environment_build(void *room, char *const *envp, bool observed) HIDDEN;

/* Whether what was `passed` for `envp` holds anything of ours that could be left out. */
bool roar_environment_has_us(char *const *envp, char *const *passed) HIDDEN;

/* Whether a program started with it waits for a journal of its own: no part of this run's. */
bool roar_environment_waits(char *const *envp) HIDDEN;

/* A short-lived mapping for what is too large for a stack, and its end; NULL under seccomp. */
void *roar_scratch_map(size_t size) HIDDEN;
void roar_scratch_unmap(void) HIDDEN;

#define ROAR_STACK_ROOM 4096

/*
 * The environment to pass on instead of `envp`, living as long as the calling function: an alloca
 * for the usual size. When there is no memory it is `envp` itself.
 */
#define ROAR_ENVIRONMENT(envp, observed)                                                           \
    ({                                                                                             \
        size_t wanted_ = roar_environment_size(envp, observed);                                    \
        void *room_ = !wanted_                     ? NULL                                          \
                      : wanted_ <= ROAR_STACK_ROOM ? __builtin_alloca(wanted_)                     \
                                                   : roar_scratch_map(wanted_);                    \
        room_ ? roar_environment_build(room_, envp, observed) : (char **)(envp);                   \
    })

#endif
