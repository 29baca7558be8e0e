#include "memory.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096u
#define POINTERS 64u

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

/* A run of argv's pointers, up to the NULL; how many words could be read. */
static size_t read_pointers(const struct notice *n, uint64_t from, uint64_t to[POINTERS]) {
    size_t word = n->abi == ABI_I386 ? 4 : 8;
    size_t size = PAGE - from % PAGE;
    if (size > POINTERS * word)
        size = POINTERS * word;
    unsigned char raw[POINTERS * 8];
    ssize_t got = read_some(n->tid, from, raw, size);
    size_t count = got < 0 ? 0 : (size_t)got / word;
    memset(to, 0, POINTERS * sizeof *to);
    for (size_t i = 0; i < count; i++)
        memcpy(&to[i], raw + i * word, word);
    return count;
}

/* Add one argument; false when the room is full or it cannot be read. */
static bool add_argument(const struct notice *n, uint64_t pointer, char *to, size_t room,
                         size_t *length) {
    int got = read_string(n->tid, pointer, to + *length, room - *length);
    if (got == -ENAMETOOLONG)
        *length = room;
    if (got < 0)
        return false;
    *length += (size_t)got;
    return true;
}

size_t memory_arguments(const struct notice *n, uint64_t argv, char *to, size_t room) {
    size_t length = 0;
    uint64_t pointers[POINTERS];
    for (bool first = true; argv;) {
        size_t count = read_pointers(n, argv, pointers);
        for (size_t i = 0; i < count; i++, first = false) {
            if (!pointers[i])
                return length;
            if (!first && length < room)
                to[length++] = 0;
            if (!add_argument(n, pointers[i], to, room, &length))
                return length;
        }
        if (!count)
            break;
        argv += count * (n->abi == ABI_I386 ? 4 : 8);
    }
    return length;
}
