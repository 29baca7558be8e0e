/* The names by which the kernel knows what we have open. */
#ifndef ROAR_PTRACE_PATHS_H
#define ROAR_PTRACE_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include "journal.h"

#define PATH_ROOM (64u << 10)

/* Any length the tree can reach; `whole` is false when it had to be cut or could not be had. */
struct path {
    size_t length;
    bool whole;
    char text[PATH_ROOM];
};

/*
 * Two for the thread that asks: big enough for any name, too big for a stack. Waits for memory when
 * there is none: a helper that ends takes the tree with it.
 */
struct path *path_scratch(int which);

/* This thread ends. */
void path_scratch_free(void);

/* The path of what our descriptor `fd` has open; false when there is none (memory files, pipes). */
bool path_of_fd(struct path *p, int fd);

/* The path of a name in the open folder `folder`. */
void path_of_name(struct path *p, int folder, const char *name);

/* What a magic link below /proc says; false when it says nothing. */
bool path_of_link(struct path *p, const char *link);

void path_add(struct path *p, const char *bytes, size_t size);

static inline struct text path_text(const struct path *p) {
    return (struct text){p->text, p->length};
}

#endif
