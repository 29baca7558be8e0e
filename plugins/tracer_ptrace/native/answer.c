#include "answer.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include "memory.h"
#include "names.h"
#include "opening.h"
#include "programs.h"
#include "proof.h"

/* clone and unshare: who has these stands elsewhere afterwards. */
#define NEW_STANDING (CLONE_NEWNS | CLONE_NEWUSER)

static int as_folder(uint64_t argument) {
    return (int)(int32_t)argument;
}

/* int flags: the upper half of a register is not looked at by the kernel either. */
static uint64_t as_flags(uint64_t argument) {
    return (uint32_t)argument;
}

static void open_file(struct notice *n, struct process *p, int folder, int first) {
    opening_answer(n, p,
                   &(struct opening){
                       .folder = folder,
                       .path = n->args[first],
                       .flags = as_flags(n->args[first + 1]),
                       .mode = as_flags(n->args[first + 2]),
                   });
}

static void open_as_described(struct notice *n, struct process *p) {
    struct open_how how = {0};
    /* Longer ones are from a future in which the rest has to be zero or means something new. */
    if (n->args[3] != sizeof how || memory_read(n, n->args[2], &how, sizeof how) < 0) {
        notice_continue(n);
        return;
    }
    struct opening opening = {
        .folder = as_folder(n->args[0]),
        .path = n->args[1],
        .flags = how.flags,
        .mode = how.mode,
        .resolve = how.resolve,
    };
    /* "Only if no disk is asked": emptying and making are refused, the rest may be done all the
     * same. */
    if (!(how.flags & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))))
        opening.resolve &= ~(uint64_t)RESOLVE_CACHED;
    if (opening_is_known(&opening))
        opening_answer(n, p, &opening);
    else
        notice_continue(n);
}

static struct given at_cwd(uint64_t path) {
    return (struct given){AT_FDCWD, path};
}

static struct given at(uint64_t folder, uint64_t path) {
    return (struct given){as_folder(folder), path};
}

static void truncate_file(struct notice *n, struct process *p) {
    int64_t length = (int64_t)n->args[1];
    if (n->abi == ABI_I386)
        length = n->call == CALL_truncate64 ? (int64_t)(n->args[1] | n->args[2] << 32)
                                            : (int64_t)(int32_t)n->args[1];
    names_truncate(n, p, n->args[0], length);
}

static void fork_process(struct notice *n, struct process *p, uint64_t flags) {
    proof_settle(p, PROOF_BEFORE_SHARING);
    if (flags & CLONE_FILES && !(flags & CLONE_THREAD))
        proof_spoil(p, true);
    if (flags & NEW_STANDING)
        standing_may_differ();
    /* Threads each in a folder of its own, or processes in a common one. */
    if (!(flags & CLONE_THREAD) == !!(flags & CLONE_FS)) {
        processes_may_share();
        process_scatter(p);
    }
    p->has_forked |= !(flags & CLONE_THREAD);
    notice_continue(n);
}

static void fork_as_described(struct notice *n, struct process *p) {
    uint64_t flags = 0;
    memory_read(n, n->args[0], &flags, sizeof flags);
    fork_process(n, p, flags);
}

static void end_process(struct notice *n, struct process *p) {
    proof_settle(p, PROOF_AT_EXIT);
    if (p->has_forked)
        process_report_children(p);
    journal_report(&(struct report){
        .kind = ROAR_EXIT,
        .value = (n->args[0] & 0xff) << 8,
        .pid = p->pid,
        .tid = n->tid,
    });
    /* Its folder is let go first: whoever waits for it may unmount that. */
    process_unsettle(p, n->tid);
    notice_continue(n);
}

static void stand_elsewhere(struct notice *n, struct process *p) {
    standing_may_differ();
    /* The call itself is about one thread (the C library makes it for all, one after the other). */
    if (process_has_threads(p->pid))
        process_scatter(p);
    else
        process_unsettle(p, n->tid);
    notice_continue(n);
}

static void change_ids(struct notice *n, struct process *p, bool has_them) {
    if (has_them)
        notice_continue(n);
    else
        stand_elsewhere(n, p);
}

static void map_file(struct notice *n, struct process *p) {
    proof_spoil(p, false);
    if (n->call != CALL_old_mmap && n->args[2] & PROT_WRITE && n->args[3] & MAP_SHARED)
        names_hold(n, n->args[4]);
    notice_continue(n);
}

static void read_unseen(struct notice *n, struct process *p) {
    proof_spoil(p, false);
    notice_continue(n);
}

static void prove_no_more(struct notice *n, struct process *p) {
    proof_spoil(p, true);
    notice_continue(n);
}

static void dispatch(struct notice *n, struct process *p) {
    const uint64_t *a = n->args;
    switch (n->call) {
    case CALL_open:
        open_file(n, p, AT_FDCWD, 0);
        break;
    case CALL_openat:
        open_file(n, p, as_folder(a[0]), 1);
        break;
    case CALL_openat2:
        open_as_described(n, p);
        break;
    case CALL_creat:
        opening_answer(n, p,
                       &(struct opening){.folder = AT_FDCWD,
                                         .path = a[0],
                                         .flags = O_CREAT | O_WRONLY | O_TRUNC,
                                         .mode = as_flags(a[1])});
        break;
    case CALL_mknod:
        opening_make(n, p, AT_FDCWD, a[0], (mode_t)a[1]);
        break;
    case CALL_mknodat:
        opening_make(n, p, as_folder(a[0]), a[1], (mode_t)a[2]);
        break;
    case CALL_open_by_handle_at:
        journal_gap(ROAR_GAP_TRACER, p->pid, "opened by a handle, files are not seen");
        notice_continue(n);
        break;
    case CALL_rename:
        names_rename(n, p, at_cwd(a[0]), at_cwd(a[1]), 0);
        break;
    case CALL_renameat:
        names_rename(n, p, at(a[0], a[1]), at(a[2], a[3]), 0);
        break;
    case CALL_renameat2:
        names_rename(n, p, at(a[0], a[1]), at(a[2], a[3]), (unsigned)a[4]);
        break;
    case CALL_link:
        names_link(n, p, at_cwd(a[0]), at_cwd(a[1]), 0);
        break;
    case CALL_linkat:
        /* Flags that the kernel refuses are refused by it. */
        if (!((unsigned)a[4] & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)))
            names_link(n, p, at(a[0], a[1]), at(a[2], a[3]), (int)a[4]);
        break;
    case CALL_unlink:
        names_unlink(n, p, at_cwd(a[0]));
        break;
    case CALL_unlinkat:
        if (!(unsigned)a[2])
            names_unlink(n, p, at(a[0], a[1]));
        break;
    case CALL_truncate:
    case CALL_truncate64:
        truncate_file(n, p);
        break;
    case CALL_ftruncate:
    case CALL_ftruncate64:
        names_hold(n, a[0]);
        notice_continue(n);
        break;
    case CALL_execve:
        proof_settle(p, PROOF_BEFORE_SHARING);
        programs_execute(n, p, AT_FDCWD, a[0], a[1], 0);
        break;
    case CALL_execveat:
        proof_settle(p, PROOF_BEFORE_SHARING);
        programs_execute(n, p, as_folder(a[0]), a[1], a[2], (int)a[4]);
        break;
    case CALL_fork:
        fork_process(n, p, 0);
        break;
    case CALL_vfork:
        fork_process(n, p, CLONE_VM | CLONE_VFORK);
        break;
    case CALL_clone:
        fork_process(n, p, a[0]);
        break;
    case CALL_clone3:
        fork_as_described(n, p);
        break;
    case CALL_exit_group:
        end_process(n, p);
        break;
    case CALL_umask:
        standing_umask_may_differ();
        process_unsettle(p, n->tid);
        notice_continue(n);
        break;
    case CALL_chdir:
    case CALL_fchdir:
        process_unsettle(p, n->tid);
        notice_continue(n);
        break;
    case CALL_setuid:
    case CALL_setfsuid:
        change_ids(n, p, standing_has_uids(a, 1));
        break;
    case CALL_setreuid:
        change_ids(n, p, standing_has_uids(a, 2));
        break;
    case CALL_setresuid:
        change_ids(n, p, standing_has_uids(a, 3));
        break;
    case CALL_setgid:
    case CALL_setfsgid:
        change_ids(n, p, standing_has_gids(a, 1));
        break;
    case CALL_setregid:
        change_ids(n, p, standing_has_gids(a, 2));
        break;
    case CALL_setresgid:
        change_ids(n, p, standing_has_gids(a, 3));
        break;
    case CALL_landlock_restrict_self:
        standing_is_hidden();
        stand_elsewhere(n, p);
        break;
    case CALL_io_uring_setup:
        journal_gap(ROAR_GAP_IO_URING, p->pid, "opened through a ring, files are not seen");
        prove_no_more(n, p);
        break;
    case CALL_mmap:
    case CALL_mmap2:
    case CALL_old_mmap:
        map_file(n, p);
        break;
    case CALL_splice:
    case CALL_ioctl:
        read_unseen(n, p);
        break;
    case CALL_io_setup:
    case CALL_socket:
    case CALL_socketpair:
    case CALL_socketcall:
    case CALL_pidfd_getfd:
        prove_no_more(n, p);
        break;
    case CALL_NONE:
    case CALLS:
        notice_continue(n);
        break;
    default:
        /* setgroups, the 16-bit kin of setuid, chroot, pivot_root, unshare, setns, capset. */
        stand_elsewhere(n, p);
    }
}

void answer(struct notice *n) {
    struct process *p = process_enter(n);
    programs_settle(p, n->tid);
    proof_settle(p, PROOF_AT_A_CALL);
    dispatch(n, p);
    /* Nothing may leave a caller waiting. */
    if (!n->answered)
        notice_continue(n);
    process_leave(p);
}

void answer_death(struct process *p) {
    proof_spoil(p, true);
    programs_assume(p);
}
