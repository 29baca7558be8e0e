/*
 * Chunks are mapped when they are first written to, and the file is not kept open: what roar has
 * not allocated yet is never touched, for a store into a hole on a full disk is SIGBUS.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Room below which roar is woken to grow the file, and after how many bytes again. */
#define LOW_WATER (4u << 20)
#define RING_EVERY (64u << 10)
/* How long the tree is held in all for more room, as long as the file does not grow. */
#define ROOM_WAIT_NS 50000000u

struct roar_journal_header *journal_header;

static char journal_path[PATH_MAX];
static char *chunks[ROAR_JOURNAL_MAX_CHUNKS];
static uint64_t gave_up_at; /* `allocated` when a wait for room was in vain */

static char *map_chunk(uint64_t index) {
    int fd = open(journal_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0)
        return NULL;
    void *base = mmap(NULL, ROAR_JOURNAL_CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                      (off_t)(index * ROAR_JOURNAL_CHUNK));
    close(fd);
    return base == MAP_FAILED ? NULL : base;
}

static bool is_journal(const struct roar_journal_header *h) {
    return !memcmp(h->magic, ROAR_JOURNAL_MAGIC, sizeof h->magic) &&
           h->version == ROAR_JOURNAL_VERSION && h->chunk_size == ROAR_JOURNAL_CHUNK &&
           h->records_offset >= ROAR_JOURNAL_HEADER_SIZE;
}

/* Another machine may show us the same file, in which its own processes write. */
static bool is_of_this_boot(const struct roar_journal_header *h) {
    char here[sizeof h->boot_id];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, here, sizeof here);
    if (fd >= 0)
        close(fd);
    return !h->boot_id[0] || (got == sizeof here && !memcmp(here, h->boot_id, sizeof here));
}

/* A file shorter than its header must not be looked at through a mapping: SIGBUS. */
static bool is_long_enough(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= ROAR_JOURNAL_HEADER_SIZE;
}

bool journal_open(const char *path) {
    if (strlen(path) >= sizeof journal_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(journal_path, path);
    if (!is_long_enough(path)) {
        errno = errno ? errno : EINVAL;
        return false;
    }
    chunks[0] = map_chunk(0);
    if (!chunks[0])
        return false;
    if (!is_journal((void *)chunks[0])) {
        errno = EINVAL;
        return false;
    }
    if (!is_of_this_boot((void *)chunks[0])) {
        errno = EREMOTE;
        return false;
    }
    journal_header = (void *)chunks[0];
    return true;
}

char *journal_at(uint64_t offset, size_t size) {
    uint64_t index = offset / ROAR_JOURNAL_CHUNK, within = offset % ROAR_JOURNAL_CHUNK;
    if (index >= ROAR_JOURNAL_MAX_CHUNKS || within + size > ROAR_JOURNAL_CHUNK)
        return NULL;
    char *base = __atomic_load_n(&chunks[index], __ATOMIC_ACQUIRE);
    if (!base) {
        char *fresh = map_chunk(index);
        if (!fresh)
            return NULL;
        if (__atomic_compare_exchange_n(&chunks[index], &base, fresh, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            base = fresh;
        else
            munmap(fresh, ROAR_JOURNAL_CHUNK);
    }
    return base + within;
}

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool journal_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns) {
    struct timespec deadline = {(time_t)(deadline_ns / 1000000000u),
                                (long)(deadline_ns % 1000000000u)};
    long got =
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, &deadline, NULL, FUTEX_BITSET_MATCH_ANY);
    return got == 0 || errno == EAGAIN || errno == EINTR;
}

void journal_ring(void) {
    __atomic_fetch_add(&journal_header->doorbell, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &journal_header->doorbell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Have roar add to the file, and wait until `needed` bytes of it have blocks. */
static bool wait_for_room(uint64_t needed) {
    uint64_t allocated = __atomic_load_n(&journal_header->allocated, __ATOMIC_ACQUIRE);
    if (allocated == __atomic_load_n(&gave_up_at, __ATOMIC_RELAXED))
        return false;
    uint64_t deadline = now_ns() + ROOM_WAIT_NS;
    journal_ring();
    for (;;) {
        uint32_t seen = __atomic_load_n(&journal_header->doorbell, __ATOMIC_ACQUIRE);
        allocated = __atomic_load_n(&journal_header->allocated, __ATOMIC_ACQUIRE);
        if (needed <= allocated)
            return true;
        if (!__atomic_load_n(&journal_header->reader_alive, __ATOMIC_RELAXED) ||
            needed > (uint64_t)ROAR_JOURNAL_CHUNK * ROAR_JOURNAL_MAX_CHUNKS ||
            now_ns() >= deadline || !journal_wait(&journal_header->doorbell, seen, deadline))
            break;
    }
    __atomic_store_n(&gave_up_at, allocated, __ATOMIC_RELAXED);
    return false;
}

static void finish(uint64_t offset, char *at, struct roar_record head) {
    head.check = roar_record_check(offset, &head);
    memcpy(at + 4, (const char *)&head + 4, sizeof head - 4);
    __atomic_store_n((uint32_t *)(void *)at, ROAR_RECORD_MAGIC, __ATOMIC_RELEASE);
}

/* What no record may use becomes one; a rest too short for that stays empty. */
static void pad(uint64_t offset, uint32_t size) {
    char *at = size < sizeof(struct roar_record) ? NULL : journal_at(offset, size);
    if (at)
        finish(offset, at, (struct roar_record){.size = size, .kind = ROAR_PAD});
}

/* Room for `size` bytes (a multiple of 8) within one chunk; 0 when there is none. */
static uint64_t reserve(uint32_t size) {
    uint64_t tail = __atomic_load_n(&journal_header->tail, __ATOMIC_RELAXED);
    for (;;) {
        uint32_t rest = (uint32_t)(ROAR_JOURNAL_CHUNK - tail % ROAR_JOURNAL_CHUNK);
        uint32_t take = size <= rest ? size : rest;
        uint64_t allocated = __atomic_load_n(&journal_header->allocated, __ATOMIC_ACQUIRE);
        if (tail + take > allocated) {
            if (!wait_for_room(tail + take))
                return 0;
            tail = __atomic_load_n(&journal_header->tail, __ATOMIC_RELAXED);
            continue;
        }
        if (!__atomic_compare_exchange_n(&journal_header->tail, &tail, tail + take, true,
                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            continue;
        if (allocated - (tail + take) < LOW_WATER &&
            tail / RING_EVERY != (tail + take) / RING_EVERY)
            journal_ring();
        if (size <= rest)
            return tail;
        pad(tail, take);
        tail += take;
    }
}

static struct roar_fingerprint fingerprint(const struct stat *st) {
    return (struct roar_fingerprint){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = (uint64_t)st->st_size,
        .mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
        .ctime_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
        .mode = st->st_mode,
        .nlink = (uint32_t)st->st_nlink,
    };
}

static char *put(char *at, const void *bytes, size_t size) {
    memcpy(at, bytes, size);
    return at + size;
}

uint64_t journal_report(const struct report *r) {
    const struct stat *prints[2] = {r->first, r->second};
    int count = (r->first != NULL) + (r->second != NULL);
    size_t size = sizeof(struct roar_record) + (size_t)count * sizeof(struct roar_fingerprint);
    for (int i = 0; i < r->strings; i++)
        size += 4 + r->text[i].length;
    size = (size + 7) & ~(size_t)7;
    uint64_t offset = size <= ROAR_RECORD_MAX ? reserve((uint32_t)size) : 0;
    char *base = offset ? journal_at(offset, size) : NULL;
    if (!base) {
        __atomic_fetch_add(&journal_header->lost, 1, __ATOMIC_RELAXED);
        return 0;
    }
    struct roar_record head = {
        .size = (uint32_t)size,
        .kind = (uint16_t)r->kind,
        .fingerprints = (uint8_t)count,
        .strings = (uint8_t)r->strings,
        .pid = (uint32_t)r->pid,
        .tid = (uint32_t)r->tid,
        .time_ns = now_ns(),
        .value = r->value,
    };
    char *at = base + sizeof head;
    for (int i = 0; i < count; i++) {
        struct roar_fingerprint print = fingerprint(prints[i]);
        at = put(at, &print, sizeof print);
    }
    for (int i = 0; i < r->strings; i++) {
        uint32_t length = (uint32_t)r->text[i].length;
        at = put(at, &length, sizeof length);
        at = put(at, r->text[i].bytes, r->text[i].length);
    }
    finish(offset, base, head);
    return offset;
}

void journal_gap(enum roar_gap code, pid_t pid, const char *what) {
    journal_report(&(struct report){
        .kind = ROAR_GAP,
        .value = (uint64_t)code,
        .pid = pid,
        .tid = pid,
        .strings = 1,
        .text = {{what, strlen(what)}},
    });
}
