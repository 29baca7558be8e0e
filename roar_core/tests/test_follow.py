"""What is known of a command while it runs: which files are worth hashing early, who is left."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roar_core.hashing.early import EarlyHasher
from roar_core.journal import Intent, Journal, Kind, Record
from roar_core.journal_format import TAIL_OFFSET, encode_record
from roar_core.model.fingerprint import Fingerprint
from roar_core.run.follow import Follower, mark_hashed
from roar_core.run.processes import ProcessTree


class Followed:
    """A journal that is followed, and the command's side of it."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal.create(folder / "run.jnl", "0" * 32)
        self.hasher = EarlyHasher(mark_hashed(self.journal))
        self.follower = Follower(self.journal, self.hasher, lambda path: True)

    def report(self, kind: Kind, path: Path, value: int = 0) -> Fingerprint:
        """Report something of the file at `path` as it is now."""
        version = Fingerprint.from_stat(path.stat())
        self.journal.append(
            kind, value=value, fingerprints=(version,), strings=(os.fsencode(path),)
        )
        return version

    def digests(self, version: Fingerprint) -> dict[str, str] | None:
        """What the hasher says of a version once all that was reported has been answered."""
        self.follower.survivors(0.0)
        assert self.hasher.drain(30)
        return self.hasher.lookup(version)


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    followed = Followed(tmp_path)
    yield followed
    followed.follower.finish()
    followed.hasher.stop()
    followed.journal.remove()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_text("content")
    return path


def test_what_is_read_is_hashed(followed: Followed, file: Path) -> None:
    version = followed.report(Kind.OPEN, file, Intent.READ)
    assert followed.digests(version)


@pytest.mark.parametrize("how", [Intent.CREATED, Intent.TRUNCATE, Intent.TMPFILE])
def test_what_the_command_made_itself_is_not_hashed_when_it_reads_it(
    followed: Followed, file: Path, how: Intent
) -> None:
    followed.report(Kind.OPEN, file, Intent.WRITE | how)
    version = followed.report(Kind.OPEN, file, Intent.READ)
    assert followed.digests(version) is None


def test_a_number_that_is_given_again_means_another_file(followed: Followed, file: Path) -> None:
    followed.report(Kind.OPEN, file, Intent.WRITE | Intent.CREATED)
    followed.report(Kind.UNLINK, file)
    time_ns = time.time_ns()
    os.utime(file, ns=(time_ns, time_ns))
    version = followed.report(Kind.OPEN, file, Intent.READ)
    assert followed.digests(version)


@pytest.fixture
def child() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "600"])
    yield process.pid
    process.kill()
    process.wait()


def test_a_writer_that_died_in_mid_record_hides_nobody_who_is_left(
    followed: Followed, child: int
) -> None:
    with open(followed.journal.path, "r+b") as file:
        fd = file.fileno()
        hole = struct.unpack("=Q", os.pread(fd, 8, TAIL_OFFSET))[0]
        at = hole + 64
        record = encode_record(at, Kind.FORK, pid=os.getpid(), value=child)
        os.pwrite(fd, record, at)
        os.pwrite(fd, struct.pack("=Q", at + len(record)), TAIL_OFFSET)
    assert followed.follower.survivors(0.0) == [child]


def test_one_who_has_only_begun_to_execute_is_left(followed: Followed, child: int) -> None:
    followed.journal.append(Kind.EXEC, pid=child, strings=(b"/bin/sleep", b"sleep"))
    assert followed.follower.survivors(0.0) == [child]


def test_a_late_word_of_a_process_that_has_ended_does_not_make_it_alive(child: int) -> None:
    """Its number may be a stranger's by then: here it is one's that lives."""
    tree = ProcessTree()
    ended = Record(64, Kind.EXIT, child, child, 20, 0, (), ())
    spawned = Record(128, Kind.EXEC, child, child, 10, 0, (), (b"/bin/true",))
    tree.take([ended, spawned])
    assert tree.survivors(0.0) == []
