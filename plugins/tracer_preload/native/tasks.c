/*
 * Tasks in a worker: the functions its agent calls, and the threads that a task makes.
 *
 * A thread's task is a word of its own memory; the journal hears of it when the thread next reports
 * something, so that a task that touches no file costs a store. A thread made for a task works for
 * it: what it is to run waits in one of a few places here until it has begun, for nothing may be
 * allocated. When all are taken, the thread works for nobody, and the reader of the journal says
 * so.
 */
#include "tasks.h"

#include <errno.h>

#include "emit.h"
#include "hooks.h"

#if ROAR_MAKES_THREADS
#    include <pthread.h>
#    include <threads.h>
#endif

#define BEGINNINGS 256
#define TEXT_MAX (ROAR_RECORD_MAX - 64)

__thread uint64_t roar_task;
__thread uint64_t roar_task_told;

EXPORT void roar_task_is(uint64_t tag) {
    roar_task = tag + 1;
}

EXPORT int roar_task_tell(uint64_t tag, uint32_t event, const char *text, size_t length) {
    if (event > 255 || tag >> 56 || (length && !text))
        return EINVAL;
    if (length > TEXT_MAX)
        return EMSGSIZE;
    if (!roar_ready())
        return ENOTCONN;
    struct roar_text told = {text, length};
    return roar_emit(ROAR_TASK, tag << 8 | event, NULL, NULL, 1, told, roar_no_text()) ? 0 : ENOSPC;
}

#if ROAR_MAKES_THREADS

/* What a new thread is to run, and for whom. `task` is 0 while the place is free. */
struct beginning {
    uint64_t task;
    void *argument;
    union {
        void *(*posix)(void *);
        thrd_start_t c11;
    } run;
};

static struct beginning beginnings[BEGINNINGS];

static struct beginning *place_for(uint64_t task) {
    static uint32_t next;
    for (int i = 0; i < BEGINNINGS; i++) {
        uint32_t number = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % BEGINNINGS;
        uint64_t none = 0;
        if (__atomic_compare_exchange_n(&beginnings[number].task, &none, task, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return &beginnings[number];
    }
    return NULL;
}

static void leave(struct beginning *place) {
    __atomic_store_n(&place->task, 0, __ATOMIC_RELEASE);
}

static struct beginning begun(void *given) {
    struct beginning mine = *(struct beginning *)given;
    leave(given);
    roar_task = mine.task;
    return mine;
}

static void *run_posix(void *given) {
    struct beginning mine = begun(given);
    return mine.run.posix(mine.argument);
}

static int run_c11(void *given) {
    struct beginning mine = begun(given);
    return mine.run.c11(mine.argument);
}

/* The place for what a thread of this thread is to begin with; NULL when it needs none. */
static struct beginning *place_needed(void *argument) {
    /* Nobody, or nobody yet said: neither is worth passing on. */
    struct beginning *place = UNLIKELY(roar_task > 1) ? place_for(roar_task) : NULL;
    if (place)
        place->argument = argument;
    return place;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument) {
    struct beginning *place = place_needed(argument);
    if (LIKELY(!place))
        return REAL(pthread_create)(thread, attributes, run, argument);
    place->run.posix = run;
    int failure = REAL(pthread_create)(thread, attributes, run_posix, place);
    if (failure)
        leave(place);
    return failure;
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t run, void *argument) {
    struct beginning *place = place_needed(argument);
    if (LIKELY(!place))
        return REAL(thrd_create)(thread, run, argument);
    place->run.c11 = run;
    int result = REAL(thrd_create)(thread, run_c11, place);
    if (result != thrd_success)
        leave(place);
    return result;
}

#endif
