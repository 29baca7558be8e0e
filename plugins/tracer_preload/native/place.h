/* Where the process is, and what has become impossible for us there. */
#ifndef ROAR_PRELOAD_PLACE_H
#define ROAR_PRELOAD_PLACE_H

#include "emit.h"

/* Set when this process may stand under another root, where our library may not be found. */
extern bool roar_root_changed HIDDEN;

/* After chroot(2): what we call a path is another file's to everybody else. */
extern bool roar_in_another_root HIDDEN;

/* After a successful change of the working directory. */
void roar_cwd_changed(void) HIDDEN;

/* After a successful change of the root, or of the namespace it lies in. */
void roar_root_changes(void) HIDDEN;

/*
 * A seccomp filter is about to be installed: from then on a call of ours may kill the program. The
 * record is prepared before, since no call can be made after, and takes effect when it succeeded.
 */
void roar_before_seccomp(struct roar_writer *w) HIDDEN;
void roar_after_seccomp(struct roar_writer *w, bool succeeded) HIDDEN;

#endif
