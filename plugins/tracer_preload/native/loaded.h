/* The libraries of this process. */
#ifndef ROAR_PRELOAD_LOADED_H
#define ROAR_PRELOAD_LOADED_H

#include "journal.h"

/* Report what is loaded and has not been reported; cheap when nothing was loaded since. */
void roar_report_loaded(void) HIDDEN;

/* Count what is loaded by now as reported. */
void roar_pass_over_loaded(void) HIDDEN;

/* Learn what the loader calls our own library; without a system call. */
void roar_find_library(void) HIDDEN;

/* Whether it comes before libc, and so is called by programs at all. */
bool roar_is_preloaded(void) HIDDEN;

/* That name; NULL before. */
const char *roar_library(void) HIDDEN;

/* For trampolines.S: look at what is about to be loaded, and say where the real function is. */
void *roar_route_dlopen(const char *path, int flags) HIDDEN;
void *roar_route_dlmopen(long space, const char *path, int flags) HIDDEN;

#endif
