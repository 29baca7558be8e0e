/* Looking at a program before it is executed: can we be in it? */
#ifndef ROAR_PRELOAD_PROGRAMS_H
#define ROAR_PRELOAD_PROGRAMS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "emit.h"
#include "paths.h"

/*
 * A program about to be executed. `gap` is 0 when our library can enter it, else enum roar_gap.
 * `handed_over`: another tracer can, and its starter is to be executed instead (handover.h).
 */
struct roar_program {
    struct roar_path path;
    struct stat st;
    bool found;
    uint32_t gap;
    bool observed; /* pass our variables on */
    bool handed_over;
    bool searched; /* along PATH: then `path` is terminated */
};

/*
 * Find `path` (or, when `search`, the command in PATH), look at it once per run, and report what
 * cannot be seen into. End with roar_path_end(&p->path).
 */
void roar_look_at_program(struct roar_program *p, int dirfd, const char *path, bool search) HIDDEN;

/* Report that no tracer is in it: it cannot be handed over, or could not be after all. */
void roar_nobody_sees(struct roar_program *p) HIDDEN;

/* The name to hand it over by: the caller's own `asked`, or where the search along PATH found it.
 */
static inline const char *roar_program_name(const struct roar_program *p, const char *asked) {
    return p->searched ? p->path.text : asked;
}

/* Prepare the record that it is about to be executed; commit says so. */
void roar_begin_exec(struct roar_writer *w, const struct roar_program *p, char *const *argv) HIDDEN;

/* elf.c: the verdict on the ELF file or script open as `fd`. */
uint32_t roar_inspect_file(int fd, int depth) HIDDEN;

#endif
