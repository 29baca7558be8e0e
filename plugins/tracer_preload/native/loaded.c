/*
 * Libraries are inputs too: their packages belong to the job, a project's own .so to its lineage.
 *
 * The loader opens them itself, unseen by us. So its list is walked when a program starts and when
 * it ends or executes another; dlopen of a path is reported before, for a process may be killed. In
 * the steady state a system library costs a hash of its path, no system call. dlopen is entered by
 * a jump (trampolines.S): the loader looks at its return address to find $ORIGIN and the caller's
 * RUNPATH.
 */
#include "loaded.h"

#include <fcntl.h>
#include <link.h>

#include "emit.h"
#include "hooks.h"
#include "opening.h"
#include "proof.h"
#include "table.h"
#include "text.h"

static const char *library;
static unsigned long long adds_seen;

const char *roar_library(void) {
    return library;
}

static bool is_ours(const struct dl_phdr_info *info) {
    uintptr_t here = (uintptr_t)&roar_phase;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && here >= start && here - start < segment->p_memsz)
            return true;
    }
    return false;
}

static void report(const char *path) {
    const char *base = text_base(path);
    if (text_starts(base, "libaio.so"))
        roar_proof_never();
    struct roar_journal_slot *slot = NULL;
    if (text_starts(path, "/usr/") || text_starts(path, "/lib")) {
        slot = roar_slot_by_path(path, ROAR_PATH_LIBRARY);
        if (slot && roar_slot_add(slot, ROAR_SLOT_CODE) & ROAR_SLOT_CODE)
            return;
    }
    roar_opened_code(AT_FDCWD, path);
    if (text_starts(base, "liburing.so"))
        roar_emit_gap(ROAR_GAP_IO_URING, (struct roar_text){path, text_length(path)});
}

static int visit(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (adds_seen && info->dlpi_adds == adds_seen)
        return 1;
    const char *name = info->dlpi_name;
    if (name && name != library && text_find(name, text_length(name), "/"))
        report(name);
    return 0;
}

static int find_ours(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (is_ours(info))
        library = info->dlpi_name;
    return library != NULL;
}

void roar_find_library(void) {
    dl_iterate_phdr(find_ours, NULL);
}

static int meets_libc(struct dl_phdr_info *info, size_t size, void *is_ours_first) {
    (void)size;
    if (is_ours(info))
        return *(bool *)is_ours_first = true;
    return info->dlpi_name && text_starts(text_base(info->dlpi_name), "libc.so");
}

bool roar_is_preloaded(void) {
    bool is_ours_first = false;
    dl_iterate_phdr(meets_libc, &is_ours_first);
    return is_ours_first;
}

static int count_adds(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    adds_seen = info->dlpi_adds;
    return 1;
}

void roar_report_loaded(void) {
    if (dl_iterate_phdr(visit, NULL) == 0)
        dl_iterate_phdr(count_adds, NULL);
}

void roar_pass_over_loaded(void) {
    dl_iterate_phdr(count_adds, NULL);
}

static void before_load(const char *path) {
    /* A name without a slash is searched for, one with a $ is expanded: the walk will find those.
     */
    if (!path || !roar_ready())
        return;
    size_t length = text_length(path);
    if (text_find(path, length, "/") && !text_find(path, length, "$"))
        roar_opened_code(AT_FDCWD, path);
}

void *roar_route_dlopen(const char *path, int flags) {
    (void)flags;
    before_load(path);
    return roar_real(ROAR_FN_dlopen);
}

void *roar_route_dlmopen(long space, const char *path, int flags) {
    (void)flags;
    before_load(path);
    /* Another name space has a C library of its own, which does not call us. */
    if (space != LM_ID_BASE && roar_ready())
        roar_emit_gap(ROAR_GAP_INTERPOSER, (struct roar_text){path, path ? text_length(path) : 0});
    return roar_real(ROAR_FN_dlmopen);
}
