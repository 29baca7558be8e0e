/* What is common to every way of opening a file: what to ask before, what to report after. */
#ifndef ROAR_PRELOAD_OPENING_H
#define ROAR_PRELOAD_OPENING_H

#include <fcntl.h>
#include <sys/stat.h>

#include "emit.h"

/* One opening under way. `asked`: `before` or `absent` is what stat(2) said just before the call.
 */
struct roar_opening {
    int dirfd;
    const char *path; /* may be NULL: only a descriptor is known */
    int flags;
    uint32_t intents; /* further ROAR_INTENT_* bits */
    bool streamed;    /* given to stdio or unknown hands: used from the start */
    bool asked;
    bool absent;
    struct stat before;
};

/* Look at the file that is about to be changed, and wait for its digest where rule 4 says so. */
void roar_look_before(struct roar_opening *o) HIDDEN;

/* Report what descriptor `fd` now is. errno is kept. */
void roar_opened(struct roar_opening *o, int fd) HIDDEN;

static inline bool roar_may_change(int flags) {
    return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
}

static inline void roar_before_open(struct roar_opening *o, int dirfd, const char *path,
                                    int flags) {
    o->dirfd = dirfd;
    o->path = path;
    o->flags = flags;
    o->intents = 0;
    o->streamed = o->asked = o->absent = false;
    if (UNLIKELY(roar_may_change(flags)))
        roar_look_before(o);
}

/* Report a file that became code of this process, by its path. */
void roar_opened_code(int dirfd, const char *path) HIDDEN;

/* Whether a path lies where no artifacts are: /proc, /sys, memory files. */
bool roar_path_is_special(const char *text, size_t length) HIDDEN;

#endif
