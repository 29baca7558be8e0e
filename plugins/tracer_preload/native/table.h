/* What the tree has already reported, by inode: the journal's table of slots. */
#ifndef ROAR_PRELOAD_TABLE_H
#define ROAR_PRELOAD_TABLE_H

#include <sys/stat.h>

#include "journal.h"

/* Look where the table is; once, when the journal is mapped. */
void roar_table_find(void) HIDDEN;
bool roar_has_table(void) HIDDEN;

/* The slot of an inode. NULL when there is no table, it is full, or it has none and !`create`. */
struct roar_journal_slot *roar_slot(const struct stat *st, bool create) HIDDEN;

/* The slot of a path, as a library or as a program that was started; NULL when there is none free.
 */
enum roar_path_use { ROAR_PATH_LIBRARY = 1, ROAR_PATH_PROGRAM = 2 };
struct roar_journal_slot *roar_slot_by_path(const char *path, enum roar_path_use use) HIDDEN;

/* Its number in the table, and back. */
uint32_t roar_slot_index(const struct roar_journal_slot *slot) HIDDEN;
struct roar_journal_slot *roar_slot_at(uint32_t index) HIDDEN;

uint32_t roar_stamp_of(const struct stat *st) HIDDEN;

/* Forget what was said of another file that had this inode number, or another version of this one.
 */
void roar_slot_renew(struct roar_journal_slot *slot, uint32_t stamp, uint32_t keep) HIDDEN;

/*
 * Make a writer wait until roar has the digest of what the tree read from this file; at most the
 * header's preimage_wait_ms, once per file, and only while the tree has not changed it itself.
 */
void roar_hold(struct roar_journal_slot *slot) HIDDEN;

static inline uint32_t roar_slot_state(const struct roar_journal_slot *slot) {
    return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

/* Returns the state before. A bit that is there already costs no store, hence no page fault. */
static inline uint32_t roar_slot_add(struct roar_journal_slot *slot, uint32_t bits) {
    uint32_t state = roar_slot_state(slot);
    if ((state & bits) == bits)
        return state;
    return __atomic_fetch_or(&slot->state, bits, __ATOMIC_ACQ_REL);
}

static inline uint32_t roar_slot_drop(struct roar_journal_slot *slot, uint32_t bits) {
    return __atomic_fetch_and(&slot->state, ~bits, __ATOMIC_ACQ_REL);
}

#endif
