/*
 * The workload's own clock: what the program took from its first to its last instruction, told on
 * stdout when it ends, so that the runner can tell a slowed program from a slow start and finish.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* "start end", nanoseconds of CLOCK_MONOTONIC: the clock of Python's time.monotonic_ns. */
static void tell(long long start_ns) {
    printf("%lld %lld\n", start_ns, now_ns());
    fflush(stdout);
}

/* Ends the program, so that no figure is ever taken of work that was not done. */
static void check(int succeeded, const char *what) {
    if (!succeeded) {
        perror(what);
        exit(1);
    }
}

#endif
