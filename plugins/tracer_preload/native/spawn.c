/*
 * posix_spawn and the functions that run a shell.
 *
 * libc makes the child and executes in one go, through none of our hooks; so we look before. The
 * record of the exec is reserved before, that it stands before the child's own, and completed
 * after, when the child's pid is known. Files that the file actions open are found by reading the
 * actions, whose layout is glibc's (posix/spawn_int.h, unchanged since 2.15).
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "environment.h"
#include "handover.h"
#include "hooks.h"
#include "opening.h"
#include "processes.h"
#include "programs.h"
#include "spawn_actions.h"
#include "tasks.h"

typedef int spawn_call(pid_t *, const char *, const posix_spawn_file_actions_t *,
                       const posix_spawnattr_t *, char *const[], char *const[]);

static int spawn_observed(spawn_call *call, bool search, pid_t *child, const char *path,
                          const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, char *const argv[],
                          char *const envp[]) {
    if (!path || !roar_ready())
        return call(child, path, actions, attributes, argv,
                    roar_hands_down() ? ROAR_ENVIRONMENT(envp, true) : (char **)envp);
    if (roar_environment_waits(envp)) {
        roar_before_fork();
        return call(child, path, actions, attributes, argv, envp);
    }
    struct roar_program program;
    struct roar_action_files files;
    pid_t pid = 0;
    struct roar_writer record;
    roar_before_fork();
    roar_look_at_actions(&files, actions);
    roar_look_at_program(&program, AT_FDCWD, path, search);
    roar_begin_exec(&record, &program, argv);
    int result = -1;
    char **passed = NULL;
    struct roar_handover next;
    if (program.handed_over) {
        if (ROAR_HANDOVER(&next, roar_program_name(&program, path), argv, envp))
            result = call(&pid, next.starter, actions, attributes, next.argv, next.envp);
        roar_scratch_unmap();
        if (result)
            roar_nobody_sees(&program);
    }
    if (!program.handed_over) {
        passed = ROAR_ENVIRONMENT(envp, program.observed);
        result = call(&pid, path, actions, attributes, argv, passed);
        roar_scratch_unmap();
    }
    if (result == E2BIG && program.observed && roar_environment_has_us(envp, passed)) {
        roar_emit_gap(ROAR_GAP_NO_ROOM, roar_no_text());
        result = call(&pid, path, actions, attributes, argv, ROAR_ENVIRONMENT(envp, false));
        roar_scratch_unmap();
    }
    if (result == 0) {
        roar_commit_for(&record, (uint32_t)pid);
        roar_forked(pid);
        roar_report_actions(&files, actions);
        if (child)
            *child = pid;
    } else {
        roar_cancel(&record);
    }
    roar_path_end(&program.path);
    return result;
}

#define SPAWN_FACE(name, search)                                                                   \
    EXPORT int name(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,     \
                    const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) { \
        return spawn_observed(REAL(name), search, child, path, actions, attributes, argv, envp);   \
    }

SPAWN_FACE(posix_spawn, false)
SPAWN_FACE(posix_spawnp, true)

/*
 * system and popen start /bin/sh with `environ` as it is; when our variables have been taken out of
 * it, they are lent to it for the length of the call.
 */
/* Of a child that libc makes unseen, at least for which task it is made. */
static void announce_child(void) {
    roar_before_fork();
    if (roar_task > 1)
        roar_emit(ROAR_FORK, 0, NULL, NULL, 0, roar_no_text(), roar_no_text());
}

EXPORT int system(const char *command) {
    if (!command || !roar_ready())
        return REAL(system)(command);
    announce_child();
    char **kept = environ;
    environ = ROAR_ENVIRONMENT(kept, true);
    char **lent = environ;
    int result = REAL(system)(command);
    if (environ == lent)
        environ = kept;
    roar_scratch_unmap();
    return result;
}

EXPORT FILE *popen(const char *command, const char *mode) {
    if (!roar_ready())
        return REAL(popen)(command, mode);
    announce_child();
    char **kept = environ;
    environ = ROAR_ENVIRONMENT(kept, true);
    char **lent = environ;
    FILE *stream = REAL(popen)(command, mode);
    if (environ == lent)
        environ = kept;
    roar_scratch_unmap();
    return stream;
}
