/* Handing a program that we cannot enter to the tracer that can: the journal names its starter. */
#ifndef ROAR_PRELOAD_HANDOVER_H
#define ROAR_PRELOAD_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "environment.h"
#include "programs.h"

/* What to execute instead: the starter, told the journal and the program; our variables left out.
 */
struct roar_handover {
    const char *starter;
    char **argv;
    char **envp;
};

/* Whether a program with this gap is one that the run's other tracer can go on with. */
bool roar_may_hand_over(uint32_t gap) HIDDEN;

/* Whether the program at this path is that tracer's starter: a run inside ours begins with it. */
bool roar_is_starter(struct roar_text path) HIDDEN;

/* Bytes needed to hand a program over. */
size_t roar_handover_size(char *const *argv, char *const *envp) HIDDEN;

/* Build it in `room`, of that many bytes, 8-aligned; `name` is the program, as the kernel is to be
 * asked for it. */
void roar_handover_build(struct roar_handover *h, void *room, const char *name, char *const *argv,
                         char *const *envp) HIDDEN;

/* Prepare `h`, living as long as the calling function; false when there is no memory for it. End
 * with roar_scratch_unmap. */
#define ROAR_HANDOVER(h, name, argv, envp)                                                         \
    ({                                                                                             \
        size_t size_ = roar_handover_size(argv, envp);                                             \
        void *place_ =                                                                             \
            size_ <= ROAR_STACK_ROOM ? __builtin_alloca(size_) : roar_scratch_map(size_);          \
        if (place_)                                                                                \
            roar_handover_build(h, place_, name, argv, envp);                                      \
        place_ != NULL;                                                                            \
    })

#endif
