/*
 * All that a hook may call to report: one function per kind of fact.
 *
 * Each returns after the record is complete, or has been counted as lost. None touches errno, takes
 * a lock or allocates. `st` is what the kernel said of the file, NULL when it said nothing.
 */
#ifndef ROAR_EMIT_H
#define ROAR_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "journal.h"

struct roar_text {
    const char *bytes;
    size_t length;
};

/* A record being written. `offset` 0: it is lost, and what follows is done for nothing. */
struct roar_writer {
    struct roar_record head;
    uint64_t offset;
    uint64_t at;
    char *base; /* the record in the mapping, or NULL: by pwrite on `fd` */
    int fd;
};

/*
 * Begin a record whose fingerprints and strings (with their length words) take `body` bytes; `pid`
 * is 0 for ours. Finish with commit, or with cancel: it becomes padding.
 */
bool roar_begin(struct roar_writer *w, uint16_t kind, uint64_t value, uint32_t pid,
                uint8_t fingerprints, uint8_t strings, size_t body) HIDDEN;
void roar_put(struct roar_writer *w, const void *bytes, size_t size) HIDDEN;
struct roar_fingerprint roar_fingerprint_of(const struct stat *st) HIDDEN;
void roar_put_fingerprint(struct roar_writer *w, const struct stat *st) HIDDEN;
void roar_put_text(struct roar_writer *w, struct roar_text text) HIDDEN;
void roar_commit(struct roar_writer *w) HIDDEN;

/* Commit as the report of another process: a child whose number is known only now. */
void roar_commit_for(struct roar_writer *w, uint32_t pid) HIDDEN;
void roar_cancel(struct roar_writer *w) HIDDEN;

/* A whole record of up to two fingerprints and two strings; returns its offset, 0 when lost. */
uint64_t roar_emit(uint16_t kind, uint64_t value, const struct stat *first,
                   const struct stat *second, int strings, struct roar_text a,
                   struct roar_text b) HIDDEN;

/* The same for another process than this one: a child that was just made. */
uint64_t roar_emit_for(uint32_t pid, uint16_t kind, uint64_t value) HIDDEN;

/* A hole in what we can see; `what` may be empty. */
void roar_emit_gap(enum roar_gap code, struct roar_text what) HIDDEN;

static inline struct roar_text roar_no_text(void) {
    return (struct roar_text){NULL, 0};
}

#endif
