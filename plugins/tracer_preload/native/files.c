/*
 * The faces of open(2).
 *
 * Shells' redirections, editors and compilers all come through here. Not seen: what opens by its
 * own system call (static programs, Go), the opens libc makes for itself, io_uring.
 */
#include <fcntl.h>
#include <stdarg.h>

#include "hooks.h"
#include "opening.h"

/* The mode is an argument only when a file may be made; reading it otherwise is undefined. */
#define MODE(flags, after)                                                                         \
    ({                                                                                             \
        mode_t given = 0;                                                                          \
        if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) {                             \
            va_list arguments;                                                                     \
            va_start(arguments, after);                                                            \
            given = va_arg(arguments, mode_t);                                                     \
            va_end(arguments);                                                                     \
        }                                                                                          \
        given;                                                                                     \
    })

#define OBSERVED(dirfd, path, flags, call)                                                         \
    ({                                                                                             \
        int opened;                                                                                \
        if (roar_ready()) {                                                                        \
            struct roar_opening opening;                                                           \
            roar_before_open(&opening, dirfd, path, flags);                                        \
            opened = (call);                                                                       \
            if (opened >= 0)                                                                       \
                roar_opened(&opening, opened);                                                     \
        } else {                                                                                   \
            opened = (call);                                                                       \
        }                                                                                          \
        opened;                                                                                    \
    })

#define OPEN_FACE(name)                                                                            \
    EXPORT int name(const char *path, int flags, ...) {                                            \
        mode_t mode = MODE(flags, flags);                                                          \
        return OBSERVED(AT_FDCWD, path, flags, REAL(name)(path, flags, mode));                     \
    }

#define OPENAT_FACE(name)                                                                          \
    EXPORT int name(int dirfd, const char *path, int flags, ...) {                                 \
        mode_t mode = MODE(flags, flags);                                                          \
        return OBSERVED(dirfd, path, flags, REAL(name)(dirfd, path, flags, mode));                 \
    }

#define CREAT_FACE(name)                                                                           \
    EXPORT int name(const char *path, mode_t mode) {                                               \
        return OBSERVED(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, REAL(name)(path, mode));     \
    }

/* The faces that fortified programs call: the compiler has proven that no mode is needed. */
#define FORTIFIED_OPEN_FACE(name)                                                                  \
    EXPORT int name(const char *path, int flags) {                                                 \
        return OBSERVED(AT_FDCWD, path, flags, REAL(name)(path, flags));                           \
    }

#define FORTIFIED_OPENAT_FACE(name)                                                                \
    EXPORT int name(int dirfd, const char *path, int flags) {                                      \
        return OBSERVED(dirfd, path, flags, REAL(name)(dirfd, path, flags));                       \
    }

OPEN_FACE(open)
OPEN_FACE(open64)
OPEN_FACE(__open)
OPEN_FACE(__open64)
OPENAT_FACE(openat)
OPENAT_FACE(openat64)
CREAT_FACE(creat)
CREAT_FACE(creat64)
FORTIFIED_OPEN_FACE(__open_2)
FORTIFIED_OPEN_FACE(__open64_2)
FORTIFIED_OPENAT_FACE(__openat_2)
FORTIFIED_OPENAT_FACE(__openat64_2)

EXPORT int open_by_handle_at(int mount, struct file_handle *handle, int flags) {
    int fd = REAL(open_by_handle_at)(mount, handle, flags);
    if (fd >= 0 && roar_ready()) {
        struct roar_opening opening = {.dirfd = AT_FDCWD, .flags = flags & ~(O_CREAT | O_TRUNC)};
        roar_opened(&opening, fd);
    }
    return fd;
}
