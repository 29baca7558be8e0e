"""A file opened for reading counts as read, unless the contrary is proven."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from roar_core.journal import Kind

OPEN = 'int fd = open("in", O_RDONLY); CHECK(fd >= 0);'


def test_opened_and_closed_is_not_read(run: Callable) -> None:
    assert run(OPEN + "close(fd);").is_unused("in")


def test_reading_the_end_of_an_empty_file_is_reading(run: Callable) -> None:
    traced = run('int fd = open("empty", O_RDONLY); read(fd, buffer, 9); close(fd);')
    assert not traced.is_unused("empty")


def test_an_unread_open_does_not_hide_a_later_reading(run: Callable) -> None:
    traced = run(OPEN + 'close(fd); fd = open("in", O_RDONLY); read(fd, buffer, 9); close(fd);')
    assert len(traced.open_records("in")) == 2
    assert not traced.is_unused("in")


SPOILERS = {
    "read": "read(fd, buffer, 1);",
    "readv": "readv(fd, &(struct iovec){buffer, 1}, 1);",
    "pread": "pread(fd, buffer, 1, 0);",
    "pread64": "pread64(fd, buffer, 1, 0);",
    "fortified pread": "extern long __pread_chk(); __pread_chk(fd, buffer, 1L, 0L, sizeof buffer);",
    "preadv": "preadv(fd, &(struct iovec){buffer, 1}, 1, 0);",
    "preadv2": "preadv2(fd, &(struct iovec){buffer, 1}, 1, 0, 0);",
    "read and back": "read(fd, buffer, 1); lseek(fd, 0, SEEK_SET);",
    "mmap": "mmap(0, 7, PROT_READ, MAP_PRIVATE, fd, 0);",
    "mmap64": "mmap64(0, 7, PROT_READ, MAP_PRIVATE, fd, 0);",
    "sendfile": 'int o = open("o", O_WRONLY | O_CREAT, 0600); off_t at = 0; sendfile(o, fd, &at, 1);',
    "copy_file_range": 'int o = open("o", O_WRONLY | O_CREAT, 0600); loff_t at = 0; copy_file_range(fd, &at, o, 0, 1, 0);',
    "splice": "int p[2]; pipe(p); loff_t at = 0; splice(fd, &at, p[1], 0, 1, 0);",
    "dup": "int d = dup(fd); read(d, buffer, 1); lseek(d, 0, SEEK_SET);",
    "dup2": "int d = dup2(fd, 77); read(d, buffer, 1); syscall(SYS_lseek, d, 0, SEEK_SET);",
    "dup3": "dup3(fd, 77, O_CLOEXEC);",
    "fcntl": "fcntl(fd, F_DUPFD, 50);",
    "fcntl64": "fcntl64(fd, F_DUPFD_CLOEXEC, 50);",
    "fdopen": 'FILE *f = fdopen(fd, "r"); fgetc(f); rewind(f);',
    "fork": "if (!fork()) { sleep(0); _exit(0); } wait(0);",
    "vfork": "if (!vfork()) { dup2(fd, 0); _exit(0); }",
    "spawn": 'pid_t p; posix_spawn(&p, "/bin/true", 0, 0, (char *[]){"true", 0}, environ); wait(0);',
    "syscall": "syscall(SYS_pread64, fd, buffer, 1, 0);",
    "passed": """int s[2]; socketpair(AF_UNIX, SOCK_DGRAM, 0, s); char c[CMSG_SPACE(4)] = {0}, x = 0;
        struct msghdr m = {.msg_iov = &(struct iovec){&x, 1}, .msg_iovlen = 1, .msg_control = c,
            .msg_controllen = sizeof c};
        struct cmsghdr *h = CMSG_FIRSTHDR(&m); h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(4); memcpy(CMSG_DATA(h), &fd, 4); CHECK(sendmsg(s[0], &m, 0) == 1);""",
    "close all": "close_range(3, ~0U, 0);",
    "closefrom": "closefrom(3);",
    "never closed": "return 0;",
    "overwritten": "dup2(1, fd);",
    "aio": "#include <aio.h>\nstruct aiocb a = {.aio_fildes = fd, .aio_buf = buffer, .aio_nbytes = 1}; aio_read(&a); while (aio_error(&a) == EINPROGRESS);",
    "raw descriptor number": "for (int i = 3; i < 1100; i++) dup(fd); ",
}


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_what_may_have_been_read_counts_as_read(spoiler: str, run: Callable) -> None:
    headers, _, body = (
        SPOILERS[spoiler].rpartition("\n") if spoiler == "aio" else ("", "", SPOILERS[spoiler])
    )
    traced = run(f"{headers}\nint main(void) {{ {OPEN} {body} close(fd); return 0; }}", whole=True)
    assert not traced.is_unused("in")


def test_a_reader_in_another_process_is_not_hidden_by_an_unread_open(trace: Callable) -> None:
    traced = trace("bash", "-c", "for i in 1 2 3; do : < in; done; cat in; : < in")
    assert not traced.is_unused("in")


def test_a_number_reused_behind_our_back_proves_nothing(run: Callable) -> None:
    """fclose closes inside libc, so the entry of the descriptor it closes must not outlive it."""
    traced = run(
        OPEN
        + 'FILE *f = fdopen(fd, "r"); fgetc(f); fclose(f); int g = open("empty", O_RDONLY); close(g);'
    )
    assert not traced.is_unused("in")


def test_threads_may_open_and_close_at_will(run: Callable) -> None:
    traced = run(
        """void *work(void *x) { for (int i = 0; i < 3000; i++) {
            int fd = open("in", O_RDONLY); CHECK(fd >= 0);
            if (i == 2000) CHECK(read(fd, (char[9]){0}, 9) == 7); CHECK(close(fd) == 0); } return 0; }
        int main(void) { pthread_t t[8]; for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, work, 0);
            for (int i = 0; i < 8; i++) pthread_join(t[i], 0); return 0; }""",
        whole=True,
    )
    assert not traced.is_unused("in")


def test_without_a_table_everything_is_still_told(run: Callable, folder: Path) -> None:
    traced = run(OPEN + 'read(fd, buffer, 1); close(fd); unlink("in");', table_slots=0)
    assert not traced.is_unused("in")
    assert traced.named(Kind.UNLINK) == [("in",)]
