/*
 * A filter cannot be removed, and each call that it sends to a listener costs two switches of
 * process. So it looks at the arguments where these tell that nothing of interest will happen. The
 * kernel knows which numbers are always allowed and does not run the filter for them.
 */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#    define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#if defined(__x86_64__)
static const enum abi machine[] = {ABI_X86_64, ABI_I386};
#elif defined(__aarch64__)
static const enum abi machine[] = {ABI_AARCH64};
#else
#    error "the tables know x86-64 and aarch64 only"
#endif

#define MAP_DENYWRITE_BIT 0x0800u /* what the dynamic loader still passes (mmap(2)) */

/* The lower half of an argument: all that is asked here are ints. */
#define ARGUMENT(i) ((uint32_t)offsetof(struct seccomp_data, args[i]))

struct program {
    struct sock_filter *at;
    size_t length;
};

static void put(struct program *p, struct sock_filter instruction) {
    p->at[p->length++] = instruction;
}

static void load(struct program *p, uint32_t offset) {
    put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void answer(struct program *p, uint32_t action) {
    put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Go on if any of `bits` is set, else skip `otherwise` instructions. */
static void if_set(struct program *p, uint32_t bits, uint8_t otherwise) {
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, otherwise));
}

static void if_equal(struct program *p, uint32_t value, uint8_t otherwise) {
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, otherwise));
}

static void allow_if_set(struct program *p, uint32_t argument, uint32_t bits) {
    load(p, argument);
    if_set(p, bits, 1);
    answer(p, SECCOMP_RET_ALLOW);
}

/* O_DIRECTORY is another bit on each machine; O_TMPFILE is the pair of it and one more. */
static void allow_folders_and_paths(struct program *p, uint32_t flags, enum abi abi) {
    uint32_t directory = abi == ABI_AARCH64 ? 0040000u : 0200000u;
    uint32_t temporary = 020000000u;
    allow_if_set(p, flags, 010000000u /* O_PATH */);
    if_set(p, directory, 2);
    if_set(p, temporary, 0);
    /* Both branches of the last jump: skip the ALLOW when it is set. */
    p->at[p->length - 1].jt = 1;
    answer(p, SECCOMP_RET_ALLOW);
}

static void put_condition(struct program *p, enum when when, enum abi abi) {
    switch (when) {
    case WHEN_ALWAYS:
        break;
    case WHEN_OPENS_2ND:
        allow_folders_and_paths(p, ARGUMENT(1), abi);
        break;
    case WHEN_OPENS_3RD:
        allow_folders_and_paths(p, ARGUMENT(2), abi);
        break;
    case WHEN_NO_DIRECTORY:
        allow_if_set(p, ARGUMENT(2), AT_REMOVEDIR);
        break;
    case WHEN_NO_THREAD:
        allow_if_set(p, ARGUMENT(0), CLONE_THREAD);
        break;
    case WHEN_MAPS_A_FILE:
        allow_if_set(p, ARGUMENT(3), MAP_ANONYMOUS | MAP_DENYWRITE_BIT);
        break;
    case WHEN_CLONES_RANGES: {
        static const uint32_t wanted[] = {(uint32_t)FICLONE, (uint32_t)FICLONERANGE,
                                          (uint32_t)FIDEDUPERANGE};
        load(p, ARGUMENT(1));
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            if_equal(p, wanted[i], 1);
            answer(p, SECCOMP_RET_USER_NOTIF);
        }
        answer(p, SECCOMP_RET_ALLOW);
        break;
    }
    case WHEN_LOCAL_SOCKET:
        load(p, ARGUMENT(0));
        if_equal(p, AF_UNIX, 1);
        answer(p, SECCOMP_RET_USER_NOTIF);
        answer(p, SECCOMP_RET_ALLOW);
        break;
    }
}

static void put_abi(struct program *p, enum abi abi) {
    for (int call = 1; call < CALLS; call++) {
        int number = call_rows[call].number[abi];
        if (number < 0)
            continue;
        load(p, offsetof(struct seccomp_data, nr));
        size_t jump = p->length;
        if_equal(p, (uint32_t)number, 0);
        put_condition(p, (enum when)call_rows[call].when, abi);
        answer(p, SECCOMP_RET_USER_NOTIF);
        p->at[jump].jf = (uint8_t)(p->length - jump - 1);
    }
    answer(p, SECCOMP_RET_ALLOW);
}

size_t filter_build(struct sock_filter out[FILTER_MAX]) {
    struct program p = {out, 0};
    for (size_t i = 0; i < sizeof machine / sizeof *machine; i++) {
        load(&p, offsetof(struct seccomp_data, arch));
        if_equal(&p, abi_audit(machine[i]), 1);
        put(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0));
        size_t skip = p.length;
        put(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0));
        put_abi(&p, machine[i]);
        p.at[skip].k = (uint32_t)(p.length - skip - 1);
    }
    answer(&p, SECCOMP_RET_ALLOW);
    return p.length;
}

static int install(const struct sock_fprog *program) {
    /*
     * Once received, a call is interrupted by death only (Linux 5.19): it is made once, whatever
     * signals come. Without that a signal would have it made again: O_EXCL and rename fail then,
     * descriptors leak.
     */
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    long got = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
    return got < 0 ? -errno : (int)got;
}

int filter_install(bool *gave_up_privileges) {
    struct sock_filter instructions[FILTER_MAX];
    struct sock_fprog program = {(unsigned short)filter_build(instructions), instructions};
    *gave_up_privileges = false;
    int listener = install(&program);
    if (listener != -EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return listener;
    *gave_up_privileges = true;
    return install(&program);
}
