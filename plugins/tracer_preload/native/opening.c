/*
 * Judging one successful open: is it news?
 *
 * The steady state is fstat(2) and a look-up: an inode whose reading (or writing) has been reported
 * in this version is silent. Everything else becomes one OPEN record. What the file was before is
 * asked only when the call itself can change it (O_CREAT, O_TRUNC); otherwise it is what fstat says
 * after.
 */
#include "opening.h"

#include "loaded.h"
#include "paths.h"
#include "proof.h"
#include "raw.h"
#include "table.h"
#include "text.h"

#define SPECIAL_DEVICES 4

/* Devices of procfs and sysfs as met; their files are regular, endless and no artifacts. */
static uint64_t special[SPECIAL_DEVICES];

static bool is_special(uint64_t dev) {
    for (int i = 0; i < SPECIAL_DEVICES && special[i]; i++)
        if (special[i] == dev)
            return true;
    return false;
}

static void remember_special(uint64_t dev) {
    for (int i = 0; i < SPECIAL_DEVICES; i++) {
        uint64_t none = 0;
        if (__atomic_compare_exchange_n(&special[i], &none, dev, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED) ||
            none == dev)
            return;
    }
}

bool roar_path_is_special(const char *text, size_t length) {
    return (length > 6 && text_equal(text, "/proc/", 6)) ||
           (length > 5 && text_equal(text, "/sys/", 5)) ||
           (length > 7 && text_equal(text, "/memfd:", 7));
}

void roar_look_before(struct roar_opening *o) {
    if (!(o->flags & (O_CREAT | O_TRUNC)) || (o->flags & O_TMPFILE) == O_TMPFILE)
        return;
    if ((o->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        o->asked = o->absent = true;
        return;
    }
    int got =
        raw_stat(o->dirfd, o->path, &o->before, o->flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);
    o->asked = got == 0 || got == -2 /* ENOENT */;
    o->absent = got == -2;
    if (got == 0 && o->flags & O_TRUNC && S_ISREG(o->before.st_mode)) {
        struct roar_journal_slot *slot = roar_slot(&o->before, false);
        if (slot)
            roar_hold(slot);
    }
}

/* Debuggers read the symbols of all that is loaded; ours is there only because we are. */
static bool is_our_library(const struct roar_path *path) {
    const char *library = roar_library();
    return library && text_length(library) == path->length &&
           text_equal(path->text, library, path->length);
}

static uint64_t emit_open(const struct roar_opening *o, int fd, uint32_t intents,
                          const struct stat *after, const struct stat *before) {
    struct roar_path path;
    uint64_t offset = 0;
    roar_path_begin(&path);
    if (!roar_path_of_fd(&path, fd)) {
        /* A memory file's link is no path either. */
        if (path.length && path.text[0] != '/')
            goto out;
        path.length = 0;
        if (o->path)
            roar_path_absolute(&path, o->dirfd, o->path);
        path.textual = true;
    }
    if (roar_path_is_special(path.text, path.length)) {
        if (path.text[1] != 'm')
            remember_special(after->st_dev);
        goto out;
    }
    if (is_our_library(&path))
        goto out;
    if (path.textual)
        intents |= ROAR_INTENT_TEXTUAL;
    if (path.cut)
        roar_emit_gap(ROAR_GAP_CUT, (struct roar_text){path.text, 256});
    offset = roar_emit(ROAR_OPEN, intents, after, before, 1, roar_path_text(&path), roar_no_text());
out:
    roar_path_end(&path);
    return offset;
}

static uint32_t intents_of(const struct roar_opening *o) {
    static const uint32_t access[4] = {ROAR_INTENT_READ, ROAR_INTENT_WRITE,
                                       ROAR_INTENT_READ | ROAR_INTENT_WRITE, 0};
    uint32_t intents = access[o->flags & O_ACCMODE] | o->intents;
    if (o->flags & O_APPEND)
        intents |= ROAR_INTENT_APPEND;
    if ((o->flags & O_TMPFILE) == O_TMPFILE)
        intents |= ROAR_INTENT_TMPFILE | ROAR_INTENT_CREATED;
    else if (o->asked && o->absent)
        intents |= ROAR_INTENT_CREATED;
    else if (o->flags & O_TRUNC && !(o->intents & ROAR_INTENT_INHERITED))
        intents |= ROAR_INTENT_TRUNCATE;
    return intents;
}

#define CHANGES (ROAR_INTENT_WRITE | ROAR_INTENT_TRUNCATE | ROAR_INTENT_CREATED)
#define EMPTIED (ROAR_INTENT_TRUNCATE | ROAR_INTENT_CREATED)

/* The reading (and writing) of a file that was there and keeps its content for now. */
static void opened_whole(struct roar_opening *o, int fd, const struct stat *st, uint32_t intents,
                         struct roar_journal_slot *slot) {
    uint32_t state = slot ? roar_slot_state(slot) : 0;
    uint32_t stamp = roar_stamp_of(st);
    bool read = intents & ROAR_INTENT_READ;
    bool write = intents & CHANGES;
    bool known = slot && __atomic_load_n(&slot->stamp, __ATOMIC_ACQUIRE) == stamp;
    bool read_news = read && !(known && (state & (ROAR_SLOT_READ | ROAR_SLOT_USED)) ==
                                            (ROAR_SLOT_READ | ROAR_SLOT_USED));
    bool write_news = write && !(state & ROAR_SLOT_WRITE);
    if (LIKELY(!read_news && !write_news))
        return;
    if (read_news && slot && !known)
        roar_slot_renew(slot, stamp, ~(ROAR_SLOT_READ | ROAR_SLOT_USED | ROAR_SLOT_HELD));
    uint64_t open_ref = emit_open(o, fd, intents, st, write ? st : NULL);
    if (!open_ref)
        return;
    if (read && slot) {
        __atomic_store_n(&slot->open_ref, open_ref, __ATOMIC_RELEASE);
        roar_slot_add(slot, ROAR_SLOT_READ);
    }
    if (read)
        roar_proof_begin(o->streamed ? -1 : fd, st, slot, open_ref);
    if (write && slot) {
        /* Before the program's first write, not before its open: the OPEN tells roar what to hash.
         */
        roar_hold(slot);
        roar_slot_add(slot, ROAR_SLOT_WRITE);
    }
}

/* A file that this open made, or whose content it took away. */
static void opened_empty(struct roar_opening *o, int fd, const struct stat *st, uint32_t intents,
                         struct roar_journal_slot *slot) {
    bool created = intents & ROAR_INTENT_CREATED;
    const struct stat *before = !created && o->asked && !o->absent ? &o->before : NULL;
    bool same = slot && roar_slot_state(slot) & ROAR_SLOT_WRITE;
    if (same && before && before->st_size == 0)
        return;
    if (!emit_open(o, fd, intents, st, before) || !slot)
        return;
    /* A new file has nothing to do with the one whose inode number it got. */
    roar_slot_renew(slot, roar_stamp_of(st), created ? 0 : ~(ROAR_SLOT_READ | ROAR_SLOT_USED));
    roar_slot_add(slot, ROAR_SLOT_WRITE | ROAR_SLOT_MADE);
}

void roar_opened(struct roar_opening *o, int fd) {
    struct stat st;
    if (o->flags & O_PATH || raw_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        is_special(st.st_dev))
        return;
    uint32_t intents = intents_of(o);
    struct roar_journal_slot *slot = roar_slot(&st, true);
    if (UNLIKELY(intents & EMPTIED))
        opened_empty(o, fd, &st, intents, slot);
    else
        opened_whole(o, fd, &st, intents, slot);
}

void roar_opened_code(int dirfd, const char *path) {
    struct stat st;
    if (raw_stat(dirfd, path, &st, 0) < 0 || !S_ISREG(st.st_mode))
        return;
    struct roar_journal_slot *slot = roar_slot(&st, true);
    uint32_t stamp = roar_stamp_of(&st);
    if (slot && roar_slot_state(slot) & ROAR_SLOT_CODE && slot->stamp == stamp)
        return;
    struct roar_path name;
    roar_path_begin(&name);
    roar_path_of_file(&name, dirfd, path);
    uint32_t intents = ROAR_INTENT_READ | ROAR_INTENT_CODE;
    if (name.textual)
        intents |= ROAR_INTENT_TEXTUAL;
    uint64_t open_ref =
        roar_emit(ROAR_OPEN, intents, &st, NULL, 1, roar_path_text(&name), roar_no_text());
    roar_path_end(&name);
    if (!slot || !open_ref)
        return;
    if (slot->stamp != stamp)
        roar_slot_renew(slot, stamp, ~(ROAR_SLOT_READ | ROAR_SLOT_USED | ROAR_SLOT_HELD));
    __atomic_store_n(&slot->open_ref, open_ref, __ATOMIC_RELEASE);
    roar_slot_add(slot, ROAR_SLOT_READ | ROAR_SLOT_USED | ROAR_SLOT_CODE);
}
