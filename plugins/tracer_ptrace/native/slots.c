#include "slots.h"

struct roar_journal_slot *slot_of(const struct stat *st, bool create) {
    uint64_t count = journal_header->table_slots;
    if (!count)
        return NULL;
    struct roar_journal_slot *table =
        (void *)journal_at(journal_header->table_offset, count * sizeof *table);
    return table ? roar_find_slot(table, count, roar_slot_key(st->st_dev, st->st_ino), create)
                 : NULL;
}

uint32_t slot_state(const struct roar_journal_slot *slot) {
    return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

void slot_add(struct roar_journal_slot *slot, uint32_t bits) {
    __atomic_fetch_or(&slot->state, bits, __ATOMIC_ACQ_REL);
}

void slot_drop(struct roar_journal_slot *slot, uint32_t bits) {
    __atomic_fetch_and(&slot->state, ~bits, __ATOMIC_ACQ_REL);
}

static uint32_t stamp_of(const struct stat *st) {
    return roar_stamp((uint64_t)st->st_size,
                      st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
                      st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec);
}

bool slot_is_current(const struct roar_journal_slot *slot, const struct stat *st) {
    return __atomic_load_n(&slot->stamp, __ATOMIC_ACQUIRE) == stamp_of(st);
}

void slot_renew(struct roar_journal_slot *slot, const struct stat *st, uint32_t keep) {
    /* The old proof goes before the new stamp comes: nobody may see both. */
    slot_drop(slot, ~keep);
    __atomic_store_n(&slot->preimage, ROAR_PREIMAGE_NONE, __ATOMIC_RELEASE);
    __atomic_store_n(&slot->stamp, stamp_of(st), __ATOMIC_RELEASE);
}

uint64_t slot_open(const struct roar_journal_slot *slot) {
    return __atomic_load_n(&slot->open_ref, __ATOMIC_ACQUIRE);
}

void slot_opened(struct roar_journal_slot *slot, uint64_t open_ref) {
    __atomic_store_n(&slot->open_ref, open_ref, __ATOMIC_RELEASE);
}

void slot_hold(struct roar_journal_slot *slot) {
    uint32_t state = slot_state(slot), wait_ms = journal_header->preimage_wait_ms;
    if (!(state & ROAR_SLOT_READ) || state & (ROAR_SLOT_MADE | ROAR_SLOT_HELD) || !wait_ms)
        return;
    uint64_t deadline = now_ns() + wait_ms * UINT64_C(1000000);
    bool rung = false;
    while (__atomic_load_n(&slot->preimage, __ATOMIC_ACQUIRE) == ROAR_PREIMAGE_NONE &&
           __atomic_load_n(&journal_header->reader_alive, __ATOMIC_RELAXED)) {
        if (!rung)
            journal_ring();
        rung = true;
        if (!journal_wait(&slot->preimage, ROAR_PREIMAGE_NONE, deadline))
            break;
    }
    slot_add(slot, ROAR_SLOT_HELD);
}
