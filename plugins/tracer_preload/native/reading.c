/*
 * Ways of reading that do not show in the offset, and mappings.
 *
 * Each only spoils the proof that the file was not read; read(2), write(2) and their kin stay
 * unhooked, so that programs that mostly read and write pay nothing. A shared, writable mapping is
 * reported, because it changes the file without any call we could see.
 */
#include <aio.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "emit.h"
#include "hooks.h"
#include "opening.h"
#include "paths.h"
#include "proof.h"
#include "raw.h"

#define SPOILING(type, name, parameters, arguments)                                                \
    EXPORT type name parameters {                                                                  \
        roar_proof_spoil(fd);                                                                      \
        return REAL(name) arguments;                                                               \
    }

ssize_t __pread64(int fd, void *to, size_t size, off64_t at);
ssize_t __pread_chk(int fd, void *to, size_t size, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *to, size_t size, off64_t at, size_t room);

SPOILING(off_t, lseek, (int fd, off_t to, int whence), (fd, to, whence))
SPOILING(off64_t, lseek64, (int fd, off64_t to, int whence), (fd, to, whence))
SPOILING(ssize_t, pread, (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
SPOILING(ssize_t, pread64, (int fd, void *to, size_t size, off64_t at), (fd, to, size, at))
SPOILING(ssize_t, __pread64, (int fd, void *to, size_t size, off64_t at), (fd, to, size, at))
SPOILING(ssize_t, __pread_chk, (int fd, void *to, size_t size, off_t at, size_t room),
         (fd, to, size, at, room))
SPOILING(ssize_t, __pread64_chk, (int fd, void *to, size_t size, off64_t at, size_t room),
         (fd, to, size, at, room))
SPOILING(ssize_t, preadv, (int fd, const struct iovec *to, int count, off_t at),
         (fd, to, count, at))
SPOILING(ssize_t, preadv64, (int fd, const struct iovec *to, int count, off64_t at),
         (fd, to, count, at))
SPOILING(ssize_t, preadv2, (int fd, const struct iovec *to, int count, off_t at, int flags),
         (fd, to, count, at, flags))
SPOILING(ssize_t, preadv64v2, (int fd, const struct iovec *to, int count, off64_t at, int flags),
         (fd, to, count, at, flags))
SPOILING(ssize_t, sendfile, (int out, int fd, off_t *at, size_t size), (out, fd, at, size))
SPOILING(ssize_t, sendfile64, (int out, int fd, off64_t *at, size_t size), (out, fd, at, size))
SPOILING(ssize_t, copy_file_range,
         (int fd, off64_t *from, int out, off64_t *to, size_t size, unsigned flags),
         (fd, from, out, to, size, flags))
SPOILING(ssize_t, splice,
         (int fd, off64_t *from, int out, off64_t *to, size_t size, unsigned flags),
         (fd, from, out, to, size, flags))

#define AIO_FACE(name, block)                                                                      \
    EXPORT int name(struct block *request) {                                                       \
        roar_proof_spoil(request->aio_fildes);                                                     \
        return REAL(name)(request);                                                                \
    }

#define LIO_FACE(name, block)                                                                      \
    EXPORT int name(int mode, struct block *const requests[], int count, struct sigevent *event) { \
        roar_proof_never();                                                                        \
        return REAL(name)(mode, requests, count, event);                                           \
    }

AIO_FACE(aio_read, aiocb)
AIO_FACE(aio_read64, aiocb64)
LIO_FACE(lio_listio, aiocb)
LIO_FACE(lio_listio64, aiocb64)

EXPORT int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    /* Sharing extents reads the source without moving its offset; it is the argument, not `fd`. */
    if (request == FICLONE)
        roar_proof_spoil((int)(long)argument);
    else if (request == FICLONERANGE && argument)
        roar_proof_spoil((int)((struct file_clone_range *)argument)->src_fd);
    return REAL(ioctl)(fd, request, argument);
}

static void report_mapping(int fd) {
    struct stat st;
    if (raw_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    struct roar_journal_slot *slot = roar_slot(&st, true);
    if (slot && roar_slot_state(slot) & ROAR_SLOT_MAPPED)
        return;
    struct roar_path path;
    roar_path_begin(&path);
    if (roar_path_of_fd(&path, fd) && !roar_path_is_special(path.text, path.length) &&
        roar_emit(ROAR_MAPPED, 0, &st, NULL, 1, roar_path_text(&path), roar_no_text()) && slot) {
        roar_hold(slot);
        roar_slot_add(slot, ROAR_SLOT_MAPPED | ROAR_SLOT_WRITE);
    }
    roar_path_end(&path);
}

/* MAP_SHARED_VALIDATE has the bit too. */
static void before_mapping(int protection, int flags, int fd) {
    if (LIKELY(fd < 0 || flags & MAP_ANONYMOUS))
        return;
    roar_proof_spoil(fd);
    if (protection & PROT_WRITE && flags & MAP_SHARED && roar_ready())
        report_mapping(fd);
}

#define MMAP_FACE(name, offset_type)                                                               \
    EXPORT void *name(void *at, size_t size, int protection, int flags, int fd,                    \
                      offset_type offset) {                                                        \
        before_mapping(protection, flags, fd);                                                     \
        return REAL(name)(at, size, protection, flags, fd, offset);                                \
    }

MMAP_FACE(mmap, off_t)
MMAP_FACE(mmap64, off64_t)
