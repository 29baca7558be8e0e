/* What has been reported of each file, by inode: the journal's table of slots. */
#ifndef ROAR_PTRACE_SLOTS_H
#define ROAR_PTRACE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "journal.h"

/* The slot of an inode. NULL when the table is full or absent, or it has none and !`create`. */
struct roar_journal_slot *slot_of(const struct stat *st, bool create);

uint32_t slot_state(const struct roar_journal_slot *slot);
void slot_add(struct roar_journal_slot *slot, uint32_t bits);
void slot_drop(struct roar_journal_slot *slot, uint32_t bits);

/* Whether the slot speaks of this version of the file. */
bool slot_is_current(const struct roar_journal_slot *slot, const struct stat *st);

/* Another version, or another file with this inode number: keep only the bits in `keep`. */
void slot_renew(struct roar_journal_slot *slot, const struct stat *st, uint32_t keep);

/* The newest OPEN of it. */
uint64_t slot_open(const struct roar_journal_slot *slot);
void slot_opened(struct roar_journal_slot *slot, uint64_t open_ref);

/*
 * Wait until roar has the digest of what the tree read from this file: at most the header's
 * preimage_wait_ms, once per file, and only while the tree has not changed it itself. The caller
 * that is about to change it waits for us meanwhile.
 */
void slot_hold(struct roar_journal_slot *slot);

#endif
