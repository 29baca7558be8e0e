/*
 * Paths by asking the kernel: the magic links of /proc/self/fd for what is open, getcwd(2) for
 * where we are. A name is its folder's path and its last part; the folder is opened with O_PATH for
 * a moment. Where the kernel cannot be asked (no /proc, no descriptor free, another root) the parts
 * are joined as text and marked so.
 */
#include "paths.h"

#include "deep.h"
#include "raw.h"
#include "text.h"

#define SCRATCH (64u << 10)
#define DELETED " (deleted)"

void roar_path_begin(struct roar_path *p) {
    p->text = p->small;
    p->length = 0;
    p->room = sizeof p->small;
    p->textual = p->cut = false;
}

void roar_path_end(struct roar_path *p) {
    if (p->text != p->small)
        raw_unmap(p->text, SCRATCH);
}

/* Move to a scratch mapping: this path does not fit a small stack. */
static bool enlarge(struct roar_path *p) {
    char *big = p->text == p->small
                    ? raw_map(SCRATCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                    : NULL;
    if (!big)
        return false;
    text_copy(big, p->small, p->length);
    p->text = big;
    p->room = SCRATCH;
    return true;
}

void roar_path_add(struct roar_path *p, const char *bytes, size_t size) {
    while (p->length + size >= p->room) {
        if (enlarge(p))
            continue;
        size = p->room - p->length - 1;
        p->cut = true;
        break;
    }
    text_copy(p->text + p->length, bytes, size);
    p->length += size;
}

static void add_text(struct roar_path *p, const char *text) {
    roar_path_add(p, text, text_length(text));
}

bool roar_path_of_link(struct roar_path *p, const char *link) {
    for (;;) {
        long got = raw_readlink(AT_FDCWD, link, p->text, p->room);
        if (got < 0)
            return false;
        if ((size_t)got < p->room) {
            p->length = (size_t)got;
            return p->text[0] == '/';
        }
        if (!enlarge(p))
            return false;
    }
}

static bool link_of_fd(struct roar_path *p, int fd) {
    char link[32] = "/proc/self/fd/";
    char digits[12];
    int count = 0;
    size_t end = sizeof "/proc/self/fd/" - 1;
    do {
        digits[count++] = (char)('0' + fd % 10);
        fd /= 10;
    } while (fd);
    while (count)
        link[end++] = digits[--count];
    link[end] = 0;
    return roar_path_of_link(p, link);
}

bool roar_path_of_fd(struct roar_path *p, int fd) {
    if (fd < 0 || !link_of_fd(p, fd))
        return false;
    size_t mark = sizeof DELETED - 1;
    struct stat st;
    if (p->length > mark && text_equal(p->text + p->length - mark, DELETED, mark) &&
        raw_fstat(fd, &st) == 0 && st.st_nlink == 0)
        p->length -= mark;
    return true;
}

/* The working directory; the kernel answers "(unreachable)/…" when it lies outside our root. */
static bool add_cwd(struct roar_path *p) {
    for (;;) {
        long got = RAW3(SYS_getcwd, p->text, p->room, 0);
        if (got > 0 && p->text[0] == '/') {
            p->length = (size_t)got - 1;
            return true;
        }
        if (got > 0 || !enlarge(p))
            return false;
    }
}

static bool add_folder_of(struct roar_path *p, int dirfd) {
    return (dirfd == AT_FDCWD ? add_cwd(p) : link_of_fd(p, dirfd)) || roar_path_climb(p, dirfd);
}

void roar_path_absolute(struct roar_path *p, int dirfd, const char *path) {
    if (path[0] != '/') {
        if (!add_folder_of(p, dirfd))
            p->textual = true;
        else if (p->length > 1 && path[0])
            add_text(p, "/");
    }
    add_text(p, path);
}

static void join_as_text(struct roar_path *p, int dirfd, const char *path) {
    p->length = 0;
    roar_path_absolute(p, dirfd, path);
    p->textual = true;
}

/* The folder `path[:size]`, as the kernel calls it. */
static bool resolve_folder(struct roar_path *p, int dirfd, const char *path, size_t size) {
    roar_path_add(p, path, size);
    roar_path_add(p, "", 1);
    int fd = p->cut ? -1 : raw_open(dirfd, p->text, O_PATH | O_DIRECTORY | O_CLOEXEC);
    p->length = 0;
    if (fd < 0)
        return false;
    bool known = link_of_fd(p, fd);
    raw_close(fd);
    return known;
}

void roar_path_of_file(struct roar_path *p, int dirfd, const char *path) {
    int fd = raw_open(dirfd, path, O_PATH | O_CLOEXEC);
    bool known = fd >= 0 && roar_path_of_fd(p, fd);
    if (fd >= 0)
        raw_close(fd);
    if (!known)
        join_as_text(p, dirfd, path);
}

void roar_path_of_name(struct roar_path *p, int dirfd, const char *path) {
    size_t end = text_length(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t base = end;
    while (base > 0 && path[base - 1] != '/')
        base--;
    bool dots = (end - base == 1 && path[base] == '.') ||
                (end - base == 2 && path[base] == '.' && path[base + 1] == '.');
    if (dots || end == base) {
        roar_path_of_file(p, dirfd, path);
        return;
    }
    bool known = base ? resolve_folder(p, dirfd, path, base) : add_folder_of(p, dirfd);
    if (!known) {
        join_as_text(p, dirfd, path);
        return;
    }
    if (p->length > 1)
        add_text(p, "/");
    roar_path_add(p, path + base, end - base);
}
