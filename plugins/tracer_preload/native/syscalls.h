/* syscall(2), the face under all faces. For trampolines.S. */
#ifndef ROAR_PRELOAD_SYSCALLS_H
#define ROAR_PRELOAD_SYSCALLS_H

#include "journal.h"

/* Where a call is to go on: our own observing function, or the real one. */
void *roar_route_syscall(long number, long a, long b, long c) HIDDEN;

#endif
