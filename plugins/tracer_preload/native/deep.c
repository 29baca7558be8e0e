/*
 * Names too deep for any path: the kernel refuses to spell more than PATH_MAX bytes (ENAMETOOLONG),
 * but programs get there by chdir or a folder's descriptor. So climb: the name of each folder is
 * the one in its parent that has its inode number, until the kernel can spell the parent.
 */
#include "deep.h"

#include <errno.h>

#include "raw.h"
#include "text.h"

#define ENTRIES (16u << 10)
#define LEVELS_MAX 1024

/* getdents64(2) */
struct entry {
    uint64_t ino;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* The name that inode `ino` has in the open folder `fd`, in `buffer`; NULL when it has none. */
static const char *name_in(int fd, uint64_t ino, char *buffer) {
    for (;;) {
        long got = RAW3(SYS_getdents64, fd, buffer, ENTRIES);
        if (got <= 0)
            return NULL;
        for (long at = 0; at < got;) {
            const struct entry *e = (const void *)(buffer + at);
            if (e->ino == ino && !(e->name[0] == '.' && (!e->name[1] || e->name[1] == '.')))
                return e->name;
            at += e->size;
        }
    }
}

/* Climb from `folder` (given up to us), writing names backwards from `end`; the place reached. */
static char *climb(int folder, char *start, char *end, struct roar_path *top) {
    char *buffer = start;
    char *at = end;
    for (int level = 0; level < LEVELS_MAX && folder >= 0; level++) {
        struct stat st;
        int parent = raw_open(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const char *name =
            parent >= 0 && raw_fstat(folder, &st) == 0 ? name_in(parent, st.st_ino, buffer) : NULL;
        raw_close(folder);
        folder = parent;
        size_t length = name ? text_length(name) : 0;
        if (!name || (size_t)(at - start) < ENTRIES + length + 1)
            break;
        at -= length;
        text_copy(at, name, length);
        *--at = '/';
        top->length = 0;
        if (roar_path_of_fd(top, folder)) {
            raw_close(folder);
            return at;
        }
    }
    if (folder >= 0)
        raw_close(folder);
    return NULL;
}

bool roar_path_climb(struct roar_path *p, int dirfd) {
    int folder = raw_open(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *scratch =
        raw_map(ROAR_DEEP_SCRATCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!scratch) {
        raw_close(folder);
        return false;
    }
    char *end = scratch + ROAR_DEEP_SCRATCH;
    char *names = climb(folder, scratch, end, p);
    if (names)
        roar_path_add(p, names, (size_t)(end - names));
    raw_unmap(scratch, ROAR_DEEP_SCRATCH);
    return names != NULL;
}
