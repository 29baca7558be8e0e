/* What a waiting caller's pointers point to. */
#ifndef ROAR_PTRACE_MEMORY_H
#define ROAR_PTRACE_MEMORY_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "notice.h"

/* All of `size` bytes; 0 or a negative errno: -EFAULT, or -EPERM where we may not look. */
int memory_read(const struct notice *n, uint64_t from, void *to, size_t size);

/* A path with its terminator, at most PATH_MAX bytes; its length, or a negative errno. */
int memory_path(const struct notice *n, uint64_t from, char to[PATH_MAX]);

/* argv joined by NUL, cut after `room` bytes; the length. */
size_t memory_arguments(const struct notice *n, uint64_t argv, char *to, size_t room);

#endif
