/*
 * The shared table that makes a repeated open a look-up.
 *
 * Identity is always the kernel's (device, inode) taken after the open; a cache by path would be
 * faster and wrong, for another process may rename or replace the file between two opens. A full
 * table costs records, never truth: what has no slot is reported every time.
 */
#include "table.h"

#include "raw.h"

/* A power of two; 8 pages of slots, within the kernel's 16 pages of fault-around. */
#define PATH_SLOTS 1024u

/* Copied from the header at start, so that a look-up in a new process does not touch its page. */
static uint64_t slot_count;
static uint64_t table_offset;

void roar_table_find(void) {
    /* The table ends within the first chunk, or we do without. */
    uint64_t size = roar_header->table_slots * sizeof(struct roar_journal_slot);
    slot_count = roar_journal_at(roar_header->table_offset, size) ? roar_header->table_slots : 0;
    table_offset = roar_header->table_offset;
}

bool roar_has_table(void) {
    return slot_count;
}

uint64_t roar_table_low_bits(void) {
    return slot_count - 1;
}

static struct roar_journal_slot *slots(void) {
    return slot_count ? (void *)roar_journal_at(table_offset, 1) : NULL;
}

static struct roar_journal_slot *slot_by_key(uint64_t key, bool create) {
    struct roar_journal_slot *table = slots();
    return table ? roar_find_slot(table, slot_count, key, create) : NULL;
}

struct roar_journal_slot *roar_slot(const struct stat *st, bool create) {
    return slot_by_key(roar_slot_key(st->st_dev, st->st_ino), create);
}

struct roar_journal_slot *roar_slot_by_path(const char *path, enum roar_path_use use) {
    /*
     * FNV-1a, then mixed like the keys of inodes. Every program looks the same paths up at its
     * start, so their slots lie together right behind the header: no page fault of their own.
     */
    uint64_t hash = UINT64_C(0xcbf29ce484222325) + use;
    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    uint64_t key = roar_mix(hash);
    return slot_by_key((key & ~(slot_count - 1)) | (key & (PATH_SLOTS - 1)) | 1, true);
}

uint32_t roar_slot_index(const struct roar_journal_slot *slot) {
    return (uint32_t)(slot - slots());
}

struct roar_journal_slot *roar_slot_at(uint32_t index) {
    return slots() + index;
}

uint32_t roar_stamp_of(const struct stat *st) {
    return roar_stamp((uint64_t)st->st_size,
                      st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
                      st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec);
}

void roar_slot_renew(struct roar_journal_slot *slot, uint32_t stamp, uint32_t keep) {
    /* USED goes before the stamp comes: who sees the new stamp must not see the old proof. */
    roar_slot_drop(slot, ~keep);
    __atomic_store_n(&slot->preimage, ROAR_PREIMAGE_NONE, __ATOMIC_RELEASE);
    __atomic_store_n(&slot->stamp, stamp, __ATOMIC_RELEASE);
}

void roar_hold(struct roar_journal_slot *slot) {
    uint32_t wait_ms = roar_header->preimage_wait_ms;
    uint32_t state = roar_slot_state(slot);
    if (LIKELY(!(state & ROAR_SLOT_READ)) || state & (ROAR_SLOT_MADE | ROAR_SLOT_HELD) || !wait_ms)
        return;
    if (!__atomic_load_n(&roar_header->reader_alive, __ATOMIC_RELAXED) ||
        __atomic_load_n(&slot->preimage, __ATOMIC_ACQUIRE) != ROAR_PREIMAGE_NONE)
        return;
    uint64_t deadline = roar_now_ns() + wait_ms * UINT64_C(1000000);
    roar_journal_ring();
    while (__atomic_load_n(&slot->preimage, __ATOMIC_ACQUIRE) == ROAR_PREIMAGE_NONE &&
           __atomic_load_n(&roar_header->reader_alive, __ATOMIC_RELAXED)) {
        if (!roar_futex_wait(&slot->preimage, ROAR_PREIMAGE_NONE, deadline))
            break;
    }
    roar_slot_add(slot, ROAR_SLOT_HELD);
}
