/* The beginning and the ordinary end of a program. */
#ifndef ROAR_PRELOAD_START_H
#define ROAR_PRELOAD_START_H

#include "journal.h"

/* The process in which this program started, and as whom: children made by fork differ. */
extern uint32_t roar_started_pid HIDDEN;
extern uint32_t roar_started_as HIDDEN;

/* Whether the program asked to be observed itself, by roar_attach. */
extern bool roar_attached HIDDEN;

#endif
