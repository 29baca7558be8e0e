/*
 * The kernel spells at most PATH_MAX bytes; programs get deeper by chdir and by folders'
 * descriptors. There we climb: the name of a folder is the one in its parent that has its inode
 * number, until the kernel can spell the parent.
 */
#include "paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DELETED " (deleted)"
#define LEVELS 1024
#define WAIT_FOR_MEMORY_US 1000

static __thread struct path *scratch[2];

struct path *path_scratch(int which) {
    while (!scratch[which]) {
        scratch[which] = malloc(sizeof *scratch[which]);
        if (!scratch[which])
            usleep(WAIT_FOR_MEMORY_US);
    }
    return scratch[which];
}

void path_scratch_free(void) {
    for (int i = 0; i < 2; i++) {
        free(scratch[i]);
        scratch[i] = NULL;
    }
}

void path_add(struct path *p, const char *bytes, size_t size) {
    size_t room = sizeof p->text - p->length;
    if (size > room) {
        size = room;
        p->whole = false;
    }
    memcpy(p->text + p->length, bytes, size);
    p->length += size;
}

bool path_of_link(struct path *p, const char *link) {
    p->whole = true;
    ssize_t got = readlink(link, p->text, sizeof p->text);
    p->length = got < 0 ? 0 : (size_t)got;
    return got > 0 && p->text[0] == '/';
}

static bool spelt(struct path *p, int fd) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return path_of_link(p, link);
}

/* The name of the folder with inode `ino` in the open folder `parent`, which stays open. */
static bool name_in(int parent, ino_t ino, char name[NAME_MAX + 1]) {
    int copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    bool found = false;
    for (struct dirent *e; list && !found && (e = readdir(list));) {
        found = e->d_ino == ino && strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
        if (found)
            strcpy(name, e->d_name);
    }
    if (list)
        closedir(list);
    else if (copy >= 0)
        close(copy);
    return found;
}

/* Put `/name` before what `p` has from `from` on. */
static bool prepend(struct path *p, const char *name) {
    size_t length = strlen(name) + 1;
    if (p->length + length > sizeof p->text)
        return false;
    memmove(p->text + length, p->text, p->length);
    p->text[0] = '/';
    memcpy(p->text + 1, name, length - 1);
    p->length += length;
    return true;
}

/* The path of an open folder that the kernel cannot spell. */
static bool climb(struct path *p, int fd) {
    struct path *below = malloc(sizeof *below);
    if (!below)
        return false;
    int folder = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool done = false;
    below->length = 0;
    for (int level = 0; level < LEVELS && folder >= 0 && !done; level++) {
        struct stat st;
        char name[NAME_MAX + 1];
        int parent = openat(folder, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        bool named = parent >= 0 && fstat(folder, &st) == 0 && name_in(parent, st.st_ino, name) &&
                     prepend(below, name);
        close(folder);
        folder = parent;
        if (!named)
            break;
        done = spelt(p, folder);
    }
    if (folder >= 0)
        close(folder);
    if (done)
        path_add(p, below->text, below->length);
    free(below);
    return done;
}

bool path_of_fd(struct path *p, int fd) {
    if (!spelt(p, fd))
        return errno == ENAMETOOLONG && climb(p, fd);
    size_t mark = sizeof DELETED - 1;
    struct stat st;
    if (p->length > mark && !memcmp(p->text + p->length - mark, DELETED, mark) &&
        fstat(fd, &st) == 0 && st.st_nlink == 0)
        p->length -= mark;
    return true;
}

void path_of_name(struct path *p, int folder, const char *name) {
    if (!path_of_fd(p, folder))
        p->whole = false;
    size_t length = strlen(name);
    while (length > 1 && name[length - 1] == '/')
        length--;
    if (p->length > 1 || !p->length)
        path_add(p, "/", 1);
    path_add(p, name, length);
}
