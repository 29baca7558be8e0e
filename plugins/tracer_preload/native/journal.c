/*
 * The shared mapping of the journal.
 *
 * The file is mapped chunk by chunk and never kept open: programs expect descriptor 3 next, or
 * close them all. 16 MiB is no slower than a page and small enough for programs under RLIMIT_AS;
 * where even that cannot be mapped, the header alone is, and records are written by pwrite(2). We
 * never store beyond `allocated`: there may be a hole there, and a store into a hole on a full disk
 * is SIGBUS in the user's program. For the same reason we never grow the file.
 */
#include "journal.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/resource.h>
#include <time.h>

#include "raw.h"
#include "text.h"

/* Room below which roar is woken to grow the file, and how often that is repeated. */
#define LOW_WATER (4u << 20)
#define RING_EVERY (64u << 10)
/* How long a process waits for growth in all, as long as the file does not grow. */
#define ROOM_WAIT_NS 50000000u
/* Within this the clocks agree: what lies between the two readings of them, here and in roar. */
#define SAME_BOOT_NS 50000

int roar_phase;
struct roar_journal_header *roar_header;

static char *chunks[ROAR_JOURNAL_MAX_CHUNKS];
static uint64_t gave_up_at; /* `allocated` when a wait for room was in vain */
static char variable[ROAR_VARIABLE_HEAD + 4096];

static const char *journal_path(void) {
    return variable + ROAR_VARIABLE_HEAD;
}

static int open_journal(void) {
    return raw_open(AT_FDCWD, journal_path(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
}

static char *map_at(uint64_t offset, size_t size) {
    int fd = open_journal();
    if (fd < 0)
        return NULL;
    char *base = raw_map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (int64_t)offset);
    raw_close(fd);
    return base;
}

static int64_t clock_ns(int clock) {
    struct timespec now;
    RAW3(SYS_clock_gettime, clock, &now, 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool is_journal(const struct roar_journal_header *h) {
    return text_equal(h->magic, ROAR_JOURNAL_MAGIC, sizeof h->magic) &&
           h->version == ROAR_JOURNAL_VERSION && h->chunk_size == ROAR_JOURNAL_CHUNK &&
           h->records_offset >= ROAR_JOURNAL_HEADER_SIZE &&
           h->table_offset + h->table_slots * sizeof(struct roar_journal_slot) <= h->records_offset;
}

static int adopt(char *entry) {
    size_t length = text_length(entry);
    if (length >= sizeof variable || length < ROAR_VARIABLE_HEAD + 1 || entry[12] != ':' ||
        entry[11] < '0' || entry[11] > '4')
        return -1;
    text_copy(variable, entry, length + 1);
    int flags = entry[11] - '0';
    /* Programs started from an environment kept by the first one are not the first. */
    entry[11] = variable[11] = (char)('0' + (flags & ~ROAR_FLAG_FIRST));
    return flags;
}

/*
 * Whether the journal is of this machine and of this start of it. Our variables travel with srun,
 * mpirun and ssh, and there a file system may show the same file, into which nobody may store from
 * two machines. The wall clock less the monotonic one tells when a machine was started, to the
 * microsecond. Only who sees another moment asks the kernel, for 4 us instead of 0.5: a clock was
 * set, or it is another machine.
 */
static bool is_of_this_boot(const struct roar_journal_header *h) {
    char here[sizeof h->boot_id];
    if (!h->boot_id[0])
        return true;
    int64_t moved = (clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)) -
                    (int64_t)(h->created_realtime_ns - h->created_monotonic_ns);
    if (-SAME_BOOT_NS < moved && moved < SAME_BOOT_NS)
        return true;
    int fd = raw_open(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    long got = raw_pread(fd, here, sizeof here, 0);
    raw_close(fd);
    return got == sizeof here && text_equal(here, h->boot_id, sizeof here);
}

/* Map the journal that `variable` names. */
static bool map_journal(void) {
    char *base = map_at(0, ROAR_JOURNAL_CHUNK);
    struct roar_journal_header *header = (void *)base;
    if (!base)
        header = (void *)map_at(0, ROAR_JOURNAL_HEADER_SIZE);
    if (!header)
        return false;
    if (!is_journal(header) || !is_of_this_boot(header)) {
        raw_unmap(header, base ? ROAR_JOURNAL_CHUNK : ROAR_JOURNAL_HEADER_SIZE);
        return false;
    }
    chunks[0] = base;
    roar_header = header;
    return true;
}

int roar_journal_find(char **envp) {
    for (; *envp; envp++) {
        if (!text_starts(*envp, ROAR_VARIABLE))
            continue;
        int flags = adopt(*envp);
        if (flags < 0 || flags & (ROAR_FLAG_QUIET | ROAR_FLAG_IDLE))
            return flags;
        return map_journal() ? flags : -1;
    }
    return -1;
}

int roar_journal_take(const char *path) {
    size_t length = text_length(path);
    if (path[0] != '/' || ROAR_VARIABLE_HEAD + length >= sizeof variable)
        return EINVAL;
    text_copy(variable, ROAR_VARIABLE "0:", ROAR_VARIABLE_HEAD);
    text_copy(variable + ROAR_VARIABLE_HEAD, path, length + 1);
    int fd = open_journal();
    if (fd < 0)
        return -fd;
    raw_close(fd);
    return map_journal() ? 0 : EINVAL;
}

const char *roar_journal_variable(unsigned flags) {
    /* Written only when it changes: in a forked child a store would copy the page. */
    if (variable[11] != (char)('0' + flags))
        variable[11] = (char)('0' + flags);
    return variable;
}

char *roar_journal_at(uint64_t offset, size_t size) {
    uint64_t index = offset / ROAR_JOURNAL_CHUNK;
    uint64_t within = offset % ROAR_JOURNAL_CHUNK;
    if (index >= ROAR_JOURNAL_MAX_CHUNKS || within + size > ROAR_JOURNAL_CHUNK)
        return NULL;
    char *base = __atomic_load_n(&chunks[index], __ATOMIC_ACQUIRE);
    if (UNLIKELY(!base) && index > 0) {
        char *fresh = map_at(index * (uint64_t)ROAR_JOURNAL_CHUNK, ROAR_JOURNAL_CHUNK);
        if (!fresh)
            return NULL;
        if (__atomic_compare_exchange_n(&chunks[index], &base, fresh, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            base = fresh;
        else
            raw_unmap(fresh, ROAR_JOURNAL_CHUNK);
    }
    return base ? base + within : NULL;
}

int roar_journal_open_at(uint64_t offset, size_t size) {
    /* RLIMIT_FSIZE counts the position, even inside a file that is longer already: SIGXFSZ. */
    struct rlimit limit;
    if (RAW4(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 &&
        limit.rlim_cur != RLIM_INFINITY && offset + size > limit.rlim_cur)
        return -EFBIG;
    return open_journal();
}

uint64_t roar_now_ns(void) {
    return (uint64_t)clock_ns(CLOCK_MONOTONIC);
}

bool roar_futex_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns) {
    /* FUTEX_WAIT_BITSET takes an absolute time, so that signals do not lengthen the wait. */
    struct timespec deadline = {(time_t)(deadline_ns / 1000000000u),
                                (long)(deadline_ns % 1000000000u)};
    long got = raw6(SYS_futex, (long)word, FUTEX_WAIT_BITSET, value, (long)&deadline, 0,
                    FUTEX_BITSET_MATCH_ANY);
    return got == 0 || got == -EAGAIN || got == -EINTR;
}

void roar_journal_ring(void) {
    __atomic_fetch_add(&roar_header->doorbell, 1, __ATOMIC_RELEASE);
    RAW3(SYS_futex, &roar_header->doorbell, FUTEX_WAKE, INT32_MAX);
}

void roar_journal_lose(void) {
    __atomic_fetch_add(&roar_header->lost, 1, __ATOMIC_RELAXED);
}

/* Ask roar for more room and wait for it, until `needed` bytes of the file have blocks. */
static bool wait_for_room(uint64_t needed) {
    uint64_t allocated = __atomic_load_n(&roar_header->allocated, __ATOMIC_ACQUIRE);
    if (allocated == __atomic_load_n(&gave_up_at, __ATOMIC_RELAXED))
        return false;
    uint64_t deadline = roar_now_ns() + ROOM_WAIT_NS;
    uint32_t *bell = &roar_header->doorbell;
    roar_journal_ring();
    for (;;) {
        uint32_t seen = __atomic_load_n(bell, __ATOMIC_ACQUIRE);
        allocated = __atomic_load_n(&roar_header->allocated, __ATOMIC_ACQUIRE);
        if (needed <= allocated)
            return true;
        if (!__atomic_load_n(&roar_header->reader_alive, __ATOMIC_RELAXED) ||
            needed > (uint64_t)ROAR_JOURNAL_CHUNK * ROAR_JOURNAL_MAX_CHUNKS ||
            roar_now_ns() >= deadline || !roar_futex_wait(bell, seen, deadline)) {
            __atomic_store_n(&gave_up_at, allocated, __ATOMIC_RELAXED);
            return false;
        }
    }
}

/* Fill what a record may not use, so that the reader sees no hole; too small a rest stays empty. */
static void pad(uint64_t offset, uint32_t size) {
    char *at = roar_journal_at(offset, size);
    if (size < sizeof(struct roar_record) || !at)
        return;
    struct roar_record *r = (void *)at;
    *r = (struct roar_record){.size = size, .kind = ROAR_PAD};
    r->check = roar_record_check(offset, r);
    __atomic_store_n(&r->magic, ROAR_RECORD_MAGIC, __ATOMIC_RELEASE);
}

/* Fault in, writable, what a record is about to fill. A fault between the reserving and the filling
 * is where a killed process leaves a hole: it sleeps there, and a signal is delivered as it ends. A
 * locked addition of nothing does no harm to what another process is storing there. */
static void touch(uint64_t offset, uint32_t size) {
    char *at = roar_journal_at(offset, size);
    if (!at)
        return;
    __atomic_fetch_add((uint32_t *)(void *)at, 0, __ATOMIC_RELAXED);
    for (char *page = at + 4096 - (offset & 4095); page < at + size; page += 4096)
        __atomic_fetch_add((uint32_t *)(void *)page, 0, __ATOMIC_RELAXED);
}

uint64_t roar_journal_reserve(uint32_t size) {
    /* A store, though of nothing: one write fault in a new process instead of a read fault before
     * it. */
    uint64_t tail = __atomic_fetch_add(&roar_header->tail, 0, __ATOMIC_RELAXED);
    for (;;) {
        uint32_t rest = (uint32_t)(ROAR_JOURNAL_CHUNK - tail % ROAR_JOURNAL_CHUNK);
        uint32_t take = size <= rest ? size : rest;
        uint64_t allocated = __atomic_load_n(&roar_header->allocated, __ATOMIC_ACQUIRE);
        if (UNLIKELY(tail + take > allocated)) {
            if (!wait_for_room(tail + take))
                return 0;
            tail = __atomic_load_n(&roar_header->tail, __ATOMIC_RELAXED);
            continue;
        }
        touch(tail, take);
        if (!__atomic_compare_exchange_n(&roar_header->tail, &tail, tail + take, true,
                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            continue;
        if (UNLIKELY(allocated - (tail + take) < LOW_WATER) &&
            tail / RING_EVERY != (tail + take) / RING_EVERY)
            roar_journal_ring();
        if (size <= rest)
            return tail;
        pad(tail, take);
        tail += take;
    }
}
