/*
 * Entries are one word each: half the offset of the OPEN record (a multiple of 8), half the number
 * of the table slot plus one, or without a table half of what would be the slot's key. They are
 * taken by exchange, so that threads may open and close at will.
 */
#include "proof.h"

#include <stdio.h>

#include "emit.h"
#include "raw.h"

uint64_t roar_proofs[ROAR_PROOF_FDS];
int roar_proof_limit;
__thread int roar_in_vfork;

static bool never;

static struct roar_journal_slot *entry_slot(uint64_t entry) {
    uint32_t number = (uint32_t)entry;
    return number && roar_has_table() ? roar_slot_at(number - 1) : NULL;
}

static uint64_t entry_open(uint64_t entry) {
    return (entry >> 32) << 3;
}

static uint64_t take(int fd) {
    return __atomic_exchange_n(&roar_proofs[fd], 0, __ATOMIC_ACQ_REL);
}

static void mark_used(struct roar_journal_slot *slot, uint64_t open_ref) {
    /* The slot's USED belongs to its newest OPEN; an older one is used by default, as it stands. */
    if (slot && __atomic_load_n(&slot->open_ref, __ATOMIC_ACQUIRE) == open_ref)
        roar_slot_add(slot, ROAR_SLOT_USED);
}

/* Whether an entry is still about the file that `st` describes. */
static bool is_about(uint64_t entry, const struct stat *st) {
    uint64_t key = roar_slot_key(st->st_dev, st->st_ino);
    struct roar_journal_slot *slot = entry_slot(entry);
    return slot ? slot->key == key : !roar_has_table() && (uint32_t)entry == (uint32_t)key;
}

void roar_proof_begin(int fd, const struct stat *st, struct roar_journal_slot *slot,
                      uint64_t open_ref) {
    if ((unsigned)fd >= ROAR_PROOF_FDS || never || roar_in_vfork || !open_ref) {
        mark_used(slot, open_ref);
        return;
    }
    int limit = __atomic_load_n(&roar_proof_limit, __ATOMIC_RELAXED);
    while (limit <= fd && !__atomic_compare_exchange_n(&roar_proof_limit, &limit, fd + 1, true,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    uint64_t number = slot               ? (uint64_t)roar_slot_index(slot) + 1
                      : roar_has_table() ? 0
                                         : (uint32_t)roar_slot_key(st->st_dev, st->st_ino);
    __atomic_store_n(&roar_proofs[fd], (open_ref >> 3) << 32 | number, __ATOMIC_RELEASE);
}

void roar_proof_spoil_entry(int fd) {
    uint64_t entry = take(fd);
    if (entry)
        mark_used(entry_slot(entry), entry_open(entry));
}

void roar_proof_spoil_range(unsigned first, unsigned last) {
    unsigned limit = (unsigned)__atomic_load_n(&roar_proof_limit, __ATOMIC_RELAXED);
    for (unsigned fd = first; fd < limit && fd <= last; fd++)
        roar_proof_spoil((int)fd);
}

void roar_proof_never(void) {
    never = true;
    roar_proof_spoil_range(0, ROAR_PROOF_FDS);
}

uint64_t roar_proof_before_close(int fd) {
    uint64_t entry = take(fd);
    if (!entry)
        return 0;
    struct roar_journal_slot *slot = entry_slot(entry);
    uint64_t open_ref = entry_open(entry);
    struct stat st;
    /*
     * In a vfork child this closes a copy, and the parent's may still be read. An entry about
     * another file: the descriptor was closed behind our back, and its number was given again.
     */
    bool unread = !roar_in_vfork && RAW3(SYS_lseek, fd, 0, SEEK_CUR) == 0 &&
                  raw_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
                  is_about(entry, &st);
    if (!unread) {
        mark_used(slot, open_ref);
        return 0;
    }
    if (slot && __atomic_load_n(&slot->open_ref, __ATOMIC_ACQUIRE) == open_ref)
        roar_slot_drop(slot, ROAR_SLOT_READ);
    return open_ref;
}
