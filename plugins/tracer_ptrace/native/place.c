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
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caller.h"
#include "paths.h"

/* Past slashes and `.` components. */
static const char *skip_nothing(const char *path) {
    while (path[0] == '/' || (path[0] == '.' && (path[1] == '/' || !path[1])))
        path++;
    return path;
}

/* Whether the next component is `name`; then `*rest` is what comes after it. */
static bool component(const char *path, const char *name, const char **rest) {
    size_t length = strlen(name);
    path = skip_nothing(path);
    if (strncmp(path, name, length) || (path[length] && path[length] != '/'))
        return false;
    *rest = path + length;
    return true;
}

static bool number(const char *path, long *value, const char **rest) {
    path = skip_nothing(path);
    size_t digits = strspn(path, "0123456789");
    if (!digits || digits > 9 || (path[digits] && path[digits] != '/'))
        return false;
    *value = atol(path);
    *rest = path + digits;
    return true;
}

/* Names of the asker itself; `*rest` is what stands for the same below /proc/`*pid`. */
static bool means_a_process(const char *path, const struct process *p, pid_t tid, pid_t *pid,
                            const char **rest) {
    long value;
    if (path[0] != '/' || !component(path, "proc", rest))
        return false;
    if (component(*rest, "self", rest))
        *pid = p->pid;
    else if (component(*rest, "thread-self", rest))
        *pid = tid;
    else if (number(*rest, &value, rest) && (value == p->pid || !p->standing.other_person))
        *pid = (pid_t)value; /* not for whoever may look into fewer processes than we */
    else
        return false;
    return true;
}

/* A magic link by its name, written to `link` from /proc/PID on: `*rest` is what comes after it. */
static bool means_a_link(const char *path, const struct process *p, pid_t tid, char link[48],
                         const char **rest) {
    static const char *const standard[] = {"stdin", "stdout", "stderr"};
    static const char *const links[] = {"cwd", "root", "exe"};
    pid_t pid = p->pid;
    long fd = -1;
    if (path[0] == '/' && component(path, "dev", rest)) {
        const char *dev = *rest;
        for (int i = 0; i < 3 && fd < 0; i++)
            if (component(dev, standard[i], rest))
                fd = i;
        if (fd < 0 && !(component(dev, "fd", rest) && number(*rest, &fd, rest)))
            return false;
    } else if (!means_a_process(path, p, tid, &pid, rest)) {
        return false;
    } else {
        for (size_t i = 0; i < sizeof links / sizeof *links; i++)
            if (component(*rest, links[i], rest)) {
                snprintf(link, 48, "/proc/%d/%s", (int)pid, links[i]);
                return true;
            }
        if (!component(*rest, "fd", rest) || !number(*rest, &fd, rest))
            return false;
    }
    snprintf(link, 48, "/proc/%d/fd/%ld", (int)pid, fd);
    return true;
}

/* From the link's end on, `/proc/self` and its kind are as little ours as anywhere. */
static bool enter_link(struct place *at, const char *link, const char *rest) {
    if (!*rest) {
        at->how = 0;
        snprintf(at->path, sizeof at->path, "%s", link);
        return true;
    }
    at->folder = open(link, O_PATH | O_CLOEXEC);
    at->owned = true;
    rest += strspn(rest, "/");
    snprintf(at->path, sizeof at->path, "%s", *rest ? rest : ".");
    return at->folder >= 0;
}

static int open_link(pid_t tid, const char *link) {
    char path[80];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, link);
    return open(path, O_PATH | O_CLOEXEC);
}

/* Whether the kernel's words for a folder lead to it: a mount may hide it, it may be elsewhere. */
static bool leads_to(pid_t tid, const char *link, const char *text) {
    struct place named = {.how = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    struct stat meant, found;
    bool same = false;
    snprintf(named.path, sizeof named.path, "%s", text);
    named.folder = open_link(tid, "root");
    if (named.folder >= 0)
        same = place_stat(&named, &found, 0) == 0 && stat(link, &meant) == 0 &&
               found.st_dev == meant.st_dev && found.st_ino == meant.st_ino;
    if (named.folder >= 0)
        close(named.folder);
    return same;
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
    if (here->length < skip || memcmp(here->text, root->text, skip) ||
        (here->length > skip && here->text[skip] != '/'))
        return false;
    snprintf(at->path, sizeof at->path, "%.*s/", (int)(here->length - skip), here->text + skip);
    if (!leads_to(tid, link, at->path))
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
    const char *rest;
    char link[48];
    if (process_standing(p, n->tid)->other_root) {
        if (enter_other_root(at, n, folder, path))
            return true;
        caller_is_hidden(p);
        return false;
    }
    if (means_a_link(path, p, n->tid, link, &rest))
        return enter_link(at, link, rest);
    snprintf(at->path, sizeof at->path, "%s", path);
    if (path[0] == '/')
        return true;
    if (folder == AT_FDCWD) {
        at->folder = process_cwd(p, n->tid, &at->owned);
    } else {
        snprintf(link, sizeof link, "fd/%d", folder);
        at->folder = open_link(n->tid, link);
        at->owned = true;
    }
    return at->folder >= 0;
}

bool place_enter_limited(struct place *at, struct process *p, const struct notice *n, int folder,
                         const char *path, uint64_t resolve) {
    if (!resolve)
        return place_enter(at, p, n, folder, path);
    /* Both limits at once cannot be had, nor names spelt out: the kernel does it, unseen. */
    if (process_standing(p, n->tid)->other_root) {
        caller_is_hidden(p);
        return false;
    }
    if (resolve & RESOLVE_IN_ROOT)
        while (path[0] == '/')
            path++;
    bool entered = place_enter(at, p, n, folder, path[0] ? path : ".");
    at->how |= RESOLVE_NO_MAGICLINKS | resolve;
    return entered;
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
    if (!(at->how & ~(uint64_t)RESOLVE_NO_MAGICLINKS))
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
