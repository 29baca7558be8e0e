/*
 * The exec family. The list faces are gathered into an array first, as libc itself does.
 *
 * When the kernel answers E2BIG because our two variables are in the environment, the program is
 * executed without them, as it would have been without us, and the journal says so.
 */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "environment.h"
#include "handover.h"
#include "hooks.h"
#include "loaded.h"
#include "processes.h"
#include "programs.h"
#include "proof.h"
#include "raw.h"
#include "start.h"

static int call_without_us(const struct roar_execution *e) {
    return e->call(e, ROAR_ENVIRONMENT(e->envp, false));
}

/* Execute the starter of the tracer that can; returns when that failed. */
static void hand_over(const struct roar_execution *e, const struct roar_program *program) {
    struct roar_handover next;
    if (ROAR_HANDOVER(&next, roar_program_name(program, e->path), e->argv, e->envp))
        REAL(execve)(next.starter, next.argv, next.envp);
    roar_scratch_unmap();
}

int roar_execute(const struct roar_execution *e) {
    if (!e->path || !roar_ready()) {
        if (!e->path || !roar_hands_down())
            return e->call(e, e->envp);
        return e->call(e, ROAR_ENVIRONMENT(e->envp, true));
    }
    if (roar_environment_waits(e->envp))
        return e->call(e, e->envp);
    struct roar_program program;
    if (!roar_in_vfork && raw_pid() == roar_started_pid)
        roar_report_loaded();
    roar_look_at_program(&program, e->dirfd, e->path, e->search);
    struct roar_writer record;
    roar_begin_exec(&record, &program, e->argv);
    roar_commit(&record);
    if (program.handed_over) {
        hand_over(e, &program);
        roar_nobody_sees(&program);
    }
    roar_path_end(&program.path);
    char **envp = ROAR_ENVIRONMENT(e->envp, program.observed);
    int result = e->call(e, envp);
    int failure = errno;
    roar_scratch_unmap();
    if (failure == E2BIG && program.observed && roar_environment_has_us(e->envp, envp)) {
        roar_emit_gap(ROAR_GAP_NO_ROOM, roar_no_text());
        result = call_without_us(e);
        failure = errno;
        roar_scratch_unmap();
    }
    roar_emit(ROAR_EXEC_FAILED, (uint64_t)failure, NULL, NULL, 0, roar_no_text(), roar_no_text());
    errno = failure;
    return result;
}

static int call_execve(const struct roar_execution *e, char *const *envp) {
    return REAL(execve)(e->path, e->argv, envp);
}

static int call_execvpe(const struct roar_execution *e, char *const *envp) {
    return REAL(execvpe)(e->path, e->argv, envp);
}

static int call_fexecve(const struct roar_execution *e, char *const *envp) {
    return REAL(fexecve)(e->dirfd, e->argv, envp);
}

static int call_execveat(const struct roar_execution *e, char *const *envp) {
    return REAL(execveat)(e->dirfd, e->path, e->argv, envp, e->flags);
}

static int execute_path(const char *path, char *const *argv, char *const *envp) {
    struct roar_execution e = {call_execve, AT_FDCWD, path, argv, envp, 0, false};
    return roar_execute(&e);
}

static int execute_command(const char *command, char *const *argv, char *const *envp) {
    struct roar_execution e = {call_execvpe, AT_FDCWD, command, argv, envp, 0, true};
    return roar_execute(&e);
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[]) {
    return execute_path(path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[]) {
    return execute_path(path, argv, environ);
}

EXPORT int execvp(const char *file, char *const argv[]) {
    return execute_command(file, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[]) {
    return execute_command(file, argv, envp);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[]) {
    struct roar_execution e = {call_fexecve, fd, "", argv, envp, AT_EMPTY_PATH, false};
    return roar_execute(&e);
}

EXPORT int execveat(int dirfd, const char *path, char *const argv[], char *const envp[],
                    int flags) {
    struct roar_execution e = {call_execveat, dirfd, path, argv, envp, flags, false};
    return roar_execute(&e);
}

/* Gather a list face's arguments; `more` is left behind the NULL, where execle has its envp. */
#define GATHER(argv, first, more)                                                                  \
    va_list counting;                                                                              \
    va_copy(counting, more);                                                                       \
    size_t count = 1;                                                                              \
    if (first)                                                                                     \
        while (va_arg(counting, char *))                                                           \
            count++;                                                                               \
    va_end(counting);                                                                              \
    char **argv = __builtin_alloca((count + 1) * sizeof(char *));                                  \
    argv[0] = (char *)first;                                                                       \
    for (size_t i = 1; first && i <= count; i++)                                                   \
    argv[i] = va_arg(more, char *)

EXPORT int execl(const char *path, const char *first, ...) {
    va_list more;
    va_start(more, first);
    GATHER(argv, first, more);
    va_end(more);
    return execute_path(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *first, ...) {
    va_list more;
    va_start(more, first);
    GATHER(argv, first, more);
    va_end(more);
    return execute_command(file, argv, environ);
}

EXPORT int execle(const char *path, const char *first, ...) {
    va_list more;
    va_start(more, first);
    GATHER(argv, first, more);
    char *const *envp = va_arg(more, char *const *);
    va_end(more);
    return execute_path(path, argv, envp);
}
