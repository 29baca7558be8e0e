/* The calls of interest, by machine and number. */
#ifndef ROAR_PTRACE_CALLS_H
#define ROAR_PTRACE_CALLS_H

#include <stdint.h>

/* What a system call's number means depends on the machine it was made for. */
enum abi { ABI_X86_64, ABI_I386, ABI_AARCH64, ABIS, ABI_UNKNOWN = ABIS };

enum call {
    CALL_NONE,
#define CALL(name, x86_64, i386, aarch64, when) CALL_##name,
#include "calls.def"
#undef CALL
    CALLS
};

/* What the filter looks at before it asks us: a condition on the arguments. */
enum when {
    WHEN_ALWAYS,
    WHEN_OPENS_2ND,     /* flags in the second argument open more than a path or a folder */
    WHEN_OPENS_3RD,     /* the same, in the third */
    WHEN_NO_DIRECTORY,  /* unlinkat without AT_REMOVEDIR */
    WHEN_NO_THREAD,     /* clone without CLONE_THREAD */
    WHEN_MAPS_A_FILE,   /* mmap of a descriptor, but for what the dynamic loader maps */
    WHEN_CLONES_RANGES, /* ioctl FICLONE, FICLONERANGE and FIDEDUPERANGE */
    WHEN_LOCAL_SOCKET,  /* socket(AF_UNIX): descriptors can be passed over it */
};

struct call_row {
    const char *name;
    int16_t number[ABIS]; /* -1: not on this machine */
    uint8_t when;
};

/* Indexed by enum call; the first is CALL_NONE. */
extern const struct call_row call_rows[CALLS];

/* The value of seccomp_data.arch for an ABI (AUDIT_ARCH_*), and back. */
uint32_t abi_audit(enum abi abi);
enum abi abi_of_audit(uint32_t arch);

/* The call of interest that a number means, or CALL_NONE. */
enum call call_of(enum abi abi, int number);

#endif
