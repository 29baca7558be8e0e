/*
 * These calls are made here, in the caller's place, on the open folder and the last part of the
 * path: what moves, what is replaced and whether it worked is then known, and roar can take a
 * digest before the bytes are gone.
 */
#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caller.h"
#include "memory.h"
#include "paths.h"
#include "slots.h"

/* The open folder and the name in it. */
struct named {
    int folder;
    const char *name;
    struct place at;
};

/* Become the caller, whose rights decide how far its paths lead; false when nobody can. */
static bool become_caller(const struct standing *standing) {
    return !standing->strange && standing_assume(standing);
}

static bool named_enter(struct named *d, struct notice *n, struct process *p, struct given given) {
    char path[PATH_MAX];
    d->folder = -1;
    if (!caller_path(n, p, given.path, path) || !place_enter(&d->at, p, n, given.folder, path))
        return false;
    const struct standing *standing = process_standing(p, n->tid);
    bool became = become_caller(standing);
    d->folder = place_parent(&d->at, &d->name);
    if (became)
        standing_resume(standing);
    if (d->folder >= 0)
        return true;
    if (d->folder == -ELOOP)
        caller_went_through_proc(p, &d->at);
    place_leave(&d->at);
    return false;
}

/* Before the answer, for the caller may unmount what we hold; once is enough. */
static void named_leave(struct named *d) {
    if (d->folder >= 0)
        close(d->folder);
    d->folder = -1;
    place_leave(&d->at);
}

static bool named_stat(const struct named *d, struct stat *st) {
    return fstatat(d->folder, d->name, st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void hold(const struct stat *st) {
    struct roar_journal_slot *slot = S_ISREG(st->st_mode) ? slot_of(st, false) : NULL;
    if (slot)
        slot_hold(slot);
}

static void mark_named(const struct stat *st) {
    struct roar_journal_slot *slot = S_ISREG(st->st_mode) ? slot_of(st, true) : NULL;
    if (slot)
        slot_add(slot, ROAR_SLOT_NAMED);
}

/*
 * The last name of a file is gone, and soon its inode's number is another's, which may be made in a
 * way that we do not see (mknod): what was reported of the old one says nothing of that.
 */
static void forget_if_last(const struct stat *before) {
    struct roar_journal_slot *slot = before->st_nlink <= 1 ? slot_of(before, false) : NULL;
    if (slot)
        slot_drop(slot, ROAR_SLOT_WRITE | ROAR_SLOT_MADE);
}

/* Two names, or one: what a call is about, and how its caller stands. */
struct pair {
    struct named from, to;
    const struct standing *standing;
};

static bool pair_enter(struct pair *pair, struct notice *n, struct process *p, struct given from,
                       struct given to) {
    pair->standing = process_standing(p, n->tid);
    if (!named_enter(&pair->from, n, p, from))
        return false;
    if (named_enter(&pair->to, n, p, to))
        return true;
    named_leave(&pair->from);
    return false;
}

static void pair_leave(struct pair *pair) {
    named_leave(&pair->to);
    named_leave(&pair->from);
}

static void report_pair(const struct pair *pair, const struct notice *n, const struct process *p,
                        enum roar_kind kind, uint64_t bits, const struct stat *first,
                        const struct stat *second) {
    struct path *from = path_scratch(0), *to = path_scratch(1);
    path_of_name(from, pair->from.folder, pair->from.name);
    path_of_name(to, pair->to.folder, pair->to.name);
    journal_report(&(struct report){
        .kind = kind,
        .value = bits,
        .pid = p->pid,
        .tid = n->tid,
        .first = first,
        .second = second,
        .strings = 2,
        .text = {path_text(from), path_text(to)},
    });
}

struct rename_view {
    unsigned flags;
    bool found, replaces;
    struct stat moving, replaced;
};

static void before_rename(const struct pair *pair, struct rename_view *v) {
    /* What moves keeps its content, but roar looks for it where it was read: let it finish first.
     */
    v->found = named_stat(&pair->from, &v->moving);
    if (v->found)
        hold(&v->moving);
    bool there = !(v->flags & RENAME_NOREPLACE) && named_stat(&pair->to, &v->replaced) &&
                 S_ISREG(v->replaced.st_mode);
    if (there)
        hold(&v->replaced);
    v->replaces = there && !(v->flags & RENAME_EXCHANGE);
}

static void report_rename(const struct pair *pair, const struct notice *n, const struct process *p,
                          const struct rename_view *v) {
    struct stat moved, other;
    if (!named_stat(&pair->to, &moved) || !(S_ISREG(moved.st_mode) || S_ISDIR(moved.st_mode)))
        return;
    /* rename(2) does nothing when both are names of one file, and rightly says it succeeded. */
    if (v->replaces && v->replaced.st_ino == moved.st_ino && v->replaced.st_dev == moved.st_dev)
        return;
    const struct stat *second = v->replaces ? &v->replaced : NULL;
    if (v->flags & RENAME_EXCHANGE && named_stat(&pair->from, &other)) {
        second = &other;
        mark_named(&other);
    }
    uint64_t bits = (v->flags & RENAME_EXCHANGE ? ROAR_RENAME_EXCHANGE : 0) |
                    (S_ISDIR(moved.st_mode) ? ROAR_RENAME_DIRECTORY : 0);
    report_pair(pair, n, p, ROAR_RENAME, bits, &moved, second);
    if (v->replaces)
        forget_if_last(&v->replaced);
    mark_named(&moved);
}

/* Let the call through and report it when its effect shows. */
static bool was_moved(const struct notice *n, struct process *p, const struct pair *pair,
                      const struct rename_view *v) {
    int fd = v->found ? caller_wait_for(n, p, &pair->to.at) : -1;
    struct stat moved;
    bool is = fd >= 0 && fstat(fd, &moved) == 0 && moved.st_ino == v->moving.st_ino;
    if (fd >= 0)
        close(fd);
    return is;
}

void names_rename(struct notice *n, struct process *p, struct given from, struct given to,
                  unsigned flags) {
    struct pair pair;
    struct rename_view view = {.flags = flags};
    if (!pair_enter(&pair, n, p, from, to)) {
        notice_continue(n);
        return;
    }
    before_rename(&pair, &view);
    if (pair.standing->strange || !standing_assume(pair.standing)) {
        caller_is_hidden(p);
        notice_continue(n);
        if (was_moved(n, p, &pair, &view))
            report_rename(&pair, n, p, &view);
    } else {
        long got = syscall(SYS_renameat2, pair.from.folder, pair.from.name, pair.to.folder,
                           pair.to.name, flags) < 0
                       ? -errno
                       : 0;
        standing_resume(pair.standing);
        if (!got)
            report_rename(&pair, n, p, &view);
        pair_leave(&pair);
        notice_answer(n, got);
    }
    pair_leave(&pair);
}

static void report_link(const struct pair *pair, const struct notice *n, const struct process *p,
                        int source) {
    struct stat st;
    if (!named_stat(&pair->to, &st) || !S_ISREG(st.st_mode))
        return;
    struct path *from = path_scratch(0), *to = path_scratch(1);
    if (source >= 0)
        path_of_fd(from, source);
    else
        path_of_name(from, pair->from.folder, pair->from.name);
    path_of_name(to, pair->to.folder, pair->to.name);
    journal_report(&(struct report){
        .kind = ROAR_LINK,
        .pid = p->pid,
        .tid = n->tid,
        .first = &st,
        .strings = 2,
        .text = {path_text(from), path_text(to)},
    });
    mark_named(&st);
}

/* What `linkat` is to follow: by AT_SYMLINK_FOLLOW or a descriptor itself; -1: the name it is. */
static int link_source(struct notice *n, struct process *p, struct given from, int flags) {
    char path[PATH_MAX];
    struct place at;
    char first;
    bool itself = flags & AT_EMPTY_PATH && memory_read(n, from.path, &first, 1) == 0 && !first;
    if (itself)
        snprintf(path, sizeof path, "/proc/self/fd/%d", from.folder);
    else if (!(flags & AT_SYMLINK_FOLLOW) || !caller_path(n, p, from.path, path))
        return -1;
    if (!place_enter(&at, p, n, from.folder, path))
        return -1;
    const struct standing *standing = process_standing(p, n->tid);
    bool became = become_caller(standing);
    int fd = place_open(&at, O_PATH, 0, 0);
    if (became)
        standing_resume(standing);
    place_leave(&at);
    return fd < 0 ? -1 : fd;
}

static long make_link(const struct pair *pair, int source) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", source);
    int got = source >= 0
                  ? linkat(AT_FDCWD, link, pair->to.folder, pair->to.name, AT_SYMLINK_FOLLOW)
                  : linkat(pair->from.folder, pair->from.name, pair->to.folder, pair->to.name, 0);
    return got < 0 ? -errno : 0;
}

void names_link(struct notice *n, struct process *p, struct given from, struct given to,
                int flags) {
    struct pair pair = {.from = {.folder = -1}, .standing = process_standing(p, n->tid)};
    int source = link_source(n, p, from, flags);
    bool entered =
        source >= 0 ? named_enter(&pair.to, n, p, to) : pair_enter(&pair, n, p, from, to);
    if (!entered) {
        notice_continue(n);
    } else if (pair.standing->strange || !standing_assume(pair.standing)) {
        struct stat st;
        bool was_there = named_stat(&pair.to, &st);
        caller_is_hidden(p);
        notice_continue(n);
        int fd = was_there ? -1 : caller_wait_for(n, p, &pair.to.at);
        if (fd >= 0) {
            report_link(&pair, n, p, source);
            close(fd);
        }
    } else {
        long got = make_link(&pair, source);
        standing_resume(pair.standing);
        if (!got)
            report_link(&pair, n, p, source);
        named_leave(&pair.to);
        if (source < 0)
            named_leave(&pair.from);
        else
            close(source);
        notice_answer(n, got);
        return;
    }
    if (entered)
        named_leave(&pair.to);
    if (entered && source < 0)
        named_leave(&pair.from);
    if (source >= 0)
        close(source);
}

static void report_unlink(const struct named *d, const struct notice *n, const struct process *p,
                          const struct stat *before) {
    struct path *path = path_scratch(0);
    path_of_name(path, d->folder, d->name);
    journal_report(&(struct report){
        .kind = ROAR_UNLINK,
        .pid = p->pid,
        .tid = n->tid,
        .first = before,
        .strings = 1,
        .text = {path_text(path)},
    });
}

/* A file nobody has read, written or named here is no part of this run's story. */
static bool is_known(const struct stat *st) {
    struct roar_journal_slot *slot = slot_of(st, false);
    if (!slot)
        return !journal_header->table_slots;
    return slot_state(slot) & ROAR_SLOT_SEEN;
}

void names_unlink(struct notice *n, struct process *p, struct given name) {
    struct named d;
    struct stat before;
    if (!named_enter(&d, n, p, name)) {
        notice_continue(n);
        return;
    }
    const struct standing *standing = process_standing(p, n->tid);
    if (!named_stat(&d, &before) || !S_ISREG(before.st_mode) || !is_known(&before)) {
        named_leave(&d);
        notice_continue(n);
        return;
    }
    hold(&before);
    if (standing->strange || !standing_assume(standing)) {
        caller_is_hidden(p);
        report_unlink(&d, n, p, &before);
        notice_continue(n);
    } else {
        long got = unlinkat(d.folder, d.name, 0) < 0 ? -errno : 0;
        standing_resume(standing);
        if (!got) {
            report_unlink(&d, n, p, &before);
            named_leave(&d);
            forget_if_last(&before);
        }
        notice_answer(n, got);
    }
    named_leave(&d);
}

void names_hold(const struct notice *n, uint64_t fd) {
    char link[48];
    struct stat st;
    snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)n->tid, (int)fd);
    if (stat(link, &st) == 0)
        hold(&st);
}

/* Whether the caller's limit lets a file grow to `length`: beyond it, it gets SIGXFSZ, not we. */
static bool may_grow(pid_t tid, int64_t length) {
    rlim_t limit;
    return caller_limit(tid, RLIMIT_FSIZE, &limit) &&
           (limit == RLIM_INFINITY || (rlim_t)length <= limit);
}

static void report_truncate(const struct notice *n, const struct process *p, int fd, int64_t length,
                            const struct stat *before) {
    struct stat after;
    struct path *path = path_scratch(0);
    if (fstat(fd, &after) < 0 || !path_of_fd(path, fd))
        return;
    struct roar_journal_slot *slot = slot_of(&after, true);
    bool is_news = !slot || !(slot_state(slot) & ROAR_SLOT_WRITE);
    if (is_news &&
        journal_report(&(struct report){
            .kind = ROAR_TRUNCATE,
            .value = (uint64_t)length,
            .pid = p->pid,
            .tid = n->tid,
            .first = &after,
            .second = before,
            .strings = 1,
            .text = {path_text(path)},
        }) &&
        slot)
        slot_add(slot, ROAR_SLOT_WRITE);
}

void names_truncate(struct notice *n, struct process *p, uint64_t from, int64_t length) {
    char path[PATH_MAX], link[32];
    struct place at;
    struct stat before;
    if (length < 0 || !may_grow(n->tid, length) || !caller_path(n, p, from, path) ||
        !place_enter(&at, p, n, AT_FDCWD, path)) {
        notice_continue(n);
        return;
    }
    const struct standing *standing = process_standing(p, n->tid);
    bool became = become_caller(standing);
    int fd = place_open(&at, O_PATH, 0, 0);
    if (became)
        standing_resume(standing);
    if (fd < 0 || fstat(fd, &before) < 0 || !S_ISREG(before.st_mode)) {
        notice_continue(n);
    } else {
        hold(&before);
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (standing->strange || !standing_assume(standing)) {
            caller_is_hidden(p);
            notice_continue(n);
            report_truncate(n, p, fd, length, &before);
        } else {
            long got = truncate(link, length) < 0 ? -errno : 0;
            standing_resume(standing);
            if (!got)
                report_truncate(n, p, fd, length, &before);
            close(fd);
            fd = -1;
            place_leave(&at);
            notice_answer(n, got);
        }
    }
    if (fd >= 0)
        close(fd);
    place_leave(&at);
}
