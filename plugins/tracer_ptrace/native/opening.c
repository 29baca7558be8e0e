/*
 * The helper opens the file in the caller's place and hands the descriptor over: so the file that
 * is reported is the one that is used, and success is known. Only regular files are opened here:
 * opening a FIFO waits, opening a device does something. For those the kernel carries the call out.
 *
 * A file is emptied by ftruncate after it was opened without O_TRUNC, so that what it was before is
 * known exactly, and roar can take its digest first.
 */
#include "opening.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "caller.h"
#include "paths.h"
#include "place.h"
#include "proof.h"
#include "slots.h"

/* A file that appears and vanishes again between two looks is followed that many times. */
#define ATTEMPTS 4
#define LARGEST_SMALL 0x7fffffff

/* open(2) ignores what it does not know, openat2(2) refuses it. 0100000: O_LARGEFILE. */
#define KNOWN_FLAGS                                                                                \
    ((uint64_t)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |        \
                O_SYNC | O_DSYNC | O_ASYNC | O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |     \
                O_CLOEXEC | O_TMPFILE | 0100000))

#define CHANGES (ROAR_INTENT_WRITE | ROAR_INTENT_TRUNCATE | ROAR_INTENT_CREATED)
#define EMPTIED (ROAR_INTENT_TRUNCATE | ROAR_INTENT_CREATED)

/* An open that has been made, or is known to have been. */
struct opened {
    int fd; /* ours */
    uint32_t intents;
    bool had_before;
    struct stat before, after;
};

static bool is_temporary(uint64_t flags) {
    return (flags & O_TMPFILE) == O_TMPFILE;
}

static uint32_t access_of(uint64_t flags) {
    static const uint32_t access[4] = {ROAR_INTENT_READ, ROAR_INTENT_WRITE,
                                       ROAR_INTENT_READ | ROAR_INTENT_WRITE, 0};
    return access[flags & O_ACCMODE] | (flags & O_APPEND ? ROAR_INTENT_APPEND : 0);
}

static bool name_opened(struct path *path, const struct opened *o, const struct place *at) {
    if (path_of_fd(path, o->fd))
        return true;
    const char *name;
    int folder = at ? place_parent(at, &name) : -1;
    if (folder < 0)
        return false;
    path_of_name(path, folder, name);
    close(folder);
    return true;
}

static uint64_t report(struct process *p, pid_t tid, const struct opened *o,
                       const struct stat *before, const struct place *at) {
    struct path *path = path_scratch(0);
    if (!name_opened(path, o, at))
        return 0;
    if (!path->whole)
        journal_gap(ROAR_GAP_CUT, p ? p->pid : tid, "a path that is too long to be told");
    return journal_report(&(struct report){
        .kind = ROAR_OPEN,
        .value = o->intents,
        .pid = p ? p->pid : tid,
        .tid = tid,
        .first = &o->after,
        .second = before,
        .strings = 1,
        .text = {path_text(path)},
    });
}

/* A file that was there and keeps its content for now. */
static void report_whole(struct process *p, pid_t tid, const struct opened *o,
                         struct roar_journal_slot *slot, const struct place *at) {
    bool reads = o->intents & ROAR_INTENT_READ, writes = o->intents & CHANGES;
    uint32_t state = slot ? slot_state(slot) : 0, proven = ROAR_SLOT_READ | ROAR_SLOT_USED;
    bool current = slot && slot_is_current(slot, &o->after);
    bool read_news = reads && !(current && (state & proven) == proven);
    if (!read_news && !(writes && !(state & ROAR_SLOT_WRITE)))
        return;
    if (read_news && slot && !current)
        slot_renew(slot, &o->after, ~(proven | ROAR_SLOT_HELD));
    uint64_t open_ref = report(p, tid, o, writes ? &o->before : NULL, at);
    if (!open_ref)
        return;
    if (reads && slot) {
        slot_opened(slot, open_ref);
        slot_add(slot, ROAR_SLOT_READ);
    }
    if (reads && p)
        proof_begin(p, open_ref, &o->after, slot);
    else if (reads && slot)
        slot_add(slot, ROAR_SLOT_USED);
    if (writes && slot) {
        /* Before the program's first write: the OPEN tells roar what to hash. */
        slot_hold(slot);
        slot_add(slot, ROAR_SLOT_WRITE);
    }
}

/* A file that this open made, or whose content it took away. */
static void report_empty(struct process *p, pid_t tid, const struct opened *o,
                         struct roar_journal_slot *slot, const struct place *at) {
    bool created = o->intents & ROAR_INTENT_CREATED;
    const struct stat *before = !created && o->had_before ? &o->before : NULL;
    if (slot && slot_state(slot) & ROAR_SLOT_WRITE && before && before->st_size == 0)
        return;
    if (!report(p, tid, o, before, at) || !slot)
        return;
    /* A new file has nothing to do with the one whose inode number it got. */
    slot_renew(slot, &o->after, created ? 0 : ~(uint32_t)(ROAR_SLOT_READ | ROAR_SLOT_USED));
    slot_add(slot, ROAR_SLOT_WRITE | ROAR_SLOT_MADE);
}

static void report_opened(struct process *p, pid_t tid, const struct opened *o,
                          const struct place *at) {
    struct roar_journal_slot *slot = slot_of(&o->after, true);
    if (o->intents & EMPTIED)
        report_empty(p, tid, o, slot, at);
    else
        report_whole(p, tid, o, slot, at);
}

/* Files of /proc are regular, empty and no artifacts; and which one it is depends on who asks. */
static bool is_of_the_kernel(int fd, const struct stat *st) {
    struct statfs fs;
    return !st->st_size && fstatfs(fd, &fs) == 0 &&
           (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC);
}

/* What openat2 shall be asked for. O_TRUNC is ours to do, where we may write. */
static uint64_t flags_for(const struct opening *o, bool absent) {
    uint64_t flags = o->flags & KNOWN_FLAGS & ~(uint64_t)O_CLOEXEC;
    if ((flags & O_ACCMODE) != O_RDONLY)
        flags &= ~(uint64_t)O_TRUNC;
    return absent ? flags | O_EXCL : flags;
}

static int64_t open_for(struct process *p, const struct notice *n, const struct opening *o,
                        struct place *at, uint64_t flags) {
    const struct standing standing = *process_standing(p, n->tid);
    bool creates = flags & O_CREAT || is_temporary(flags);
    if (creates) {
        int mask = process_umask(p, n->tid);
        if (mask < 0)
            return -EAGAIN;
        umask((mode_t)mask);
    }
    if (at->folder >= 0 && !at->owned) {
        at->folder = fcntl(at->folder, F_DUPFD_CLOEXEC, 0);
        at->owned = true;
    }
    if (!standing_assume(&standing))
        return -EAGAIN;
    /* Somebody's lease may have to be given up first, perhaps by another thread of the caller. */
    process_pause(p);
    int fd = place_open(at, flags, creates ? o->mode & 07777 : 0, 0);
    process_resume(p);
    standing_resume(&standing);
    return fd;
}

/* What became of trying to open: UNSURE is when the caller may fare better than we did. */
enum outcome { OPENED, REFUSED, NOT_OURS, UNSURE };

/* Whether an error says nothing of what the caller would meet. */
static bool is_ours_alone(int error) {
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ELOOP ||
           error == -EXDEV || error == -EINVAL || error == -EAGAIN || error == -EINTR;
}

/*
 * A system's file that has been reported, opened again: nothing is to be told, so the kernel may
 * open it, at a third of the price. Elsewhere what is there now and what will be opened a moment
 * later could be two files.
 */
static bool is_old_news(const struct opening *o, const struct place *at, const struct stat *st) {
    static const char *const systems[] = {"/usr/", "/lib", "/etc/", "/bin/", "/sbin/"};
    uint32_t proven = ROAR_SLOT_READ | ROAR_SLOT_USED;
    bool is_systems = false;
    for (size_t i = 0; i < sizeof systems / sizeof *systems && !is_systems; i++)
        is_systems = !strncmp(at->path, systems[i], strlen(systems[i]));
    if (!is_systems || (o->flags & O_ACCMODE) != O_RDONLY || o->flags & O_TRUNC)
        return false;
    struct roar_journal_slot *slot = slot_of(st, false);
    return slot && (slot_state(slot) & proven) == proven && slot_is_current(slot, st);
}

/* Open what is there, or make it; `error` says what the caller is to be told when REFUSED. */
static enum outcome try_to_open(struct process *p, struct notice *n, const struct opening *o,
                                struct place *at, struct opened *result, int *error) {
    uint64_t flags = o->flags;
    bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    int look = exclusive || flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int got = place_stat(at, &result->before, look);
        bool absent = got == -ENOENT && flags & O_CREAT;
        if (is_temporary(flags)
                ? got < 0 || !S_ISDIR(result->before.st_mode)
                : (got < 0 || exclusive || !S_ISREG(result->before.st_mode)) && !absent)
            return NOT_OURS;
        if (!absent && is_old_news(o, at, &result->before))
            return NOT_OURS;
        /* A link that leads nowhere is followed by O_CREAT, but not together with O_EXCL. */
        struct stat link;
        bool dangling = absent && !look && place_stat(at, &link, AT_SYMLINK_NOFOLLOW) == 0;
        int fd = (int)open_for(p, n, o, at, flags_for(o, absent && !dangling));
        if (fd == -EEXIST && absent && !exclusive)
            continue;
        if (fd < 0 && is_ours_alone(fd))
            return UNSURE;
        if (fd < 0) {
            *error = fd;
            return REFUSED;
        }
        result->fd = fd;
        result->intents = access_of(flags);
        if (is_temporary(flags))
            result->intents |= ROAR_INTENT_TMPFILE | ROAR_INTENT_CREATED;
        else if (absent)
            result->intents |= ROAR_INTENT_CREATED;
        return OPENED;
    }
    return NOT_OURS;
}

/* Look at what was opened; empty it when that was asked for. False: it is none of our business. */
static bool complete(struct process *p, const struct opening *o, const struct notice *n,
                     struct opened *result) {
    if (fstat(result->fd, &result->after) < 0 || !S_ISREG(result->after.st_mode) ||
        is_of_the_kernel(result->fd, &result->after))
        return false;
    /* O_LARGEFILE is what a 64-bit process always opens with. */
    if (n->abi == ABI_I386 && !(o->flags & 0100000) && result->after.st_size > LARGEST_SMALL)
        return false;
    bool emptied = o->flags & O_TRUNC && !(result->intents & ROAR_INTENT_CREATED);
    bool was_emptied_by_open = emptied && (o->flags & O_ACCMODE) == O_RDONLY;
    result->had_before = true;
    if (!was_emptied_by_open)
        result->before = result->after;
    if (emptied)
        result->intents |= ROAR_INTENT_TRUNCATE;
    if (!emptied || was_emptied_by_open)
        return true;
    struct roar_journal_slot *slot = slot_of(&result->before, false);
    if (slot)
        slot_hold(slot);
    /* As the caller: who is not root takes the set-user-ID bit off by it. */
    const struct standing *standing = process_standing(p, n->tid);
    if (!standing_assume(standing))
        return false;
    bool done = ftruncate(result->fd, 0) == 0;
    standing_resume(standing);
    return done && fstat(result->fd, &result->after) == 0;
}

enum numbers { NUMBERS_LEFT, NUMBERS_GONE, NUMBERS_UNKNOWN };

/*
 * Whether the caller has a number left for a descriptor. open(2) takes the number first, so a call
 * without must neither make nor empty anything. Linux 6.2 tells the count as the folder's size;
 * what is open beyond a limit that was lowered takes no number from below it.
 */
static enum numbers numbers_of(pid_t tid) {
    rlim_t limit, taken = 0;
    struct stat st;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)tid);
    if (!caller_limit(tid, RLIMIT_NOFILE, &limit) || stat(path, &st) < 0)
        return NUMBERS_UNKNOWN;
    if (st.st_size && (rlim_t)st.st_size < limit)
        return NUMBERS_LEFT;
    DIR *list = opendir(path);
    if (!list)
        return NUMBERS_UNKNOWN;
    for (struct dirent *e; taken < limit && (e = readdir(list));)
        taken += e->d_name[0] != '.' && strtoull(e->d_name, NULL, 10) < limit;
    closedir(list);
    return taken < limit ? NUMBERS_LEFT : NUMBERS_GONE;
}

/* Give the caller what was opened, and say so before it goes on. */
static void hand_over(struct notice *n, struct process *p, const struct opening *o,
                      const struct place *at, struct opened *result) {
    int there = notice_give(n, result->fd, o->flags & O_CLOEXEC);
    /* What was made or emptied is, even when its caller died meanwhile. */
    if (there >= 0 || result->intents & EMPTIED)
        report_opened(p, n->tid, result, at);
    /* Ours first: a lock, or the ban on executing what is open for writing, must not outlive the
     * caller's own closing. */
    close(result->fd);
    notice_answer(n, there);
}

/* A caller we cannot act for: let it be done, and see what there is afterwards. */
static void look_after(struct notice *n, struct process *p, const struct opening *o,
                       const struct place *at) {
    struct opened result = {.fd = -1};
    caller_is_hidden(p);
    int before = place_stat(at, &result.before, o->flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);
    bool absent = before == -ENOENT && o->flags & O_CREAT;
    if (is_temporary(o->flags) || (!absent && (before < 0 || !S_ISREG(result.before.st_mode)))) {
        notice_continue(n);
        return;
    }
    struct roar_journal_slot *slot = absent ? NULL : slot_of(&result.before, false);
    if (slot && (o->flags & O_TRUNC || (o->flags & O_ACCMODE) != O_RDONLY))
        slot_hold(slot);
    pid_t tid = n->tid;
    notice_continue(n);
    result.fd = caller_wait_for(n, p, at);
    if (result.fd < 0)
        return;
    result.had_before = !absent;
    result.intents = access_of(o->flags) | (absent ? ROAR_INTENT_CREATED : 0) |
                     (!absent && o->flags & O_TRUNC ? ROAR_INTENT_TRUNCATE : 0);
    if (fstat(result.fd, &result.after) == 0 && !is_of_the_kernel(result.fd, &result.after))
        report_opened(p, tid, &result, at);
    close(result.fd);
}

static void answer_at(struct notice *n, struct process *p, const struct opening *o,
                      struct place *at) {
    enum numbers numbers = o->flags & (O_CREAT | O_TRUNC) ? numbers_of(n->tid) : NUMBERS_LEFT;
    if (numbers == NUMBERS_GONE) {
        notice_answer(n, -EMFILE);
        return;
    }
    if (process_standing(p, n->tid)->strange || numbers == NUMBERS_UNKNOWN) {
        look_after(n, p, o, at);
        return;
    }
    struct opened result = {.fd = -1};
    int error;
    switch (try_to_open(p, n, o, at, &result, &error)) {
    case OPENED:
        if (complete(p, o, n, &result)) {
            hand_over(n, p, o, at, &result);
            return;
        }
        close(result.fd);
        break;
    case REFUSED:
        place_leave(at);
        notice_answer(n, error);
        return;
    case UNSURE:
        look_after(n, p, o, at);
        return;
    case NOT_OURS:
        break;
    }
    place_leave(at);
    notice_continue(n);
}

bool opening_is_known(const struct opening *o) {
    static const uint64_t resolves = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
                                     RESOLVE_BENEATH | RESOLVE_IN_ROOT;
    bool makes = o->flags & O_CREAT || is_temporary(o->flags);
    return !(o->flags & ~KNOWN_FLAGS) && !(o->mode & ~(uint64_t)(makes ? 07777 : 0)) &&
           !(o->resolve & ~resolves);
}

void opening_answer(struct notice *n, struct process *p, const struct opening *o) {
    char path[PATH_MAX];
    struct place at;
    uint64_t flags = o->flags;
    bool is_content = !(flags & O_PATH) && (!(flags & O_DIRECTORY) || is_temporary(flags));
    if (!is_content || !caller_path(n, p, o->path, path) ||
        !place_enter_limited(&at, p, n, o->folder, path, o->resolve)) {
        notice_continue(n);
        return;
    }
    answer_at(n, p, o, &at);
    place_leave(&at);
}

static int64_t make(struct process *p, const struct notice *n, const struct place *at,
                    mode_t mode) {
    const struct standing *standing = process_standing(p, n->tid);
    const char *name;
    int mask = process_umask(p, n->tid);
    if (mask < 0 || !standing_assume(standing))
        return -EAGAIN;
    umask((mode_t)mask);
    int folder = place_parent(at, &name);
    int64_t got = folder < 0 ? folder : mknodat(folder, name, mode, 0) < 0 ? -errno : 0;
    standing_resume(standing);
    if (folder >= 0)
        close(folder);
    return got;
}

void opening_make(struct notice *n, struct process *p, int folder, uint64_t from, mode_t mode) {
    char path[PATH_MAX];
    struct place at;
    bool is_file = !(mode & S_IFMT) || S_ISREG(mode);
    if (!is_file || process_standing(p, n->tid)->strange || !caller_path(n, p, from, path) ||
        !place_enter(&at, p, n, folder, path)) {
        notice_continue(n);
        return;
    }
    /* What fails here may fare better there, or fails the same way. */
    if (make(p, n, &at, mode) == 0) {
        struct opened made = {.intents = ROAR_INTENT_WRITE | ROAR_INTENT_CREATED};
        made.fd = place_open(&at, O_PATH | O_NOFOLLOW, 0, 0);
        if (made.fd >= 0 && fstat(made.fd, &made.after) == 0)
            report_opened(p, n->tid, &made, &at);
        if (made.fd >= 0)
            close(made.fd);
        notice_answer(n, 0);
    } else {
        notice_continue(n);
    }
    place_leave(&at);
}

void opening_report_inherited(int last) {
    pid_t pid = getpid();
    for (int fd = 0; fd <= last; fd++) {
        struct opened o = {.fd = fd};
        int flags = fstat(fd, &o.after) == 0 && S_ISREG(o.after.st_mode) ? fcntl(fd, F_GETFL) : -1;
        if (flags < 0 || flags & O_PATH || is_of_the_kernel(fd, &o.after))
            continue;
        o.before = o.after;
        o.had_before = true;
        o.intents = access_of((uint64_t)flags) | ROAR_INTENT_INHERITED;
        report_opened(NULL, pid, &o, NULL);
    }
}
