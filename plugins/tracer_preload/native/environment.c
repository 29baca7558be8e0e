/*
 * Restoring our variables at every exec, for `env -i`, programs that clear LD_PRELOAD, and programs
 * that set their own. The user's libraries come first and ours last, so that theirs see the
 * program's calls and ours see what really happens. An environment that names another journal
 * belongs to a roar inside this run and is left alone; so is one that bids the program wait for its
 * own, but for what a program that has waited hands down of it.
 */
#include "environment.h"

#include "loaded.h"
#include "processes.h"
#include "raw.h"
#include "start.h"
#include "text.h"

#define PRELOAD "LD_PRELOAD="
#define PRELOAD_LENGTH (sizeof PRELOAD - 1)

struct survey {
    size_t count;
    const char *preload; /* the last one: the one that ld.so heeds */
    const char *trace;
    bool foreign; /* another roar's */
};

static unsigned flags_for_next(void) {
    return roar_phase == ROAR_QUIET  ? ROAR_FLAG_QUIET
           : roar_phase == ROAR_IDLE ? ROAR_FLAG_IDLE
                                     : 0;
}

static bool same_text(const char *a, const char *b) {
    return text_equal(a, b, text_length(b) + 1);
}

/* Whether a program with this variable waits to be attached, as this one may have. */
static bool waits(const char *trace) {
    return trace[ROAR_VARIABLE_HEAD - 2] == '0' + ROAR_FLAG_IDLE;
}

static struct survey survey(char *const *envp) {
    struct survey found = {0, NULL, NULL, false};
    const char *ours = roar_journal_variable(flags_for_next());
    for (; envp && envp[found.count]; found.count++) {
        const char *entry = envp[found.count];
        if (entry[0] == 'L' && text_starts(entry, PRELOAD))
            found.preload = entry;
        else if (entry[0] == 'R' && text_starts(entry, ROAR_VARIABLE))
            found.trace = entry;
    }
    if (found.trace && text_length(found.trace) > ROAR_VARIABLE_HEAD &&
        !(roar_attached && waits(found.trace)))
        found.foreign = !same_text(found.trace + ROAR_VARIABLE_HEAD, ours + ROAR_VARIABLE_HEAD);
    return found;
}

static bool separates(char c) {
    return c == ':' || c == ' ';
}

/* Where our library stands in a list of LD_PRELOAD, or NULL. */
static const char *our_place(const char *list, const char *library) {
    size_t length = text_length(library);
    for (const char *at = list; *at;) {
        const char *end = at;
        while (*end && !separates(*end))
            end++;
        if ((size_t)(end - at) == length && text_equal(at, library, length))
            return at;
        at = *end ? end + 1 : end;
    }
    return NULL;
}

size_t roar_environment_size(char *const *envp, bool observed) {
    const char *library = roar_library();
    if (!library)
        return 0;
    struct survey found = survey(envp);
    /* Who waits hands down no more than the place in LD_PRELOAD that was taken away. */
    if (found.foreign || (roar_phase == ROAR_IDLE && !found.trace))
        return 0;
    const char *place = found.preload ? our_place(found.preload + PRELOAD_LENGTH, library) : NULL;
    bool right = observed ? place && found.trace &&
                                same_text(found.trace, roar_journal_variable(flags_for_next()))
                          : !place && !found.trace;
    if (right)
        return 0;
    size_t text = PRELOAD_LENGTH + text_length(library) + 2;
    if (found.preload)
        text += text_length(found.preload);
    return ((found.count + 3) * sizeof(char *) + text + 7) & ~(size_t)7;
}

bool roar_environment_has_us(char *const *envp, char *const *passed) {
    return passed != envp || roar_environment_size(envp, false) > 0;
}

bool roar_environment_waits(char *const *envp) {
    struct survey found = survey(envp);
    return found.foreign && waits(found.trace);
}

/* Write the list of preloads, with or without us; NULL when nothing would be in it. */
static char *write_preload(char *to, const char *old, bool observed) {
    const char *library = roar_library();
    size_t length = text_length(library);
    const char *list = old ? old + PRELOAD_LENGTH : "";
    const char *place = our_place(list, library);
    char *start = to;
    text_copy(to, PRELOAD, PRELOAD_LENGTH);
    to += PRELOAD_LENGTH;
    if (place && !observed) {
        size_t before = (size_t)(place - list);
        const char *after = place + length;
        /* One separator goes with it. */
        if (*after)
            after++;
        else if (before)
            before--;
        text_copy(to, list, before);
        text_copy(to + before, after, text_length(after) + 1);
        return to[0] ? start : NULL;
    }
    size_t kept = text_length(list);
    text_copy(to, list, kept);
    to += kept;
    if (observed && !place) {
        if (kept)
            *to++ = ':';
        text_copy(to, library, length);
        to += length;
    }
    *to = 0;
    return start;
}

char **roar_environment_build(void *room, char *const *envp, bool observed) {
    struct survey found = survey(envp);
    char **out = room;
    char *text = (char *)(out + found.count + 3);
    size_t used = 0;
    for (size_t i = 0; i < found.count; i++)
        if (envp[i] != found.preload && envp[i] != found.trace)
            out[used++] = envp[i];
    if (observed || found.preload) {
        char *preload = write_preload(text, found.preload, observed);
        if (preload)
            out[used++] = preload;
    }
    if (observed)
        out[used++] = (char *)roar_journal_variable(flags_for_next());
    out[used] = NULL;
    return out;
}

void *roar_scratch_map(size_t size) {
    if (roar_phase != ROAR_ACTIVE || roar_scratch.base)
        return NULL;
    void *base = raw_map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    roar_scratch.base = base;
    roar_scratch.size = size;
    return base;
}

void roar_scratch_unmap(void) {
    if (!roar_scratch.base)
        return;
    raw_unmap(roar_scratch.base, roar_scratch.size);
    roar_scratch.base = NULL;
}
