/*
 * System calls without the C library.
 *
 * A call through libc could come back into our own hooks, sets errno, and is not there before
 * libc's own constructor. Results are the kernel's: a negative errno on failure. Only calls that
 * both machines have are named here (the newer `at` faces).
 */
#ifndef ROAR_RAW_H
#define ROAR_RAW_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long raw6(long n, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline long raw6(long n, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#    error "preload knows the system calls of x86-64 and aarch64 only"
#endif

#define RAW4(n, a, b, c, d) raw6((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define RAW3(n, a, b, c) RAW4(n, a, b, c, 0)

static inline int raw_fstat(int fd, struct stat *st) {
    return (int)RAW3(SYS_fstat, fd, st, 0);
}

static inline int raw_stat(int dirfd, const char *path, struct stat *st, int flags) {
    return (int)RAW4(SYS_newfstatat, dirfd, path, st, flags);
}

static inline int raw_open(int dirfd, const char *path, int flags) {
    return (int)RAW4(SYS_openat, dirfd, path, flags, 0);
}

static inline void raw_close(int fd) {
    RAW3(SYS_close, fd, 0, 0);
}

static inline long raw_readlink(int dirfd, const char *path, char *to, size_t room) {
    return RAW4(SYS_readlinkat, dirfd, path, to, room);
}

static inline long raw_pread(int fd, void *to, size_t room, int64_t at) {
    return RAW4(SYS_pread64, fd, to, room, at);
}

static inline long raw_pwrite(int fd, const void *from, size_t size, int64_t at) {
    return RAW4(SYS_pwrite64, fd, from, size, at);
}

/* NULL when it cannot be had. */
static inline void *raw_map(size_t size, int prot, int flags, int fd, int64_t at) {
    long got = raw6(SYS_mmap, 0, (long)size, prot, flags, fd, at);
    return got < 0 && got > -4096 ? NULL : (void *)got;
}

static inline void raw_unmap(void *base, size_t size) {
    RAW3(SYS_munmap, base, size, 0);
}

static inline uint32_t raw_pid(void) {
    return (uint32_t)RAW3(SYS_getpid, 0, 0, 0);
}

#endif
