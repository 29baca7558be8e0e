#include "proof.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How many reading calls a process has made; false when the kernel does not count them. */
static bool count_reads(pid_t pid, uint64_t *reads) {
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    const char *at = strstr(text, "syscr: ");
    if (at)
        *reads = strtoull(at + 7, NULL, 10);
    return at;
}

static struct roar_journal_slot *newest(const struct proof *proof) {
    struct roar_journal_slot *slot = slot_of(&proof->st, false);
    /* An older opening of the file is read or not by its own proof; the slot is the newest's. */
    return slot && slot_open(slot) == proof->open_ref ? slot : NULL;
}

static void decide(struct process *p, int i, bool used) {
    struct proof *proof = &p->proof[i];
    struct roar_journal_slot *slot = newest(proof);
    if (used && slot)
        slot_add(slot, ROAR_SLOT_USED);
    if (!used) {
        journal_report(&(struct report){
            .kind = ROAR_UNUSED, .value = proof->open_ref, .pid = p->pid, .tid = p->pid});
        if (slot)
            slot_drop(slot, ROAR_SLOT_READ);
    }
    *proof = p->proof[--p->proofs];
}

void proof_spoil(struct process *p, bool for_good) {
    while (p->proofs)
        decide(p, 0, true);
    p->proves_nothing |= for_good;
}

void proof_begin(struct process *p, uint64_t open_ref, const struct stat *st,
                 struct roar_journal_slot *slot) {
    uint64_t reads = 0;
    bool can =
        !p->proves_nothing && st->st_size > 0 && p->proofs < PROOFS && count_reads(p->pid, &reads);
    if (can && p->proofs && reads != p->reads_before)
        proof_spoil(p, false);
    if (!can) {
        if (slot && slot_open(slot) == open_ref)
            slot_add(slot, ROAR_SLOT_USED);
        return;
    }
    p->reads_before = reads;
    p->proof[p->proofs++] = (struct proof){open_ref, *st};
}

/* Whether a descriptor of the process still leads to the file; when we cannot see, it does. */
static bool is_open(pid_t pid, const struct stat *st) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *list = opendir(path);
    bool found = !list;
    for (struct dirent *e; list && !found && (e = readdir(list));) {
        struct stat open;
        found = e->d_name[0] != '.' && fstatat(dirfd(list), e->d_name, &open, 0) == 0 &&
                open.st_dev == st->st_dev && open.st_ino == st->st_ino;
    }
    if (list)
        closedir(list);
    return found;
}

void proof_settle(struct process *p, enum proof_time time) {
    if (!p->proofs)
        return;
    uint64_t reads;
    if (!count_reads(p->pid, &reads) || reads != p->reads_before) {
        proof_spoil(p, false);
        return;
    }
    if (time == PROOF_AT_A_CALL)
        return;
    while (p->proofs)
        decide(p, 0, time == PROOF_BEFORE_SHARING && is_open(p->pid, &p->proof[0].st));
}
