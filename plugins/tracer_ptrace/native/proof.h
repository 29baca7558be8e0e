/*
 * Proof that what was opened for reading was not read.
 *
 * An opening counts as read unless its process made no reading call (/proc/PID/io: syscr) until the
 * descriptor was gone. Mapping, splicing and cloning do not count there, so they end all proofs, as
 * does anything by which somebody else may come to the descriptor.
 */
#ifndef ROAR_PTRACE_PROOF_H
#define ROAR_PTRACE_PROOF_H

#include "process.h"
#include "slots.h"

/* When the question is asked: at any call, at one that shares or drops descriptors, at the end. */
enum proof_time { PROOF_AT_A_CALL, PROOF_BEFORE_SHARING, PROOF_AT_EXIT };

/* Begin for the opening reported at `open_ref`; `slot` may be NULL. */
void proof_begin(struct process *p, uint64_t open_ref, const struct stat *st,
                 struct roar_journal_slot *slot);

/* Decide what can be decided. */
void proof_settle(struct process *p, enum proof_time time);

/* All that is undecided counts as read; with `for_good`, so does all that comes. */
void proof_spoil(struct process *p, bool for_good);

#endif
