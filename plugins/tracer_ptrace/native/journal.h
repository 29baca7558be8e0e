/* The journal as this process writes it: docs/journal.md. Any thread may report at any time. */
#ifndef ROAR_PTRACE_JOURNAL_H
#define ROAR_PTRACE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "roar_journal.h"

struct text {
    const char *bytes;
    size_t length;
};

/* One record. `pid` and `tid` are the reported process's; NULL and 0 stand for nothing. */
struct report {
    enum roar_kind kind;
    uint64_t value;
    pid_t pid, tid;
    const struct stat *first, *second;
    int strings;
    struct text text[2];
};

/* The header of the journal that `journal_open` mapped; NULL before. */
extern struct roar_journal_header *journal_header;

/* Map the journal at `path`; false, with errno, when it is none of ours or cannot be had. */
bool journal_open(const char *path);

/* Write one record; its offset, or 0 when there was no room and it is counted as lost. */
uint64_t journal_report(const struct report *report);

/* A hole in what can be seen. */
void journal_gap(enum roar_gap code, pid_t pid, const char *what);

/* Wake roar: room runs short, or somebody waits for a digest. */
void journal_ring(void);

/* `size` bytes at file offset `offset`, mapped; NULL when they cannot be. */
char *journal_at(uint64_t offset, size_t size);

/* Sleep while `*word` is `value`, until `deadline_ns` of CLOCK_MONOTONIC; false: too late. */
bool journal_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns);

uint64_t now_ns(void);

#endif
