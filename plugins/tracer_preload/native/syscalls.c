/*
 * Programs that call syscall(2) for what libc has, or had not, a function for.
 *
 * A call that copies the stack's use (vfork, clone with a stack or shared memory) must return in
 * the frame of our caller; so the trampoline asks first, and only observed calls get a frame of
 * ours.
 */
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emit.h"
#include "exec.h"
#include "hooks.h"
#include "names.h"
#include "opening.h"
#include "place.h"
#include "processes.h"
#include "proof.h"

struct call {
    long number, a, b, c, d, e, f;
};

static long make(const struct call *k) {
    return REAL(syscall)(k->number, k->a, k->b, k->c, k->d, k->e, k->f);
}

static long opening_call(const struct call *k, int dirfd, long path, int flags) {
    struct roar_opening opening;
    roar_before_open(&opening, dirfd, (const char *)path, flags);
    long fd = make(k);
    if (fd >= 0)
        roar_opened(&opening, (int)fd);
    return fd;
}

static long renaming_call(const struct call *k, struct roar_renaming r) {
    roar_before_rename(&r);
    long result = make(k);
    if (result == 0)
        roar_renamed(&r);
    return result;
}

static long linking_call(const struct call *k, int from_dir, long from, int to_dir, long to,
                         int flags) {
    long result = make(k);
    if (result == 0)
        roar_linked(from_dir, (const char *)from, to_dir, (const char *)to, flags);
    return result;
}

static long unlinking_call(const struct call *k, int dirfd, long path) {
    struct stat before;
    bool news = roar_before_unlink(&before, dirfd, (const char *)path);
    long result = make(k);
    if (result == 0 && news)
        roar_unlinked(&before, dirfd, (const char *)path);
    return result;
}

static long truncating_call(const struct call *k, const char *path, int fd) {
    struct roar_truncation t;
    roar_before_truncate(&t, path, fd);
    long result = make(k);
    if (result == 0)
        roar_truncated(&t, path, fd, k->b);
    return result;
}

static long seccomp_call(const struct call *k) {
    struct roar_writer w;
    roar_before_seccomp(&w);
    long result = make(k);
    /* With SECCOMP_FILTER_FLAG_NEW_LISTENER success is a descriptor. */
    roar_after_seccomp(&w, result >= 0);
    return result;
}

static int make_execve(const struct roar_execution *e, char *const *envp) {
    return (int)REAL(syscall)(SYS_execve, e->path, e->argv, envp);
}

static int make_execveat(const struct roar_execution *e, char *const *envp) {
    return (int)REAL(syscall)(SYS_execveat, e->dirfd, e->path, e->argv, envp, e->flags);
}

static long executing_call(const struct call *k) {
    if (k->number == SYS_execve) {
        struct roar_execution e = {
            make_execve, AT_FDCWD, (const char *)k->a, (char **)k->b, (char **)k->c, 0, false};
        return roar_execute(&e);
    }
    struct roar_execution e = {make_execveat, (int)k->a,     (const char *)k->b,
                               (char **)k->c, (char **)k->d, (int)k->e,
                               false};
    return roar_execute(&e);
}

static long observed(const struct call *k) {
    struct roar_renaming r = {
        (int)k->a, (const char *)k->b, (int)k->c, (const char *)k->d, 0, false, {0}};
    switch (k->number) {
    case SYS_openat:
        return opening_call(k, (int)k->a, k->b, (int)k->c);
    case SYS_openat2:
        return opening_call(k, (int)k->a, k->b, (int)((const struct open_how *)k->c)->flags);
    case SYS_renameat2:
        r.flags = (unsigned)k->e;
        return renaming_call(k, r);
    case SYS_linkat:
        return linking_call(k, (int)k->a, k->b, (int)k->c, k->d, (int)k->e);
    case SYS_unlinkat:
        return unlinking_call(k, (int)k->a, k->b);
    case SYS_truncate:
        return truncating_call(k, (const char *)k->a, -1);
    case SYS_ftruncate:
        return truncating_call(k, NULL, (int)k->a);
    case SYS_execve:
    case SYS_execveat:
        return executing_call(k);
    case SYS_seccomp:
    case SYS_prctl:
        return seccomp_call(k);
    case SYS_renameat:
        return renaming_call(k, r);
#ifdef SYS_open
    case SYS_open:
        return opening_call(k, AT_FDCWD, k->a, (int)k->b);
    case SYS_creat:
        return opening_call(k, AT_FDCWD, k->a, O_WRONLY | O_CREAT | O_TRUNC);
    case SYS_rename:
        r = (struct roar_renaming){
            AT_FDCWD, (const char *)k->a, AT_FDCWD, (const char *)k->b, 0, false, {0}};
        return renaming_call(k, r);
    case SYS_link:
        return linking_call(k, AT_FDCWD, k->a, AT_FDCWD, k->b, 0);
    case SYS_unlink:
    case SYS_rmdir:
        return unlinking_call(k, AT_FDCWD, k->a);
#endif
    default:
        return make(k);
    }
}

/* Calls that make a process like fork does: the child goes on with a copy of our frame. */
static long forking(const struct call *k) {
    long child = make(k);
    roar_forked(child);
    return child;
}

static long after_success(const struct call *k) {
    long result = make(k);
    if (result == 0 && (k->number == SYS_chdir || k->number == SYS_fchdir))
        roar_cwd_changed();
    else if (result == 0)
        roar_root_changes();
    return result;
}

static __attribute__((used)) long observed_syscall(long n, long a, long b, long c, long d, long e,
                                                   long f) {
    struct call k = {n, a, b, c, d, e, f};
    return observed(&k);
}

static long forking_syscall(long n, long a, long b, long c, long d, long e, long f) {
    struct call k = {n, a, b, c, d, e, f};
    return forking(&k);
}

static long placing_syscall(long n, long a, long b, long c, long d, long e, long f) {
    struct call k = {n, a, b, c, d, e, f};
    return after_success(&k);
}

static void *real_call(void) {
    return roar_real(ROAR_FN_syscall);
}

static void *route_clone(unsigned long flags, unsigned long stack) {
    roar_before_clone(flags);
    return stack || flags & (CLONE_VM | CLONE_THREAD) ? real_call() : (void *)forking_syscall;
}

void *roar_route_syscall(long number, long a, long b, long c) {
    if (roar_phase == ROAR_QUIET && (number == SYS_execve || number == SYS_execveat))
        return (void *)observed_syscall;
    if (!roar_ready())
        return real_call();
    switch (number) {
    case SYS_seccomp:
        return a == SECCOMP_GET_ACTION_AVAIL || a == SECCOMP_GET_NOTIF_SIZES ||
                       (a == SECCOMP_SET_MODE_FILTER && !c)
                   ? real_call()
                   : (void *)observed_syscall;
    case SYS_prctl:
        return a == PR_SET_SECCOMP && !(b == SECCOMP_MODE_FILTER && !c) ? (void *)observed_syscall
                                                                        : real_call();
    case SYS_openat2:
        return c ? (void *)observed_syscall : real_call();
    case SYS_openat:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_linkat:
    case SYS_unlinkat:
    case SYS_truncate:
    case SYS_ftruncate:
    case SYS_execve:
    case SYS_execveat:
#ifdef SYS_open
    case SYS_open:
    case SYS_creat:
    case SYS_rename:
    case SYS_link:
    case SYS_unlink:
    case SYS_rmdir:
#endif
        return (void *)observed_syscall;
#ifdef SYS_fork
    case SYS_fork:
        roar_before_fork();
        return (void *)forking_syscall;
    case SYS_vfork:
        roar_before_clone(CLONE_VM);
        return real_call();
    case SYS_dup2:
        roar_proof_spoil((int)b);
        roar_proof_spoil((int)a);
        return real_call();
#endif
    case SYS_clone:
        return route_clone((unsigned long)a, (unsigned long)b);
    case SYS_clone3:
        return route_clone(((const struct clone_args *)a)->flags,
                           ((const struct clone_args *)a)->stack);
    case SYS_chdir:
    case SYS_fchdir:
    case SYS_chroot:
    case SYS_pivot_root:
    case SYS_setns:
        return (void *)placing_syscall;
    case SYS_unshare:
        if (a & CLONE_FILES)
            roar_proof_never();
        return a & CLONE_NEWNS ? (void *)placing_syscall : real_call();
    case SYS_copy_file_range:
    case SYS_splice:
    case SYS_dup:
    case SYS_dup3:
    case SYS_fcntl:
    case SYS_lseek:
    case SYS_pread64:
    case SYS_preadv:
    case SYS_preadv2:
    case SYS_ioctl:
    case SYS_close:
    case SYS_close_range:
    case SYS_sendfile:
    case SYS_mmap:
    case SYS_sendmsg:
        /* Whatever is done to descriptors this way, no proof survives it. */
        roar_proof_spoil_range(0, ROAR_PROOF_FDS);
        return real_call();
    case SYS_io_setup:
        roar_proof_never();
        return real_call();
    case SYS_io_uring_setup:
        roar_proof_never();
        roar_emit_gap(ROAR_GAP_IO_URING, roar_no_text());
        return real_call();
    case SYS_exit_group:
        roar_exits((int)a);
        return real_call();
    default:
        return real_call();
    }
}
