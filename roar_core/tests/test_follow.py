"""Which of the files that a running command opens are worth hashing early."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roar_core.hashing.early import EarlyHasher
from roar_core.journal import Intent, Journal, Kind
from roar_core.model.fingerprint import Fingerprint
from roar_core.run.follow import Follower, mark_hashed


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
