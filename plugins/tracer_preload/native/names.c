/*
 * Names: rename, link, unlink, and cutting files by their name.
 *
 * Paths are resolved when the call has succeeded: a folder stays where it is while a name in it
 * moves. What a call will replace or remove is looked at before, and held for its digest where rule
 * 4 says.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "emit.h"
#include "hooks.h"
#include "names.h"
#include "opening.h"
#include "paths.h"
#include "raw.h"
#include "table.h"

static void hold_file(const struct stat *st) {
    struct roar_journal_slot *slot = S_ISREG(st->st_mode) ? roar_slot(st, false) : NULL;
    if (slot)
        roar_hold(slot);
}

static void mark_named(const struct stat *st) {
    struct roar_journal_slot *slot = S_ISREG(st->st_mode) ? roar_slot(st, true) : NULL;
    if (slot)
        roar_slot_add(slot, ROAR_SLOT_NAMED);
}

void roar_before_rename(struct roar_renaming *r) {
    /* What moves keeps its content, but roar looks for it where it was read: let it finish first.
     */
    struct stat moving;
    if (raw_stat(r->from_dir, r->from, &moving, AT_SYMLINK_NOFOLLOW) == 0)
        hold_file(&moving);
    bool there = !(r->flags & RENAME_NOREPLACE) &&
                 raw_stat(r->to_dir, r->to, &r->replaced, AT_SYMLINK_NOFOLLOW) == 0 &&
                 S_ISREG(r->replaced.st_mode);
    if (there)
        hold_file(&r->replaced);
    r->replaces = there && !(r->flags & RENAME_EXCHANGE);
}

void roar_renamed(const struct roar_renaming *r) {
    struct stat moved;
    if (raw_stat(r->to_dir, r->to, &moved, AT_SYMLINK_NOFOLLOW) < 0 ||
        !(S_ISREG(moved.st_mode) || S_ISDIR(moved.st_mode)))
        return;
    /* rename(2) does nothing when both are names of one file, and rightly says it succeeded. */
    if (r->replaces && r->replaced.st_ino == moved.st_ino && r->replaced.st_dev == moved.st_dev)
        return;
    /* After an exchange, what was there is what the old name leads to now. */
    struct stat other;
    const struct stat *second = r->replaces ? &r->replaced : NULL;
    if (r->flags & RENAME_EXCHANGE &&
        raw_stat(r->from_dir, r->from, &other, AT_SYMLINK_NOFOLLOW) == 0) {
        second = &other;
        mark_named(&other);
    }
    struct roar_path from, to;
    roar_path_begin(&from);
    roar_path_begin(&to);
    roar_path_of_name(&from, r->from_dir, r->from);
    roar_path_of_name(&to, r->to_dir, r->to);
    uint64_t bits = (r->flags & RENAME_EXCHANGE ? ROAR_RENAME_EXCHANGE : 0) |
                    (S_ISDIR(moved.st_mode) ? ROAR_RENAME_DIRECTORY : 0) |
                    (from.textual || to.textual ? ROAR_RENAME_TEXTUAL : 0);
    roar_emit(ROAR_RENAME, bits, &moved, second, 2, roar_path_text(&from), roar_path_text(&to));
    roar_path_end(&to);
    roar_path_end(&from);
    mark_named(&moved);
}

void roar_linked(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    struct stat st;
    if (raw_stat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    struct roar_path source, target;
    roar_path_begin(&source);
    roar_path_begin(&target);
    if (flags & AT_EMPTY_PATH && !from[0])
        roar_path_of_fd(&source, from_dir);
    else if (flags & AT_SYMLINK_FOLLOW)
        roar_path_of_file(&source, from_dir, from);
    else
        roar_path_of_name(&source, from_dir, from);
    roar_path_of_name(&target, to_dir, to);
    roar_emit(ROAR_LINK, 0, &st, NULL, 2, roar_path_text(&source), roar_path_text(&target));
    roar_path_end(&target);
    roar_path_end(&source);
    mark_named(&st);
}

bool roar_before_unlink(struct stat *before, int dirfd, const char *path) {
    if (raw_stat(dirfd, path, before, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    if (S_ISDIR(before->st_mode))
        return true;
    if (!S_ISREG(before->st_mode))
        return false;
    if (!roar_has_table())
        return true;
    /* A file nobody has read, written or named here is no part of this run's story. */
    struct roar_journal_slot *slot = roar_slot(before, false);
    if (!slot || !(roar_slot_state(slot) & ROAR_SLOT_SEEN))
        return false;
    roar_hold(slot);
    return true;
}

void roar_unlinked(const struct stat *before, int dirfd, const char *path) {
    struct roar_path name;
    roar_path_begin(&name);
    roar_path_of_name(&name, dirfd, path);
    roar_emit(ROAR_UNLINK, S_ISDIR(before->st_mode), before, NULL, 1, roar_path_text(&name),
              roar_no_text());
    roar_path_end(&name);
}

void roar_before_truncate(struct roar_truncation *t, const char *path, int fd) {
    int got = path ? raw_stat(AT_FDCWD, path, &t->before, 0) : raw_fstat(fd, &t->before);
    t->news = got == 0 && S_ISREG(t->before.st_mode);
    if (!t->news)
        return;
    struct roar_journal_slot *slot = roar_slot(&t->before, true);
    if (!slot)
        return;
    roar_hold(slot);
    t->news = !(roar_slot_state(slot) & ROAR_SLOT_WRITE);
}

void roar_truncated(struct roar_truncation *t, const char *path, int fd, int64_t length) {
    struct stat after;
    if (!t->news || (path ? raw_stat(AT_FDCWD, path, &after, 0) : raw_fstat(fd, &after)) < 0)
        return;
    struct roar_path name;
    roar_path_begin(&name);
    if (path)
        roar_path_of_file(&name, AT_FDCWD, path);
    else
        roar_path_of_fd(&name, fd);
    struct roar_journal_slot *slot = roar_slot(&after, false);
    if (!roar_path_is_special(name.text, name.length) &&
        roar_emit(ROAR_TRUNCATE, (uint64_t)length, &after, &t->before, 1, roar_path_text(&name),
                  roar_no_text()) &&
        slot)
        roar_slot_add(slot, ROAR_SLOT_WRITE);
    roar_path_end(&name);
}

static int rename_observed(struct roar_renaming *r, int (*call)(struct roar_renaming *)) {
    if (!roar_ready())
        return call(r);
    roar_before_rename(r);
    int result = call(r);
    if (result == 0)
        roar_renamed(r);
    return result;
}

static int call_rename(struct roar_renaming *r) {
    return REAL(rename)(r->from, r->to);
}

static int call_renameat(struct roar_renaming *r) {
    return REAL(renameat)(r->from_dir, r->from, r->to_dir, r->to);
}

static int call_renameat2(struct roar_renaming *r) {
    return REAL(renameat2)(r->from_dir, r->from, r->to_dir, r->to, r->flags);
}

EXPORT int rename(const char *from, const char *to) {
    struct roar_renaming r = {.from_dir = AT_FDCWD, .from = from, .to_dir = AT_FDCWD, .to = to};
    return rename_observed(&r, call_rename);
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    struct roar_renaming r = {.from_dir = from_dir, .from = from, .to_dir = to_dir, .to = to};
    return rename_observed(&r, call_renameat);
}

EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    struct roar_renaming r = {
        .from_dir = from_dir, .from = from, .to_dir = to_dir, .to = to, .flags = flags};
    return rename_observed(&r, call_renameat2);
}

EXPORT int link(const char *from, const char *to) {
    int result = REAL(link)(from, to);
    if (result == 0 && roar_ready())
        roar_linked(AT_FDCWD, from, AT_FDCWD, to, 0);
    return result;
}

EXPORT int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    int result = REAL(linkat)(from_dir, from, to_dir, to, flags);
    if (result == 0 && roar_ready())
        roar_linked(from_dir, from, to_dir, to, flags);
    return result;
}

#define REMOVING(name, parameters, arguments, dirfd)                                               \
    EXPORT int name parameters {                                                                   \
        struct stat before;                                                                        \
        if (!roar_ready() || !roar_before_unlink(&before, dirfd, path))                            \
            return REAL(name) arguments;                                                           \
        int result = REAL(name) arguments;                                                         \
        if (result == 0)                                                                           \
            roar_unlinked(&before, dirfd, path);                                                   \
        return result;                                                                             \
    }

REMOVING(unlink, (const char *path), (path), AT_FDCWD)
REMOVING(unlinkat, (int dirfd, const char *path, int flags), (dirfd, path, flags), dirfd)
REMOVING(remove, (const char *path), (path), AT_FDCWD)
REMOVING(rmdir, (const char *path), (path), AT_FDCWD)

#define TRUNCATING(name, parameters, arguments, path, fd)                                          \
    EXPORT int name parameters {                                                                   \
        struct roar_truncation t;                                                                  \
        if (!roar_ready())                                                                         \
            return REAL(name) arguments;                                                           \
        roar_before_truncate(&t, path, fd);                                                        \
        int result = REAL(name) arguments;                                                         \
        if (result == 0)                                                                           \
            roar_truncated(&t, path, fd, length);                                                  \
        return result;                                                                             \
    }

TRUNCATING(truncate, (const char *path, off_t length), (path, length), path, -1)
TRUNCATING(truncate64, (const char *path, off64_t length), (path, length), path, -1)
TRUNCATING(ftruncate, (int fd, off_t length), (fd, length), NULL, fd)
TRUNCATING(ftruncate64, (int fd, off64_t length), (fd, length), NULL, fd)
