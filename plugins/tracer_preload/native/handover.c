/*
 * The command line of a starter, `STARTER --journal JOURNAL -- PROGRAM ARGV…`: docs/journal.md.
 *
 * Our variables are left out of its environment, and so out of all that it starts: a program under
 * two tracers would report everything twice.
 */
#include "handover.h"

#include "journal.h"
#include "text.h"

#define WORDS_BEFORE 5 /* the starter, --journal, its value, --, the program */

static bool has_successor(void) {
    return roar_header->successor[0] == '/' &&
           !roar_header->successor[sizeof roar_header->successor - 1];
}

bool roar_is_starter(struct roar_text path) {
    return has_successor() && text_length(roar_header->successor) == path.length &&
           text_equal(roar_header->successor, path.bytes, path.length);
}

bool roar_may_hand_over(uint32_t gap) {
    switch (gap) {
    case ROAR_GAP_STATIC:
    case ROAR_GAP_FOREIGN_ABI:
    case ROAR_GAP_FOREIGN_LIBC:
    case ROAR_GAP_INTERPOSER:
    case ROAR_GAP_DIRECT_CALLS:
        return has_successor();
    default:
        return false;
    }
}

size_t roar_handover_size(char *const *argv, char *const *envp) {
    size_t words = WORDS_BEFORE + 1;
    while (argv && *argv++)
        words++;
    return words * sizeof(char *) + roar_environment_size(envp, false);
}

void roar_handover_build(struct roar_handover *h, void *room, const char *name, char *const *argv,
                         char *const *envp) {
    char **out = room;
    h->starter = roar_header->successor;
    h->argv = out;
    *out++ = (char *)h->starter;
    *out++ = (char *)"--journal";
    *out++ = (char *)roar_journal_variable(0) + ROAR_VARIABLE_HEAD;
    *out++ = (char *)"--";
    *out++ = (char *)name;
    while (argv && *argv)
        *out++ = *argv++;
    *out++ = NULL;
    h->envp = roar_environment_size(envp, false) ? roar_environment_build(out, envp, false)
                                                 : (char **)envp;
}
