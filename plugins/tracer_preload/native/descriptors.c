/*
 * Closing, copying and passing on descriptors: what may prove, or spoil the proof, that a file was
 * opened and not read. Nothing here is reported but that proof.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emit.h"
#include "hooks.h"
#include "proof.h"

#define CLOSE_FACE(name)                                                                           \
    EXPORT int name(int fd) {                                                                      \
        if (LIKELY(!roar_proof_watches(fd)) || !roar_ready())                                      \
            return REAL(name)(fd);                                                                 \
        uint64_t unread = roar_proof_before_close(fd);                                             \
        int result = REAL(name)(fd);                                                               \
        if (unread)                                                                                \
            roar_emit(ROAR_UNUSED, unread, NULL, NULL, 0, roar_no_text(), roar_no_text());         \
        return result;                                                                             \
    }

int __close(int fd);
CLOSE_FACE(close)
CLOSE_FACE(__close)

EXPORT int close_range(unsigned first, unsigned last, int flags) {
    roar_proof_spoil_range(first, last);
    return REAL(close_range)(first, last, flags);
}

EXPORT void closefrom(int first) {
    roar_proof_spoil_range(first < 0 ? 0 : (unsigned)first, ROAR_PROOF_FDS);
    REAL(closefrom)(first);
}

EXPORT int dup(int fd) {
    roar_proof_spoil(fd);
    return REAL(dup)(fd);
}

#define DUP2_FACE(name)                                                                            \
    EXPORT int name(int from, int to) {                                                            \
        roar_proof_spoil(from);                                                                    \
        roar_proof_spoil(to);                                                                      \
        return REAL(name)(from, to);                                                               \
    }

int __dup2(int from, int to);
DUP2_FACE(dup2)
DUP2_FACE(__dup2)

EXPORT int dup3(int from, int to, int flags) {
    roar_proof_spoil(from);
    roar_proof_spoil(to);
    return REAL(dup3)(from, to, flags);
}

/* Every third argument of fcntl(2), an int or a pointer, travels in one register. */
#define FCNTL_FACE(name)                                                                           \
    EXPORT int name(int fd, int command, ...) {                                                    \
        va_list arguments;                                                                         \
        va_start(arguments, command);                                                              \
        void *argument = va_arg(arguments, void *);                                                \
        va_end(arguments);                                                                         \
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)                                      \
            roar_proof_spoil(fd);                                                                  \
        return REAL(name)(fd, command, argument);                                                  \
    }

int __fcntl(int fd, int command, ...);
FCNTL_FACE(fcntl)
FCNTL_FACE(fcntl64)
FCNTL_FACE(__fcntl)

/* SCM_RIGHTS: the receiver may read; that the file was opened, its opener has reported. */
static void spoil_passed(const struct msghdr *message) {
    if (!message || message->msg_controllen < sizeof(struct cmsghdr))
        return;
    struct msghdr *m = (struct msghdr *)message;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        const int *fds = (const int *)(const void *)CMSG_DATA(c);
        for (size_t i = 0; i < count; i++)
            roar_proof_spoil(fds[i]);
    }
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    spoil_passed(message);
    return REAL(sendmsg)(fd, message, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    for (unsigned i = 0; i < count; i++)
        spoil_passed(&messages[i].msg_hdr);
    return REAL(sendmmsg)(fd, messages, count, flags);
}
