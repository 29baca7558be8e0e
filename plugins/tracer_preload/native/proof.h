/*
 * The proof that a file opened for reading was not read.
 *
 * "Used" is the default. An entry per descriptor says "this OPEN, and nothing has happened to it
 * that could read without moving its offset"; such a descriptor closed at offset 0 was not read.
 * Whatever could spoil that (dup, fork, passing on, lseek, pread, mmap, stdio …) drops the entry.
 */
#ifndef ROAR_PRELOAD_PROOF_H
#define ROAR_PRELOAD_PROOF_H

#include <stdint.h>

#include "table.h"

#define ROAR_PROOF_FDS 1024

extern uint64_t roar_proofs[ROAR_PROOF_FDS] HIDDEN;

/* Entries lie below it only. Looked at first, so that the table's pages mostly stay untouched. */
extern int roar_proof_limit HIDDEN;

/* Set in a vfork child, whose descriptors are its own while its memory is its parent's. */
extern __thread int roar_in_vfork HIDDEN;

/* Watch `fd`, opened as record `open_ref`; without a chance of proof, the file is used at once. */
void roar_proof_begin(int fd, const struct stat *st, struct roar_journal_slot *slot,
                      uint64_t open_ref) HIDDEN;

static inline bool roar_proof_watches(int fd) {
    return fd >= 0 && fd < __atomic_load_n(&roar_proof_limit, __ATOMIC_RELAXED) &&
           UNLIKELY(__atomic_load_n(&roar_proofs[fd], __ATOMIC_RELAXED));
}

/* The descriptor may be read in ways we do not follow: drop the entry, mark the file used. */
void roar_proof_spoil_entry(int fd) HIDDEN;

static inline void roar_proof_spoil(int fd) {
    if (roar_proof_watches(fd))
        roar_proof_spoil_entry(fd);
}

/* The same for a range of descriptors, both ends included. */
void roar_proof_spoil_range(unsigned first, unsigned last) HIDDEN;

/* Spoil all, and from now on: this process reads in ways we cannot follow at all. */
void roar_proof_never(void) HIDDEN;

/* About to close `fd`: returns the OPEN proven unread, or 0. Say it after the close succeeded. */
uint64_t roar_proof_before_close(int fd) HIDDEN;

#endif
