/* Absolute paths, as the kernel resolves them, without much stack and without allocation. */
#ifndef ROAR_PRELOAD_PATHS_H
#define ROAR_PRELOAD_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "emit.h"

/*
 * A path being put together. Begin with path_begin, end with path_end; `text` is not terminated.
 * `textual`: joined as text, because the kernel could not be asked. `cut`: too long even for us.
 */
struct roar_path {
    char *text;
    size_t length;
    size_t room;
    bool textual;
    bool cut;
    char small[384];
};

void roar_path_begin(struct roar_path *p) HIDDEN;
void roar_path_end(struct roar_path *p) HIDDEN;
void roar_path_add(struct roar_path *p, const char *bytes, size_t size) HIDDEN;

static inline struct roar_text roar_path_text(const struct roar_path *p) {
    return (struct roar_text){p->text, p->length};
}

/* Replace the content by what the symbolic link `link` leads to; false when that is no path. */
bool roar_path_of_link(struct roar_path *p, const char *link) HIDDEN;

/* What the open descriptor `fd` is called; false when the kernel does not say. */
bool roar_path_of_fd(struct roar_path *p, int fd) HIDDEN;

/* The name `path` itself, relative to `dirfd`: its folder is resolved, its last part is not. */
void roar_path_of_name(struct roar_path *p, int dirfd, const char *path) HIDDEN;

/* The file that `path` leads to, links followed. */
void roar_path_of_file(struct roar_path *p, int dirfd, const char *path) HIDDEN;

/* `path` made absolute as text only: for what is about to be executed. */
void roar_path_absolute(struct roar_path *p, int dirfd, const char *path) HIDDEN;

#endif
