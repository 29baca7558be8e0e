/*
 * Records, written in place.
 *
 * Room is reserved first, the record is filled where it lies, and its magic is stored last: a
 * process killed in between leaves a hole, never half a record. Nothing is kept on our stack but
 * the head, for a thread's stack may be 16 KiB and a signal's alternate stack 2.
 */
#include "emit.h"

#include <errno.h>

#include "place.h"
#include "raw.h"
#include "tasks.h"
#include "text.h"

#define BODY_MAX (ROAR_RECORD_MAX - sizeof(struct roar_record) - 8)

static bool begin(struct roar_writer *w, uint16_t kind, uint64_t value, uint32_t pid,
                  uint8_t fingerprints, uint8_t strings, size_t body) {
    w->offset = 0;
    if (body > BODY_MAX) {
        roar_journal_lose();
        return false;
    }
    w->head = (struct roar_record){
        .size = (uint32_t)((sizeof w->head + body + 7) & ~(size_t)7),
        .kind = kind,
        .fingerprints = fingerprints,
        .strings = strings,
        .pid = pid ? pid : raw_pid(),
        .tid = pid ? pid : (uint32_t)RAW3(SYS_gettid, 0, 0, 0),
        .time_ns = roar_now_ns(),
        .value = value,
    };
    uint64_t offset = roar_journal_reserve(w->head.size);
    if (!offset) {
        roar_journal_lose();
        return false;
    }
    w->base = roar_journal_at(offset, w->head.size);
    w->fd = w->base ? -1 : roar_journal_open_at(offset, w->head.size);
    if (!w->base && w->fd < 0) {
        roar_journal_lose();
        return false;
    }
    w->offset = offset;
    w->at = sizeof w->head;
    return true;
}

bool roar_settle_task(void) {
    struct roar_writer w;
    uint64_t task = roar_task;
    if (LIKELY(task == roar_task_told))
        return true;
    if (!begin(&w, ROAR_TASK_IS, task - 1, 0, 0, 0, 0))
        return false;
    roar_commit(&w);
    roar_task_told = task;
    return true;
}

bool roar_begin(struct roar_writer *w, uint16_t kind, uint64_t value, uint32_t pid,
                uint8_t fingerprints, uint8_t strings, size_t body) {
    /* Without it the record would be another task's: then it is lost as well. */
    if (UNLIKELY(roar_task != roar_task_told) && kind != ROAR_TASK && !roar_settle_task()) {
        w->offset = 0;
        return false;
    }
    return begin(w, kind, value, pid, fingerprints, strings, body);
}

void roar_put(struct roar_writer *w, const void *bytes, size_t size) {
    if (w->base)
        text_copy(w->base + w->at, bytes, size);
    else
        raw_pwrite(w->fd, bytes, size, (int64_t)(w->offset + w->at));
    w->at += size;
}

struct roar_fingerprint roar_fingerprint_of(const struct stat *st) {
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

void roar_put_fingerprint(struct roar_writer *w, const struct stat *st) {
    struct roar_fingerprint fp = roar_fingerprint_of(st);
    roar_put(w, &fp, sizeof fp);
}

void roar_put_text(struct roar_writer *w, struct roar_text text) {
    uint32_t length = (uint32_t)text.length;
    roar_put(w, &length, sizeof length);
    roar_put(w, text.bytes, text.length);
}

static void finish(struct roar_writer *w) {
    const char *head = (const char *)&w->head;
    w->head.check = roar_record_check(w->offset, &w->head);
    if (w->base) {
        text_copy(w->base + 4, head + 4, sizeof w->head - 4);
        __atomic_store_n((uint32_t *)(void *)w->base, ROAR_RECORD_MAGIC, __ATOMIC_RELEASE);
        return;
    }
    w->head.magic = ROAR_RECORD_MAGIC;
    raw_pwrite(w->fd, head + 4, sizeof w->head - 4, (int64_t)w->offset + 4);
    raw_pwrite(w->fd, head, 4, (int64_t)w->offset);
    raw_close(w->fd);
}

void roar_commit(struct roar_writer *w) {
    if (w->offset)
        finish(w);
}

void roar_commit_for(struct roar_writer *w, uint32_t pid) {
    w->head.pid = w->head.tid = pid;
    roar_commit(w);
}

void roar_cancel(struct roar_writer *w) {
    if (!w->offset)
        return;
    w->head.kind = ROAR_PAD;
    w->head.fingerprints = w->head.strings = 0;
    finish(w);
}

uint64_t roar_emit(uint16_t kind, uint64_t value, const struct stat *first,
                   const struct stat *second, int strings, struct roar_text a, struct roar_text b) {
    struct roar_writer w;
    /* Said once, as a gap, instead of a wrong path each time. */
    if (UNLIKELY(roar_in_another_root) && first)
        return 0;
    uint8_t fingerprints = (uint8_t)((first != NULL) + (second != NULL));
    size_t body = fingerprints * sizeof(struct roar_fingerprint);
    body += (strings > 0 ? 4 + a.length : 0) + (strings > 1 ? 4 + b.length : 0);
    if (!roar_begin(&w, kind, value, 0, fingerprints, (uint8_t)strings, body))
        return 0;
    if (first)
        roar_put_fingerprint(&w, first);
    if (second)
        roar_put_fingerprint(&w, second);
    if (strings > 0)
        roar_put_text(&w, a);
    if (strings > 1)
        roar_put_text(&w, b);
    roar_commit(&w);
    return w.offset;
}

uint64_t roar_emit_for(uint32_t pid, uint16_t kind, uint64_t value) {
    struct roar_writer w;
    if (!roar_begin(&w, kind, value, pid, 0, 0, 0))
        return 0;
    roar_commit(&w);
    return w.offset;
}

void roar_emit_gap(enum roar_gap code, struct roar_text what) {
    roar_emit(ROAR_GAP, code, NULL, NULL, what.length ? 1 : 0, what, roar_no_text());
}
