/*
 * Finding the real functions: dlsym(RTLD_NEXT), at the first call of each.
 *
 * Not our own system calls: a library behind us may answer the call too (thread sanitizers, other
 * interposers), threads are cancelled in libc's faces only, and libc keeps state of its own. Names
 * lie in one block of text, for an array of pointers would cost a relocation each in every program.
 */
#include "hooks.h"

#include <dlfcn.h>
#include <errno.h>

void *roar_reals[ROAR_FUNCTIONS];

static const struct {
#define HOOK(name) char name[sizeof #name];
#define CALL(name) char name[sizeof #name];
#include "hooks.def"
#undef HOOK
#undef CALL
} names = {
#define HOOK(name) #name,
#define CALL(name) #name,
#include "hooks.def"
#undef HOOK
#undef CALL
};

static const uint16_t places[ROAR_FUNCTIONS] = {
#define HOOK(name) offsetof(__typeof__(names), name),
#define CALL(name) offsetof(__typeof__(names), name),
#include "hooks.def"
#undef HOOK
#undef CALL
};

static long absent(void) {
    errno = ENOSYS;
    return -1;
}

void *roar_resolve_optional(enum roar_function function) {
    int kept = errno;
    void *real = dlsym(RTLD_NEXT, (const char *)&names + places[function]);
    errno = kept;
    return real;
}

void *roar_resolve(enum roar_function function) {
    void *real = roar_resolve_optional(function);
    if (!real)
        real = (void *)absent;
    __atomic_store_n(&roar_reals[function], real, __ATOMIC_RELAXED);
    return real;
}

void roar_resolve_for_children(void) {
    static const uint8_t needed[] = {
        ROAR_FN_open,    ROAR_FN_open64, ROAR_FN_close,   ROAR_FN_dup,
        ROAR_FN_dup2,    ROAR_FN_fcntl,  ROAR_FN_chdir,   ROAR_FN_execve,
        ROAR_FN_execvpe, ROAR_FN__exit,  ROAR_FN_fcntl64,
    };
    static bool done;
    if (__atomic_exchange_n(&done, true, __ATOMIC_RELAXED))
        return;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        roar_real(needed[i]);
}
