/* The table of hooked functions, made into numbers, and the way to the real ones. */
#ifndef ROAR_PRELOAD_HOOKS_H
#define ROAR_PRELOAD_HOOKS_H

#include <features.h>

#include "journal.h"

/* Before glibc 2.34 threads are another library's, and programs ask by a weak reference to it
 * whether they have any: a face of ours would be the wrong answer. */
#define ROAR_MAKES_THREADS __GLIBC_PREREQ(2, 34)

#define EXPORT __attribute__((visibility("default")))

enum roar_function {
#define HOOK(name) ROAR_FN_##name,
#define CALL(name) ROAR_FN_##name,
#include "hooks.def"
#undef HOOK
#undef CALL
    ROAR_FUNCTIONS
};

extern void *roar_reals[ROAR_FUNCTIONS] HIDDEN;

/* Look the next definition up; errno is kept. What does not exist fails with ENOSYS. */
void *roar_resolve(enum roar_function function) HIDDEN;

/* NULL when no library has it. */
void *roar_resolve_optional(enum roar_function function) HIDDEN;

/* Look up at once what a child between fork and exec may call: dlsym may lock, and there it must
 * not. */
void roar_resolve_for_children(void) HIDDEN;

static inline void *roar_real(enum roar_function function) {
    void *real = __atomic_load_n(&roar_reals[function], __ATOMIC_RELAXED);
    return LIKELY(real) ? real : roar_resolve(function);
}

/* The function that would have been called without us. */
#define REAL(name) ((__typeof__(&name))roar_real(ROAR_FN_##name))

#endif
