/*
 * The trace journal: what tracers write and roar_core.journal reads.
 *
 * This header is the one master of the layout; docs/journal.md explains it. A journal is one file,
 * created and grown by roar only, mapped shared by every process that reports into it:
 *
 *     header (one page) | table of seen files (the tracer's own) | records ...
 *
 * A writer reserves room with an atomic add on `tail`, fills the record in place and stores its
 * magic last, with release order: a record is there or it is not, and a killed writer leaves a hole
 * that the reader skips by looking for the next magic.
 *
 * All integers are in the machine's byte order (a journal never leaves the machine it was made on).
 */
#ifndef ROAR_JOURNAL_H
#define ROAR_JOURNAL_H

#include <stdint.h>

#define ROAR_JOURNAL_MAGIC "ROARJNL\n"
#define ROAR_JOURNAL_VERSION 1u
#define ROAR_JOURNAL_HEADER_SIZE 4096u

/* A writer maps the file chunk by chunk; no record crosses a multiple of the chunk size. */
#define ROAR_JOURNAL_CHUNK (16u << 20)
#define ROAR_JOURNAL_MAX_CHUNKS 64u

struct roar_journal_header {
    char magic[8];
    uint32_t version;
    uint32_t header_size;
    uint8_t run_uid[16];
    uint64_t created_monotonic_ns;
    uint64_t created_realtime_ns;
    uint64_t table_offset; /* 0: this run's tracer keeps no table */
    uint64_t table_slots;  /* a power of two */
    uint64_t records_offset;
    uint64_t chunk_size;
    uint32_t preimage_wait_ms; /* 0: writers are never held */
    uint32_t reserved0;
    /* Of the kernel that roar runs under, /proc/sys/kernel/random/boot_id as text; zeros where it
     * cannot be had. Under another one a writer must leave the file alone. */
    char boot_id[36];
    uint8_t pad0[4];

    /* Written by the traced processes; a cache line of its own. */
    uint64_t tail; /* file offset of the next record */
    uint64_t lost; /* records for which there was no room */
    uint8_t pad1[48];

    /* Written by roar; a cache line of its own, but for the doorbell, which both sides ring. */
    uint64_t allocated;    /* bytes of the file that have blocks: never store beyond */
    uint32_t doorbell;     /* futex: add 1 and wake when a writer waits or room runs short */
    uint32_t reader_alive; /* 0: roar does not follow this journal, wait for nothing */
    uint8_t pad2[48];
    uint8_t pad3[768];

    /* Who goes on where this run's tracer cannot enter: a program's path, or empty. */
    char successor[1024];
};

/* One slot of the table: what the tree has already reported about one inode. */
struct roar_journal_slot {
    uint64_t key;      /* roar_slot_key(dev, ino); 0 is an empty slot */
    uint64_t open_ref; /* offset of the newest OPEN record for it */
    uint32_t stamp;    /* roar_stamp(size, mtime, ctime) when it was last reported */
    uint32_t state;    /* ROAR_SLOT_* bits, changed by atomic or/and only */
    uint32_t preimage; /* futex, written by roar: ROAR_PREIMAGE_* */
    uint32_t reserved;
};

#define ROAR_SLOT_READ 1u    /* an OPEN with ROAR_INTENT_READ was reported */
#define ROAR_SLOT_WRITE 2u   /* an OPEN with ROAR_INTENT_WRITE was reported */
#define ROAR_SLOT_USED 4u    /* the reading is known to have happened: no more proof needed */
#define ROAR_SLOT_PROGRAM 8u /* inspected as a program to execute */
#define ROAR_SLOT_CODE 16u   /* reported as executed or loaded as a library */

/* For tracers only, which may be two in one journal: they must mean the same by them. */
#define ROAR_SLOT_HELD (1u << 16)   /* a writer has waited for its digest already */
#define ROAR_SLOT_MAPPED (1u << 17) /* MAPPED was reported */
#define ROAR_SLOT_NAMED (1u << 18)  /* got a name by rename or link: its removal is news */
#define ROAR_SLOT_MADE (1u << 19)   /* its content is the tree's own: nothing to keep of it */
/* Part of this run's story: its removal is told. */
#define ROAR_SLOT_SEEN                                                                             \
    (ROAR_SLOT_READ | ROAR_SLOT_WRITE | ROAR_SLOT_CODE | ROAR_SLOT_MAPPED | ROAR_SLOT_NAMED)

#define ROAR_PREIMAGE_NONE 0u  /* roar has not got to it yet: a writer may wait */
#define ROAR_PREIMAGE_DONE 1u  /* roar holds the digest of what was read */
#define ROAR_PREIMAGE_NEVER 2u /* roar will not hash it early: do not wait */

/* stat(2)'s identity and version of a file, 48 bytes. */
struct roar_fingerprint {
    uint64_t dev;
    uint64_t ino;
    uint64_t size;
    int64_t mtime_ns;
    int64_t ctime_ns;
    uint32_t mode;
    uint32_t nlink;
};

/*
 * A record: this head, then `fingerprints` roar_fingerprint, then `strings` strings, each a
 * uint32_t length and that many bytes (no terminator), then zeros up to a multiple of 8.
 */
struct roar_record {
    uint32_t magic; /* ROAR_RECORD_MAGIC, stored last */
    uint32_t size;  /* of the whole record, a multiple of 8 */
    uint32_t check; /* roar_record_check(): tells a record from bytes that look like one */
    uint16_t kind;  /* enum roar_kind */
    uint8_t fingerprints;
    uint8_t strings;
    uint32_t pid; /* the thread group, as the initial pid namespace of roar sees it */
    uint32_t tid;
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint64_t value;   /* by kind */
};

#define ROAR_RECORD_MAGIC 0x5243524au
#define ROAR_RECORD_MAX (256u << 10) /* longer strings are cut; see ROAR_GAP_CUT */

/* What a record tells; docs/journal.md lists the value, fingerprints and strings of each. */
enum roar_kind {
    ROAR_START = 1,       /* a program runs and we are in it */
    ROAR_EXEC = 2,        /* about to execute */
    ROAR_EXEC_FAILED = 3, /* the last EXEC of this pid returned */
    ROAR_FORK = 4,        /* value 0: libc is about to make a process, unseen */
    ROAR_EXIT = 5,
    ROAR_OPEN = 6,
    ROAR_USED = 7,    /* proven read */
    ROAR_WRITTEN = 8, /* proven written */
    ROAR_UNUSED = 9,  /* that open proved unread */
    ROAR_CLOSED = 10,
    ROAR_RENAME = 11,
    ROAR_LINK = 12,
    ROAR_UNLINK = 13,
    ROAR_TRUNCATE = 14,
    ROAR_MAPPED = 15, /* shared and writable */
    ROAR_CHDIR = 16,
    ROAR_LOST = 17,
    ROAR_GAP = 18,
    ROAR_PAD = 19,       /* skip */
    ROAR_UNWRITTEN = 20, /* that open proved to change nothing */
    ROAR_TASK = 21,      /* something happened to a task */
    ROAR_TASK_IS = 22,   /* whom this thread works for from now on */
};

/* TASK: what happened to the task with that tag, in a worker of an execution backend. */
enum roar_event {
    ROAR_EVENT_PROCESS = 0,   /* the worker tells who it is; its tag is 0 */
    ROAR_EVENT_BEGIN = 1,     /* an attempt begins */
    ROAR_EVENT_SUCCEEDED = 2, /* it ended well */
    ROAR_EVENT_FAILED = 3,    /* it raised */
    ROAR_EVENT_NEEDS = 4,     /* it got the results of other tasks */
    ROAR_EVENT_TROUBLE = 5,   /* what tells of tasks here failed in one place; its tag is 0 */
    ROAR_EVENT_SUBMITTED = 6, /* it submitted a task, given the results of others; its tag is 0 */
};

/* OPEN: what was asked for, and what was found. READ and WRITE say what the descriptor allows. */
#define ROAR_INTENT_READ 1u
#define ROAR_INTENT_WRITE 2u
#define ROAR_INTENT_APPEND 4u
#define ROAR_INTENT_TRUNCATE 8u   /* O_TRUNC on a file that existed: its content is gone */
#define ROAR_INTENT_CREATED 16u   /* the file was not there before */
#define ROAR_INTENT_TMPFILE 32u   /* O_TMPFILE: no name yet */
#define ROAR_INTENT_INHERITED 64u /* open before the program started (`< in > out`) */
#define ROAR_INTENT_CODE 128u     /* loaded as a program or a library */
#define ROAR_INTENT_TEXTUAL 256u  /* the path was joined as text, not resolved by the kernel */

#define ROAR_RENAME_EXCHANGE 1u
#define ROAR_RENAME_DIRECTORY 2u
#define ROAR_RENAME_TEXTUAL 4u

/* GAP: why a process, or a part of what it does, cannot be seen. */
enum roar_gap {
    ROAR_GAP_STATIC = 1,        /* statically linked: no preloading */
    ROAR_GAP_FOREIGN_ABI = 2,   /* another word size or machine */
    ROAR_GAP_FOREIGN_LIBC = 3,  /* musl and the like */
    ROAR_GAP_PRIVILEGED = 4,    /* setuid, setgid or file capabilities */
    ROAR_GAP_OTHER_USER = 5,    /* became a user who cannot open the journal */
    ROAR_GAP_CHROOT = 6,        /* another root: its paths are not ours */
    ROAR_GAP_SECCOMP = 7,       /* the program forbade itself the calls we need */
    ROAR_GAP_IO_URING = 8,      /* operations that bypass system calls */
    ROAR_GAP_NO_MAP = 9,        /* the journal could not be mapped */
    ROAR_GAP_NO_ROOM = 10,      /* E2BIG: our variables had to be dropped */
    ROAR_GAP_INTERPOSER = 11,   /* another library answers the calls before us */
    ROAR_GAP_DIRECT_CALLS = 12, /* a program known to make system calls itself (Go) */
    ROAR_GAP_CUT = 13,          /* a path or argument was too long and was cut */
    ROAR_GAP_UNENTERED = 14,    /* our library never reported from inside; reason unknown */
    ROAR_GAP_OUTLIVED = 15,     /* still running when the run was recorded (written by roar) */
    ROAR_GAP_TRACER = 16,       /* the tracer itself failed (text says how) */
};

static inline uint64_t roar_mix(uint64_t x) {
    /* The finaliser of SplitMix64: a bijection, so two inodes of one device never share a key. */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t roar_slot_key(uint64_t dev, uint64_t ino) {
    uint64_t key = roar_mix(ino) ^ roar_mix(dev * UINT64_C(0x9e3779b97f4a7c15));
    return key ? key : 1;
}

#define ROAR_PROBE_LIMIT 64u

/*
 * The slot with `key` in a table of `count` slots (a power of two, not 0). NULL when there is none
 * and `create` is 0, or when ROAR_PROBE_LIMIT others are in its place.
 */
static inline struct roar_journal_slot *roar_find_slot(struct roar_journal_slot *table,
                                                       uint64_t count, uint64_t key, int create) {
    uint64_t mask = count - 1;
    for (uint64_t probe = 0; probe < ROAR_PROBE_LIMIT && probe <= mask; probe++) {
        struct roar_journal_slot *slot = &table[(key + probe) & mask];
        uint64_t found = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);
        if (found == key)
            return slot;
        if (found)
            continue;
        if (!create)
            return 0;
        if (__atomic_compare_exchange_n(&slot->key, &found, key, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE) ||
            found == key)
            return slot;
    }
    return 0;
}

static inline uint32_t roar_stamp(uint64_t size, int64_t mtime_ns, int64_t ctime_ns) {
    return (uint32_t)roar_mix(size ^ roar_mix((uint64_t)mtime_ns ^ roar_mix((uint64_t)ctime_ns)));
}

static inline uint32_t roar_record_check(uint64_t offset, const struct roar_record *r) {
    uint64_t head = (uint64_t)r->size << 32 | (uint64_t)r->kind << 16 |
                    (uint64_t)r->fingerprints << 8 | r->strings;
    return (uint32_t)roar_mix(offset ^ roar_mix(head ^ (uint64_t)r->pid << 20));
}

_Static_assert(sizeof(struct roar_fingerprint) == 48, "layout");
_Static_assert(sizeof(struct roar_record) == 40, "layout");
_Static_assert(sizeof(struct roar_journal_slot) == 32, "layout");
_Static_assert(__builtin_offsetof(struct roar_journal_header, successor) == 1024, "layout");

#endif
