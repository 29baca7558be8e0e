/*
 * Becoming part of a program: before its main, or at its first observed call if that comes earlier.
 *
 * Constructors of libraries open files (libselinux's does, in cp, mv, tar and sed) before ours
 * runs, so any hook may be the first to start us. A program in which the journal cannot be had is
 * left alone: that no START follows its EXEC tells roar.
 */
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "emit.h"
#include "hooks.h"
#include "loaded.h"
#include "opening.h"
#include "paths.h"
#include "processes.h"
#include "proof.h"
#include "raw.h"
#include "table.h"
#include "text.h"

#define INHERITED_FDS 256

uint32_t roar_started_pid;
uint32_t roar_started_as;
bool roar_attached;

/*
 * The START of an earlier process that was started by the same path and is this very file: its path
 * is ours. Asking /proc for it is half of what a new program costs us, for /proc makes its entries
 * anew for every process.
 */
static const struct roar_record *remembered(const struct roar_journal_slot *slot,
                                            const struct stat *st) {
    uint64_t offset = slot ? __atomic_load_n(&slot->open_ref, __ATOMIC_ACQUIRE) : 0;
    const struct roar_record *r = offset ? (void *)roar_journal_at(offset, sizeof *r) : NULL;
    if (!r || __atomic_load_n(&r->magic, __ATOMIC_ACQUIRE) != ROAR_RECORD_MAGIC ||
        r->kind != ROAR_START || r->fingerprints != 1)
        return NULL;
    struct roar_fingerprint now = roar_fingerprint_of(st);
    return text_equal((const char *)(r + 1), (const char *)&now, sizeof now) ? r : NULL;
}

static struct roar_text path_in(const struct roar_record *r) {
    const char *string = (const char *)(r + 1) + sizeof(struct roar_fingerprint);
    return (struct roar_text){string + 4, *(const uint32_t *)(const void *)string};
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Slowly: what /proc says. Remembered when `given`, the path we were started by, leads there too.
 */
static void report_anew(struct roar_text cwd, const struct stat *given,
                        struct roar_journal_slot *slot) {
    struct roar_path program;
    struct stat st;
    bool known = false;
    uint64_t parent = (uint64_t)RAW3(SYS_getppid, 0, 0, 0);
    roar_path_begin(&program);
    if (roar_path_of_link(&program, "/proc/self/exe")) {
        program.text[program.length] = 0;
        known = raw_stat(AT_FDCWD, program.text, &st, 0) == 0;
    }
    if (!known)
        known = raw_stat(AT_FDCWD, "/proc/self/exe", &st, 0) == 0;
    uint64_t offset =
        roar_emit(ROAR_START, parent, known ? &st : NULL, NULL, 2, roar_path_text(&program), cwd);
    roar_path_end(&program);
    if (known && slot && same_file(&st, given))
        __atomic_store_n(&slot->open_ref, offset, __ATOMIC_RELEASE);
}

static void report_start(void) {
    /* A script's is the script, a descriptor's is /dev/fd/N: neither is the program's file. */
    const char *given = (const char *)getauxval(AT_EXECFN);
    struct roar_journal_slot *slot = NULL;
    struct stat st;
    struct roar_path cwd;
    roar_path_begin(&cwd);
    roar_path_absolute(&cwd, AT_FDCWD, "");
    if (given && given[0] == '/' && raw_stat(AT_FDCWD, given, &st, 0) == 0)
        slot = roar_slot_by_path(given, ROAR_PATH_PROGRAM);
    const struct roar_record *earlier = remembered(slot, &st);
    if (earlier)
        roar_emit(ROAR_START, (uint64_t)RAW3(SYS_getppid, 0, 0, 0), &st, NULL, 2, path_in(earlier),
                  roar_path_text(&cwd));
    else
        report_anew(roar_path_text(&cwd), &st, slot);
    roar_path_end(&cwd);
}

/* What the first program finds open was opened for it: `roar run prog < in > out`. */
static void report_inherited(void) {
    for (int fd = 0; fd < INHERITED_FDS; fd++) {
        struct stat st;
        long flags =
            raw_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? RAW3(SYS_fcntl, fd, F_GETFL, 0) : -1;
        if (flags < 0)
            continue;
        struct roar_opening opening = {
            .dirfd = AT_FDCWD,
            .flags = (int)flags & (O_ACCMODE | O_APPEND | O_PATH),
            .intents = ROAR_INTENT_INHERITED,
            .streamed = true,
        };
        roar_opened(&opening, fd);
    }
}

static void report_program(void) {
    roar_table_find();
    roar_started_pid = raw_pid();
    roar_started_as = (uint32_t)RAW3(SYS_geteuid, 0, 0, 0);
    report_start();
}

static void start(char **envp) {
    int unborn = ROAR_UNBORN;
    if (!__atomic_compare_exchange_n(&roar_phase, &unborn, ROAR_OFF, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return;
    int flags = roar_journal_find(envp);
    if (flags < 0)
        return;
    roar_find_library();
    if (flags & (ROAR_FLAG_QUIET | ROAR_FLAG_IDLE)) {
        roar_phase = flags & ROAR_FLAG_QUIET ? ROAR_QUIET : ROAR_IDLE;
        return;
    }
    report_program();
    if (flags & ROAR_FLAG_FIRST)
        report_inherited();
    roar_report_loaded();
    __atomic_store_n(&roar_phase, ROAR_ACTIVE, __ATOMIC_RELEASE);
}

bool roar_start_early(void) {
    /* Before libc's own constructor there is no environment to read: then somewhat later. */
    if (environ)
        start(environ);
    return roar_phase == ROAR_ACTIVE;
}

/* Handlers run in reverse order of registration: ours, registered before main, is among the last.
 */
static void at_exit(int status, void *unused) {
    (void)unused;
    if (!roar_ready())
        return;
    if (raw_pid() == roar_started_pid)
        roar_report_loaded();
    roar_proof_spoil_range(0, ROAR_PROOF_FDS);
    roar_exits(status);
}

/*
 * A worker of a platform runs many tasks, and which of them are observed, and into which journal,
 * is known only when it runs. What is open or loaded by then is the worker's and not a task's, so
 * nothing is caught up on. Tell no thread's task before this has returned.
 */
EXPORT int roar_attach(const char *path) {
    static bool is_taken;
    if (roar_ready())
        return EBUSY;
    if (roar_phase == ROAR_QUIET)
        return EPERM;
    if (!path)
        return EINVAL;
    if (!roar_is_preloaded())
        return ENOTSUP;
    if (__atomic_exchange_n(&is_taken, true, __ATOMIC_ACQ_REL))
        return EBUSY;
    int failure = roar_journal_take(path);
    if (failure) {
        __atomic_store_n(&is_taken, false, __ATOMIC_RELEASE);
        return failure;
    }
    roar_attached = true;
    roar_find_library();
    roar_pass_over_loaded();
    report_program();
    __atomic_store_n(&roar_phase, ROAR_ACTIVE, __ATOMIC_RELEASE);
    REAL(on_exit)(at_exit, NULL);
    return 0;
}

/* glibc hands constructors the environment as an argument; others do not, so it is not used. */
__attribute__((constructor)) static void constructor(void) {
    if (roar_ready())
        REAL(on_exit)(at_exit, NULL);
}
