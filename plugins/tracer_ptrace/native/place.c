/*
 * Three things would lead elsewhere for us: relative paths (we start at the caller's folder),
 * another root (we resolve below /proc/PID/root), and names that mean the one who asks: /proc/self
 * and what stands for it in /dev. Those are spelt out with the caller's number; met on the way
 * through a symbolic link, the kernel is told to refuse them.
 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "paths.h"

static bool starts(const char *path, const char *with, const char **rest) {
    size_t length = strlen(with);
    if (strncmp(path, with, length))
        return false;
    *rest = path + length;
    return !**rest || **rest == '/' || with[length - 1] == '/';
}

/* Names of the asker itself, with the caller's number instead; false when there is none in it. */
static bool spell_out(char *to, size_t room, const char *path, pid_t tid) {
    const char *rest;
    int id = (int)tid;
    if (starts(path, "/proc/self", &rest))
        snprintf(to, room, "/proc/%d%s", id, rest);
    else if (starts(path, "/proc/thread-self", &rest))
        snprintf(to, room, "/proc/%d%s", id, rest);
    else if (starts(path, "/dev/fd/", &rest))
        snprintf(to, room, "/proc/%d/fd/%s", id, rest);
    else if (starts(path, "/dev/stdin", &rest))
        snprintf(to, room, "/proc/%d/fd/0", id);
    else if (starts(path, "/dev/stdout", &rest))
        snprintf(to, room, "/proc/%d/fd/1", id);
    else if (starts(path, "/dev/stderr", &rest))
        snprintf(to, room, "/proc/%d/fd/2", id);
    else
        return false;
    return true;
}

static int open_link(pid_t tid, const char *link) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, link);
    return open(path, O_PATH | O_CLOEXEC);
}

/* Under another root a relative path is one from that root: `/…` with where the caller is in it. */
static bool from_its_root(struct place *at, pid_t tid, int folder, const char *path) {
    char link[48];
    struct path *root = path_scratch(0), *here = path_scratch(1);
    snprintf(link, sizeof link, "/proc/%d/root", (int)tid);
    if (!path_of_link(root, link))
        return false;
    if (folder == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/%d/cwd", (int)tid);
    else
        snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)tid, folder);
    if (!path_of_link(here, link))
        return false;
    size_t skip = root->length > 1 ? root->length : 0;
    if (here->length < skip || memcmp(here->text, root->text, skip))
        return false;
    int got = snprintf(at->path, sizeof at->path, "%.*s/%s", (int)(here->length - skip),
                       here->text + skip, path);
    return got > 0 && (size_t)got < sizeof at->path;
}

static bool enter_other_root(struct place *at, const struct notice *n, int folder,
                             const char *path) {
    at->how = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    if (path[0] == '/')
        snprintf(at->path, sizeof at->path, "%s", path);
    else if (!from_its_root(at, n->tid, folder, path))
        return false;
    at->folder = open_link(n->tid, "root");
    at->owned = true;
    return at->folder >= 0;
}

bool place_enter(struct place *at, struct process *p, const struct notice *n, int folder,
                 const char *path) {
    at->folder = AT_FDCWD;
    at->how = RESOLVE_NO_MAGICLINKS;
    at->owned = false;
    if (spell_out(at->path, sizeof at->path, path, n->tid)) {
        at->how = 0;
        return true;
    }
    if (process_standing(p, n->tid)->other_root)
        return enter_other_root(at, n, folder, path);
    snprintf(at->path, sizeof at->path, "%s", path);
    if (path[0] == '/') {
        const char *rest;
        if (starts(path, "/proc/", &rest))
            at->how = 0;
        return true;
    }
    if (folder == AT_FDCWD) {
        at->folder = process_cwd(p, n->tid, &at->owned);
    } else {
        char link[24];
        snprintf(link, sizeof link, "fd/%d", folder);
        at->folder = open_link(n->tid, link);
        at->owned = true;
    }
    return at->folder >= 0;
}

void place_leave(struct place *at) {
    if (at->owned && at->folder >= 0)
        close(at->folder);
    at->owned = false;
}

int place_open(const struct place *at, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {
        .flags = flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY),
        .mode = mode,
        .resolve = at->how | resolve,
    };
    long got = syscall(SYS_openat2, at->folder, at->path, &how, sizeof how);
    return got < 0 ? -errno : (int)got;
}

int place_stat(const struct place *at, struct stat *st, int flags) {
    if (!(at->how & RESOLVE_IN_ROOT))
        return fstatat(at->folder, at->path, st, flags) < 0 ? -errno : 0;
    int fd = place_open(at, O_PATH | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0, 0);
    if (fd < 0)
        return fd;
    int got = fstat(fd, st) < 0 ? -errno : 0;
    close(fd);
    return got;
}

int place_parent(const struct place *at, const char **name) {
    size_t end = strlen(at->path);
    while (end > 0 && at->path[end - 1] == '/')
        end--;
    size_t base = end;
    while (base > 0 && at->path[base - 1] != '/')
        base--;
    size_t length = end - base;
    const char *last = at->path + base;
    if (!length || (length == 1 && last[0] == '.') ||
        (length == 2 && last[0] == '.' && last[1] == '.'))
        return -EINVAL;
    *name = last;
    struct place folder = *at;
    if (base)
        folder.path[base] = 0;
    else
        strcpy(folder.path, ".");
    return place_open(&folder, O_PATH | O_DIRECTORY, 0, 0);
}
