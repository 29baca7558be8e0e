/*
 * The few string functions we need, our own: libc's are indirect functions, whose resolution at the
 * first call costs a look-up in every new program, and the list of what we import stays short.
 */
#ifndef ROAR_TEXT_H
#define ROAR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t text_length(const char *s) {
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

static inline void text_copy(void *to, const void *from, size_t size) {
    char *t = to;
    const char *f = from;
    for (; size >= 8; size -= 8, t += 8, f += 8)
        *(uint64_t __attribute__((may_alias, aligned(1))) *)t =
            *(const uint64_t __attribute__((may_alias, aligned(1))) *)f;
    while (size--)
        *t++ = *f++;
}

static inline bool text_equal(const char *a, const char *b, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static inline bool text_starts(const char *s, const char *with) {
    for (; *with; s++, with++)
        if (*s != *with)
            return false;
    return true;
}

/* Where `part` begins in the `size` bytes at `s`, or NULL. */
static inline const char *text_find(const char *s, size_t size, const char *part) {
    size_t length = text_length(part);
    for (; size >= length; s++, size--)
        if (text_equal(s, part, length))
            return s;
    return NULL;
}

/* What follows the last slash. */
static inline const char *text_base(const char *path) {
    const char *base = path;
    for (; *path; path++)
        if (*path == '/')
            base = path + 1;
    return base;
}

#endif
