/*
 * Programs we cannot be in are found before they run, once per program and run: the verdict is kept
 * in the `reserved` word of the file's slot. To some of them our variables would do harm (ld.so
 * complains on stderr about a library of another word size; a sanitizer insists on being first), so
 * those get an environment without them.
 */
#include "programs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "handover.h"
#include "loaded.h"
#include "opening.h"
#include "place.h"
#include "raw.h"
#include "start.h"
#include "table.h"
#include "text.h"

#define ARGUMENTS_MAX (64u << 10)

/* execvp(3): the first file along PATH that may be executed. */
static void search_path(struct roar_program *p, const char *command) {
    const char *list = getenv("PATH");
    size_t length = text_length(command);
    if (!list)
        list = "/bin:/usr/bin";
    for (const char *at = list;; at++) {
        const char *end = at;
        while (*end && *end != ':')
            end++;
        p->path.length = 0;
        if (end == at)
            roar_path_absolute(&p->path, AT_FDCWD, "");
        else if (*at != '/') {
            roar_path_absolute(&p->path, AT_FDCWD, "");
            roar_path_add(&p->path, "/", 1);
        }
        roar_path_add(&p->path, at, (size_t)(end - at));
        if (p->path.length && p->path.text[p->path.length - 1] != '/')
            roar_path_add(&p->path, "/", 1);
        roar_path_add(&p->path, command, length);
        roar_path_add(&p->path, "", 1);
        p->path.length--;
        p->found = raw_stat(AT_FDCWD, p->path.text, &p->st, 0) == 0 && S_ISREG(p->st.st_mode) &&
                   p->st.st_mode & 0111;
        if (p->found || !*end)
            return;
        at = end;
    }
}

/* Does executing it change who we are? Then ld.so ignores preloads (AT_SECURE). */
static bool is_privileged(const struct roar_program *p, int fd) {
    unsigned uid = (unsigned)RAW3(SYS_getuid, 0, 0, 0);
    unsigned gid = (unsigned)RAW3(SYS_getgid, 0, 0, 0);
    char capabilities[32];
    bool gains =
        (p->st.st_mode & S_ISUID && p->st.st_uid != uid) ||
        ((p->st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && p->st.st_gid != gid) ||
        (uid != 0 && fd >= 0 &&
         RAW4(SYS_fgetxattr, fd, "security.capability", capabilities, sizeof capabilities) > 0);
    return gains && raw6(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0, 0) != 1;
}

static uint32_t inspect(const struct roar_program *p, int dirfd, const char *path) {
    int fd = path[0] ? raw_open(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : dirfd;
    uint32_t gap = is_privileged(p, fd) ? ROAR_GAP_PRIVILEGED : 0;
    /* A program may be executable and not readable; its absent START will tell. */
    if (!gap && fd >= 0)
        gap = roar_inspect_file(fd, 0);
    if (path[0] && fd >= 0)
        raw_close(fd);
    return gap;
}

/* Only then does a starter in its place fail when it would have failed; by name, for the starter is
 * told a name. */
static bool is_executable(int dirfd, const char *path) {
    return path[0] && (dirfd == AT_FDCWD || path[0] == '/') &&
           RAW3(SYS_faccessat, AT_FDCWD, path, X_OK) == 0;
}

static bool can_open(const char *path, int flags) {
    int fd = raw_open(AT_FDCWD, path, flags | O_CLOEXEC);
    if (fd >= 0)
        raw_close(fd);
    return fd >= 0;
}

/* After a change of user or root another program may find neither our library nor the journal. */
static bool is_elsewhere(void) {
    return (uint32_t)RAW3(SYS_geteuid, 0, 0, 0) != roar_started_as || roar_root_changed;
}

static void check_reach(struct roar_program *p) {
    if (LIKELY(!is_elsewhere()))
        return;
    const char *journal = roar_journal_variable(0) + ROAR_VARIABLE_HEAD;
    p->observed = p->observed && roar_library() && can_open(roar_library(), O_RDONLY);
    if (!p->observed || !can_open(journal, O_RDWR))
        roar_emit_gap(roar_root_changed ? ROAR_GAP_CHROOT : ROAR_GAP_OTHER_USER,
                      roar_path_text(&p->path));
}

/* Why we cannot be in it: asked of the file once per run. `first` says that this was the time. */
static uint32_t gap_of(const struct roar_program *p, int dirfd, const char *path, bool *first) {
    struct roar_journal_slot *slot = roar_slot(&p->st, true);
    *first = !slot || !(roar_slot_state(slot) & ROAR_SLOT_PROGRAM);
    if (!*first)
        return __atomic_load_n(&slot->reserved, __ATOMIC_RELAXED);
    uint32_t gap = inspect(p, dirfd, path);
    if (slot) {
        __atomic_store_n(&slot->reserved, gap, __ATOMIC_RELAXED);
        *first = !(roar_slot_add(slot, ROAR_SLOT_PROGRAM) & ROAR_SLOT_PROGRAM);
    }
    return gap;
}

void roar_nobody_sees(struct roar_program *p) {
    p->handed_over = false;
    roar_emit_gap(p->gap, roar_path_text(&p->path));
}

void roar_look_at_program(struct roar_program *p, int dirfd, const char *path, bool search) {
    p->gap = 0;
    p->observed = true;
    p->handed_over = false;
    roar_path_begin(&p->path);
    p->searched = search && path[0] && !text_find(path, text_length(path), "/");
    if (p->searched) {
        search_path(p, path);
        dirfd = AT_FDCWD;
        path = p->path.text;
    } else {
        int flags = path[0] ? 0 : AT_EMPTY_PATH;
        p->found = raw_stat(dirfd, path, &p->st, flags) == 0 && S_ISREG(p->st.st_mode);
        if (path[0])
            roar_path_absolute(&p->path, dirfd, path);
        else
            roar_path_of_fd(&p->path, dirfd);
    }
    if (!p->found)
        return;
    /* It becomes the command of a run inside this one, which we enter then; handed over, it would
     * be refused a second listener. */
    if (roar_is_starter(roar_path_text(&p->path)) && !is_elsewhere())
        return;
    bool first;
    p->gap = gap_of(p, dirfd, path, &first);
    bool may_be_handed_over = roar_may_hand_over(p->gap);
    p->handed_over = may_be_handed_over && is_executable(dirfd, path) && !is_elsewhere();
    /* From inside it would report itself; whether anybody gets inside is not known yet. */
    if (p->gap && first)
        roar_opened_code(dirfd, path);
    if (p->gap && !p->handed_over && (first || may_be_handed_over))
        roar_nobody_sees(p);
    p->observed = p->gap != ROAR_GAP_FOREIGN_ABI && p->gap != ROAR_GAP_INTERPOSER &&
                  p->gap != ROAR_GAP_FOREIGN_LIBC;
    check_reach(p);
}

/* Arguments joined by NUL: write them, or only measure them when `w` is NULL. */
static size_t put_arguments(struct roar_writer *w, char *const *argv) {
    size_t total = 0;
    for (size_t i = 0; argv && argv[i] && total < ARGUMENTS_MAX; i++) {
        size_t length = text_length(argv[i]);
        if (i) {
            if (w)
                roar_put(w, "", 1);
            total++;
        }
        if (length > ARGUMENTS_MAX - total)
            length = ARGUMENTS_MAX - total;
        if (w)
            roar_put(w, argv[i], length);
        total += length;
    }
    return total;
}

void roar_begin_exec(struct roar_writer *w, const struct roar_program *p, char *const *argv) {
    uint32_t arguments = (uint32_t)put_arguments(NULL, argv);
    size_t body =
        (p->found ? sizeof(struct roar_fingerprint) : 0) + 4 + p->path.length + 4 + arguments;
    if (!roar_begin(w, ROAR_EXEC, 0, 0, p->found, 2, body))
        return;
    if (p->found)
        roar_put_fingerprint(w, &p->st);
    roar_put_text(w, roar_path_text(&p->path));
    roar_put(w, &arguments, sizeof arguments);
    put_arguments(w, argv);
}
