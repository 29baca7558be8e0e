/* Renames, links, removals and cuts, for their libc faces and for syscall(2). */
#ifndef ROAR_PRELOAD_NAMES_H
#define ROAR_PRELOAD_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "journal.h"

struct roar_renaming {
    int from_dir;
    const char *from;
    int to_dir;
    const char *to;
    unsigned flags;
    bool replaces;
    struct stat replaced;
};

void roar_before_rename(struct roar_renaming *r) HIDDEN;
void roar_renamed(const struct roar_renaming *r) HIDDEN;

void roar_linked(int from_dir, const char *from, int to_dir, const char *to, int flags) HIDDEN;

/* Whether the removal of `path` will be news; `before` is what it is. */
bool roar_before_unlink(struct stat *before, int dirfd, const char *path) HIDDEN;
void roar_unlinked(const struct stat *before, int dirfd, const char *path) HIDDEN;

/* By `path`, or by `fd` when it is NULL. */
struct roar_truncation {
    bool news;
    struct stat before;
};

void roar_before_truncate(struct roar_truncation *t, const char *path, int fd) HIDDEN;
void roar_truncated(struct roar_truncation *t, const char *path, int fd, int64_t length) HIDDEN;

#endif
