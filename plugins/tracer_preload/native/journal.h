/* This process's view of the journal: where it is, where its chunks are mapped, what state we are
 * in. */
#ifndef ROAR_PRELOAD_JOURNAL_H
#define ROAR_PRELOAD_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "roar_journal.h"

#define HIDDEN __attribute__((visibility("hidden")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum roar_phase {
    ROAR_UNBORN = 0, /* nobody has looked for the journal yet */
    ROAR_ACTIVE = 1,
    ROAR_OFF = 2,   /* no journal, or it cannot be had: every hook only passes on */
    ROAR_QUIET = 3, /* a seccomp filter is in force: no system call of ours any more */
    ROAR_IDLE = 4,  /* bidden to wait for roar_attach: until then as ROAR_OFF */
};

/*
 * ROAR_TRACE=<digit>:<path of the journal>. The digit is the sum of these; another one, with any
 * text instead of the path, leaves the program alone until it calls roar_attach (start.c).
 */
#define ROAR_FLAG_FIRST 1u /* the first program of the run: look at what it inherited */
#define ROAR_FLAG_QUIET 2u /* started under a program's own seccomp filter */
#define ROAR_FLAG_IDLE 4u  /* ROAR_TRACE=4:wait */
#define ROAR_VARIABLE "ROAR_TRACE="
#define ROAR_VARIABLE_HEAD 13u /* "ROAR_TRACE=0:" */

extern int roar_phase HIDDEN;
extern struct roar_journal_header *roar_header HIDDEN;

/* Whether hooks should observe. Starts us when a hook runs before our constructor did. */
static inline bool roar_ready(void);

/* Find ROAR_TRACE in `envp` and map the journal; returns the flags, or -1 when there is none. What
 * waits has none yet, and the flag that says so. */
int roar_journal_find(char **envp) HIDDEN;

/* Map the journal at `path`, as if a variable had named it; returns 0 or why not, by errno's
 * numbers. */
int roar_journal_take(const char *path) HIDDEN;

/* Our variable as it should stand in the environment of the next program, with `flags`' digit. */
const char *roar_journal_variable(unsigned flags) HIDDEN;

/* Where `size` bytes at file offset `offset` are mapped here, or NULL. */
char *roar_journal_at(uint64_t offset, size_t size) HIDDEN;

/* Open the journal for positioned writes of `size` bytes at `offset`: a descriptor, or negative. */
int roar_journal_open_at(uint64_t offset, size_t size) HIDDEN;

/* Reserve `size` bytes (a multiple of 8) for a record; 0 when there is no room. */
uint64_t roar_journal_reserve(uint32_t size) HIDDEN;

/* Wake roar: room runs short, or somebody waits. */
void roar_journal_ring(void) HIDDEN;

/* Count a record that could not be written. */
void roar_journal_lose(void) HIDDEN;

/* Wait on a futex word while it is `value`, until `deadline_ns` of CLOCK_MONOTONIC; false: too
 * late. */
bool roar_futex_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns) HIDDEN;

uint64_t roar_now_ns(void) HIDDEN;

/* Whether nothing is reported, and yet the next program is to find our variables. */
static inline bool roar_hands_down(void) {
    return roar_phase == ROAR_QUIET || roar_phase == ROAR_IDLE;
}

/* start.c */
bool roar_start_early(void) HIDDEN;

static inline bool roar_ready(void) {
    int phase = __atomic_load_n(&roar_phase, __ATOMIC_RELAXED);
    return LIKELY(phase == ROAR_ACTIVE) || (phase == ROAR_UNBORN && roar_start_early());
}

#endif
