/* The files that a posix_spawn's file actions open in the child. */
#ifndef ROAR_PRELOAD_SPAWN_ACTIONS_H
#define ROAR_PRELOAD_SPAWN_ACTIONS_H

#include <spawn.h>
#include <sys/stat.h>

#include "journal.h"

/* What stat(2) said before, for the first few that may be changed. */
#define ROAR_ACTION_FILES 3
struct roar_action_files {
    struct {
        bool asked;
        bool absent;
        struct stat before;
    } of[ROAR_ACTION_FILES];
};

void roar_look_at_actions(struct roar_action_files *files,
                          const posix_spawn_file_actions_t *actions) HIDDEN;
void roar_report_actions(const struct roar_action_files *files,
                         const posix_spawn_file_actions_t *actions) HIDDEN;

#endif
