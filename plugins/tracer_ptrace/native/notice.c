#include "notice.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#    define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#    define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

bool notice_prefer_one_processor(int listener) {
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0;
}

bool notice_is_over(int listener) {
    struct pollfd end = {listener, 0, 0};
    return poll(&end, 1, 0) > 0 && end.revents & POLLHUP;
}

bool notice_receive(int listener, struct notice *n) {
    /* A newer kernel's struct may be longer than the header's. */
    union {
        struct seccomp_notif notif;
        char room[512];
    } got;
    for (;;) {
        memset(&got, 0, sizeof got);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &got) == 0)
            break;
        /* ENOENT: the caller was killed before we came to it, or it was the last one. */
        if (errno != EINTR && (errno != ENOENT || notice_is_over(listener)))
            return false;
    }
    n->listener = listener;
    n->id = got.notif.id;
    n->tid = (pid_t)got.notif.pid;
    n->abi = abi_of_audit(got.notif.data.arch);
    n->call = call_of(n->abi, got.notif.data.nr);
    memcpy(n->args, got.notif.data.args, sizeof n->args);
    n->answered = false;
    return true;
}

static void send(struct notice *n, struct seccomp_notif_resp response) {
    response.id = n->id;
    /* ENOENT: nobody waits for it any more. */
    while (ioctl(n->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 && errno == EINTR)
        ;
    n->answered = true;
}

void notice_continue(struct notice *n) {
    send(n, (struct seccomp_notif_resp){.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
}

void notice_answer(struct notice *n, int64_t result) {
    if (result < 0)
        send(n, (struct seccomp_notif_resp){.error = (int32_t)result});
    else
        send(n, (struct seccomp_notif_resp){.val = result});
}

int notice_give(struct notice *n, int fd, bool close_on_exec) {
    struct seccomp_notif_addfd give = {
        .id = n->id,
        .srcfd = (uint32_t)fd,
        .newfd_flags = close_on_exec ? O_CLOEXEC : 0,
    };
    int there = ioctl(n->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &give);
    return there < 0 ? -errno : there;
}

bool notice_is_alive(const struct notice *n) {
    return ioctl(n->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n->id) == 0;
}
