/*
 * Functions that open a file inside the C library: stdio and the makers of temporary files.
 *
 * What stdio reads is buffered, so an offset proves nothing: such files are used from the start.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "hooks.h"
#include "opening.h"
#include "proof.h"

/* fopen(3)'s mode as open(2)'s flags, as glibc reads it: the first letter, then + and x. */
static int flags_of(const char *mode) {
    int flags = mode[0] == 'w'   ? O_WRONLY | O_CREAT | O_TRUNC
                : mode[0] == 'a' ? O_WRONLY | O_CREAT | O_APPEND
                                 : O_RDONLY;
    for (const char *m = mode; *m && *m != ','; m++) {
        if (*m == '+')
            flags = (flags & ~O_ACCMODE) | O_RDWR;
        else if (*m == 'x')
            flags |= O_EXCL;
    }
    return flags;
}

static int number_of(FILE *stream) {
    return REAL(fileno)(stream);
}

static void stream_opened(struct roar_opening *o, FILE *stream) {
    o->streamed = true;
    roar_opened(o, number_of(stream));
}

#define FOPEN_FACE(name)                                                                           \
    EXPORT FILE *name(const char *path, const char *mode) {                                        \
        if (!roar_ready() || !mode)                                                                \
            return REAL(name)(path, mode);                                                         \
        struct roar_opening opening;                                                               \
        roar_before_open(&opening, AT_FDCWD, path, flags_of(mode));                                \
        FILE *stream = REAL(name)(path, mode);                                                     \
        if (stream)                                                                                \
            stream_opened(&opening, stream);                                                       \
        return stream;                                                                             \
    }

#define FREOPEN_FACE(name)                                                                         \
    EXPORT FILE *name(const char *path, const char *mode, FILE *old) {                             \
        if (!roar_ready() || !mode || !path)                                                       \
            return REAL(name)(path, mode, old);                                                    \
        struct roar_opening opening;                                                               \
        roar_proof_spoil(number_of(old));                                                          \
        roar_before_open(&opening, AT_FDCWD, path, flags_of(mode));                                \
        FILE *stream = REAL(name)(path, mode, old);                                                \
        if (stream)                                                                                \
            stream_opened(&opening, stream);                                                       \
        return stream;                                                                             \
    }

FOPEN_FACE(fopen)
FOPEN_FACE(fopen64)
FREOPEN_FACE(freopen)
FREOPEN_FACE(freopen64)

EXPORT FILE *fdopen(int fd, const char *mode) {
    FILE *stream = REAL(fdopen)(fd, mode);
    if (stream)
        roar_proof_spoil(fd);
    return stream;
}

/* A file that did not exist before this call, open as `fd`. */
static void made(int fd, int flags) {
    if (fd < 0 || !roar_ready())
        return;
    struct roar_opening opening = {
        .dirfd = AT_FDCWD, .flags = (flags & ~O_ACCMODE) | O_RDWR, .asked = true, .absent = true};
    roar_opened(&opening, fd);
}

#define MAKER(name, parameters, arguments, flags)                                                  \
    EXPORT int name parameters {                                                                   \
        int fd = REAL(name) arguments;                                                             \
        made(fd, flags);                                                                           \
        return fd;                                                                                 \
    }

MAKER(mkstemp, (char *pattern), (pattern), 0)
MAKER(mkstemp64, (char *pattern), (pattern), 0)
MAKER(mkostemp, (char *pattern, int flags), (pattern, flags), flags)
MAKER(mkostemp64, (char *pattern, int flags), (pattern, flags), flags)
MAKER(mkstemps, (char *pattern, int suffix), (pattern, suffix), 0)
MAKER(mkstemps64, (char *pattern, int suffix), (pattern, suffix), 0)
MAKER(mkostemps, (char *pattern, int suffix, int flags), (pattern, suffix, flags), flags)
MAKER(mkostemps64, (char *pattern, int suffix, int flags), (pattern, suffix, flags), flags)

#define TMPFILE_FACE(name)                                                                         \
    EXPORT FILE *name(void) {                                                                      \
        FILE *stream = REAL(name)();                                                               \
        if (stream)                                                                                \
            made(number_of(stream), O_TMPFILE);                                                    \
        return stream;                                                                             \
    }

TMPFILE_FACE(tmpfile)
TMPFILE_FACE(tmpfile64)
