#include "memory.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096u

/* Up to `size` bytes, as many as are mapped: the count, or a negative errno. */
static ssize_t read_some(pid_t tid, uint64_t from, void *to, size_t size) {
    struct iovec here = {to, size};
    struct iovec there = {(void *)(uintptr_t)from, size};
    ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);
    return got < 0 ? -errno : got;
}

int memory_read(const struct notice *n, uint64_t from, void *to, size_t size) {
    ssize_t got = read_some(n->tid, from, to, size);
    if (got < 0)
        return (int)got;
    return (size_t)got == size ? 0 : -EFAULT;
}

/* Bytes up to a terminator, which is looked for page by page: the next one may not be there. */
static int read_string(pid_t tid, uint64_t from, char *to, size_t room) {
    size_t length = 0;
    while (length < room) {
        size_t size = PAGE - (from + length) % PAGE;
        if (size > room - length)
            size = room - length;
        ssize_t got = read_some(tid, from + length, to + length, size);
        if (got <= 0)
            return got < 0 ? (int)got : -EFAULT;
        char *end = memchr(to + length, 0, (size_t)got);
        if (end)
            return (int)(end - to);
        length += (size_t)got;
    }
    return -ENAMETOOLONG;
}

int memory_path(const struct notice *n, uint64_t from, char to[PATH_MAX]) {
    return read_string(n->tid, from, to, PATH_MAX);
}

size_t memory_arguments(const struct notice *n, uint64_t argv, char *to, size_t room) {
    size_t word = n->abi == ABI_I386 ? 4 : 8;
    size_t length = 0;
    for (uint64_t i = 0; argv; i++) {
        uint64_t pointer = 0;
        if (memory_read(n, argv + i * word, &pointer, word) < 0 || !pointer)
            break;
        if (i && length < room)
            to[length++] = 0;
        int got = read_string(n->tid, pointer, to + length, room - length);
        if (got < 0) {
            /* Too long for what is left of the room: what fits is there already. */
            return got == -ENAMETOOLONG ? room : length;
        }
        length += (size_t)got;
    }
    return length;
}
