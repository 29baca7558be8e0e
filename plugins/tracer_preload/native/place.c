/*
 * Changes of place and of powers: working directory, root, namespaces, seccomp.
 *
 * Under a seccomp filter we make no system call any more, neither here nor in the programs that
 * inherit the filter; a program is killed for a call that is not its own.
 */
#include "place.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "hooks.h"
#include "paths.h"
#include "proof.h"
#include "raw.h"

bool roar_root_changed;
bool roar_in_another_root;

void roar_cwd_changed(void) {
    struct roar_path cwd;
    roar_path_begin(&cwd);
    roar_path_absolute(&cwd, AT_FDCWD, "");
    roar_emit(ROAR_CHDIR, 0, NULL, NULL, 1, roar_path_text(&cwd), roar_no_text());
    roar_path_end(&cwd);
}

void roar_root_changes(void) {
    if (!roar_root_changed)
        roar_emit_gap(ROAR_GAP_CHROOT, roar_no_text());
    roar_root_changed = true;
}

EXPORT int chdir(const char *path) {
    int result = REAL(chdir)(path);
    if (result == 0 && roar_ready())
        roar_cwd_changed();
    return result;
}

EXPORT int fchdir(int fd) {
    int result = REAL(fchdir)(fd);
    if (result == 0 && roar_ready())
        roar_cwd_changed();
    return result;
}

EXPORT int chroot(const char *path) {
    int result = REAL(chroot)(path);
    if (result == 0 && roar_ready()) {
        roar_root_changes();
        roar_in_another_root = true;
    }
    return result;
}

EXPORT int unshare(int flags) {
    int result = REAL(unshare)(flags);
    if (result == 0 && roar_ready()) {
        if (flags & CLONE_FILES)
            roar_proof_never();
        if (flags & CLONE_NEWNS)
            roar_root_changes();
    }
    return result;
}

EXPORT int setns(int fd, int kind) {
    int result = REAL(setns)(fd, kind);
    if (result == 0 && roar_ready())
        roar_root_changes();
    return result;
}

void roar_before_seccomp(struct roar_writer *w) {
    struct roar_path program;
    roar_path_begin(&program);
    roar_path_of_link(&program, "/proc/self/exe");
    roar_begin(w, ROAR_GAP, ROAR_GAP_SECCOMP, 0, 0, 1, 4 + program.length);
    if (w->offset)
        roar_put_text(w, roar_path_text(&program));
    roar_path_end(&program);
    roar_resolve_for_children();
}

void roar_after_seccomp(struct roar_writer *w, bool succeeded) {
    if (!succeeded) {
        roar_cancel(w);
        return;
    }
    __atomic_store_n(&roar_phase, ROAR_QUIET, __ATOMIC_RELAXED);
    if (w->base)
        roar_commit(w);
}

EXPORT int prctl(int option, ...) {
    va_list arguments;
    va_start(arguments, option);
    unsigned long a = va_arg(arguments, unsigned long);
    unsigned long b = va_arg(arguments, unsigned long);
    unsigned long c = va_arg(arguments, unsigned long);
    unsigned long d = va_arg(arguments, unsigned long);
    va_end(arguments);
    /* A filter of NULL only asks whether filters are known here. */
    if (option != PR_SET_SECCOMP || (a == SECCOMP_MODE_FILTER && !b) || !roar_ready())
        return REAL(prctl)(option, a, b, c, d);
    struct roar_writer w;
    roar_before_seccomp(&w);
    int result = REAL(prctl)(option, a, b, c, d);
    roar_after_seccomp(&w, result == 0);
    return result;
}
