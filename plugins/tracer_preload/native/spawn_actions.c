/*
 * Reading posix_spawn_file_actions_t. The child opens those files itself, so afterwards each is
 * looked at again by its path; that the spawn succeeded says that all of them could be opened.
 */
#include "spawn_actions.h"

#include <fcntl.h>

#include "opening.h"
#include "paths.h"
#include "raw.h"

/* glibc, posix/spawn_int.h: struct __spawn_action. */
enum { ACTION_OPEN = 2, ACTION_CHDIR = 3, ACTION_LAST = 6 };

struct action {
    int tag;
    union {
        struct {
            int fd;
            char *path;
            int flags;
            mode_t mode;
        } open;
        struct {
            char *path;
        } chdir;
    };
};

/* The open action after position *at, made absolute by the chdir actions before it; false: no more.
 */
static bool next_open(const posix_spawn_file_actions_t *actions, int *at, struct roar_path *path,
                      int *flags) {
    const struct action *all = (const void *)actions->__actions;
    const char *folder = NULL;
    for (int i = 0; i < actions->__used; i++) {
        const struct action *action = &all[i];
        if (action->tag < 0 || action->tag > ACTION_LAST)
            return false;
        if (action->tag == ACTION_CHDIR)
            folder = action->chdir.path;
        if (action->tag != ACTION_OPEN || i < *at)
            continue;
        path->length = 0;
        if (folder && action->open.path[0] != '/') {
            roar_path_absolute(path, AT_FDCWD, folder);
            roar_path_add(path, "/", 1);
            for (const char *c = action->open.path; *c; c++)
                roar_path_add(path, c, 1);
        } else {
            roar_path_absolute(path, AT_FDCWD, action->open.path);
        }
        roar_path_add(path, "", 1);
        path->length--;
        *flags = action->open.flags;
        *at = i + 1;
        return true;
    }
    return false;
}

void roar_look_at_actions(struct roar_action_files *files,
                          const posix_spawn_file_actions_t *actions) {
    struct roar_path path;
    int at = 0, flags = 0;
    if (!actions)
        return;
    roar_path_begin(&path);
    for (int i = 0; i < ROAR_ACTION_FILES && next_open(actions, &at, &path, &flags); i++) {
        struct roar_opening opening;
        roar_before_open(&opening, AT_FDCWD, path.text, flags);
        files->of[i].asked = opening.asked;
        files->of[i].absent = opening.absent;
        if (opening.asked && !opening.absent)
            files->of[i].before = opening.before;
    }
    roar_path_end(&path);
}

void roar_report_actions(const struct roar_action_files *files,
                         const posix_spawn_file_actions_t *actions) {
    struct roar_path path;
    int at = 0, flags = 0;
    if (!actions)
        return;
    roar_path_begin(&path);
    for (int i = 0; next_open(actions, &at, &path, &flags); i++) {
        struct roar_opening opening = {
            .dirfd = AT_FDCWD, .path = path.text, .flags = flags, .streamed = true};
        if (i < ROAR_ACTION_FILES) {
            opening.asked = files->of[i].asked;
            opening.absent = files->of[i].absent;
            if (opening.asked && !opening.absent)
                opening.before = files->of[i].before;
        }
        int fd = raw_open(AT_FDCWD, path.text, O_PATH | O_CLOEXEC);
        if (fd >= 0) {
            roar_opened(&opening, fd);
            raw_close(fd);
        }
    }
    roar_path_end(&path);
}
