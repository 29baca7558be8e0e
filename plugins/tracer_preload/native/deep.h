/* Folders whose path is longer than the kernel spells. */
#ifndef ROAR_PRELOAD_DEEP_H
#define ROAR_PRELOAD_DEEP_H

#include "paths.h"

#define ROAR_DEEP_SCRATCH (64u << 10)

/* Replace `p` by the path of the folder `dirfd` (AT_FDCWD: where we are); false when it fails. */
bool roar_path_climb(struct roar_path *p, int dirfd) HIDDEN;

#endif
