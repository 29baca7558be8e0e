"""Early digests: of exactly the version offered, every offer answered, nothing held up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from roar_core.errors import DatabaseError
from roar_core.hashing.early import EarlyHasher
from roar_core.model.fingerprint import Fingerprint
from roar_core.testing.processes import wait_for

MIB = 1 << 20
START = Callable[..., EarlyHasher]


class Answers(list[tuple[Fingerprint, bool]]):
    """What `on_done` was told, in order."""

    def __call__(self, fingerprint: Fingerprint, ok: bool) -> None:
        self.append((fingerprint, ok))


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def start(answers: Answers) -> Iterator[START]:
    """Start hashers that tell `answers`, and stop them at the end."""
    hashers: list[EarlyHasher] = []

    def make(**settings: object) -> EarlyHasher:
        hashers.append(EarlyHasher(answers, **settings))  # type: ignore[arg-type]
        return hashers[-1]

    yield make
    for hasher in hashers:
        hasher.stop()
    # A killed process at idle priority needs an idle moment to end in.
    wait_for(lambda: not idle_processes())


def fingerprint_of(path: Path) -> Fingerprint:
    return Fingerprint.from_stat(path.stat())


def written(path: Path, content: bytes) -> tuple[str, Fingerprint]:
    """A file with that content, as `offer` wants it."""
    path.write_bytes(content)
    return str(path), fingerprint_of(path)


def idle_processes() -> list[int]:
    """Children of this process that run the idle server."""
    every = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in every if is_idle_process(pid) and parent_of(pid) == os.getpid()]


def is_idle_process(pid: int) -> bool:
    try:
        return b"roar_core.hashing.idle" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent_of(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1])


@pytest.mark.parametrize("urgent", [False, True])
def test_what_is_offered_gets_its_digest(
    tmp_path: Path, start: START, answers: Answers, urgent: bool
) -> None:
    hasher = start(algorithms=("blake3", "sha512"))
    offers = [written(tmp_path / str(number), b"x" * number * 999) for number in range(50)]
    for path, version in offers:
        hasher.offer(path, version, urgent=urgent)
    assert hasher.drain(60)
    assert sorted(answers) == sorted((version, True) for _, version in offers)
    digests = hasher.lookup(offers[7][1])
    assert digests is not None
    assert digests["blake3"] == blake3(b"x" * 7 * 999).hexdigest()
    assert len(digests["sha512"]) == 128


@pytest.mark.parametrize("urgent", [False, True])
def test_a_version_that_is_gone_is_refused(
    tmp_path: Path, start: START, answers: Answers, urgent: bool
) -> None:
    hasher = start()
    replaced, overwritten, deleted, blocked = (
        written(tmp_path / name, b"old bytes")
        for name in ("replaced", "overwritten", "deleted", "blocked")
    )
    written(tmp_path / "new", b"new bytes")
    (tmp_path / "new").replace(tmp_path / "replaced")
    mtime_ns = overwritten[1].mtime_ns
    (tmp_path / "overwritten").write_bytes(b"new bytes")
    os.utime(tmp_path / "overwritten", ns=(mtime_ns, mtime_ns))
    (tmp_path / "deleted").unlink()
    (tmp_path / "blocked").unlink()
    os.mkfifo(tmp_path / "blocked")
    for path, version in (replaced, overwritten, deleted, blocked):
        hasher.offer(path, version, urgent=urgent)
    assert hasher.drain(60)
    assert [ok for _, ok in answers] == [False] * 4
    assert hasher.lookup(replaced[1]) is None
    assert hasher.lookup(fingerprint_of(tmp_path / "replaced")) is None


def test_too_large_and_not_regular_are_refused_within_offer(
    tmp_path: Path, start: START, answers: Answers
) -> None:
    hasher = start(max_bytes=100)
    hasher.offer(*written(tmp_path / "large", bytes(101)))
    hasher.offer(*written(tmp_path / "large", bytes(101)), urgent=True)
    hasher.offer(str(tmp_path), fingerprint_of(tmp_path))
    assert [ok for _, ok in answers] == [False] * 3


def test_the_queue_is_bounded(tmp_path: Path, start: START, answers: Answers) -> None:
    go_on = threading.Event()
    known = {"blake3": "00"}
    hasher = start(max_pending=5, known=lambda _: known if go_on.wait() else None)
    offers = [written(tmp_path / str(number), b"abc") for number in range(8)]
    for path, version in offers:
        hasher.offer(path, version)
    assert answers == [(version, False) for _, version in offers[5:]]
    go_on.set()
    assert hasher.drain(60)
    hasher.stop()
    assert answers[3:] == [(version, True) for _, version in offers[:5]]


def test_the_stat_cache_is_asked_before_a_file_is_read(
    tmp_path: Path, start: START, answers: Answers
) -> None:
    path, version = written(tmp_path / "file", b"abc")
    (tmp_path / "file").unlink()
    hasher = start(known=lambda asked: {"blake3": "ab" * 32} if asked == version else None)
    hasher.offer(path, version)
    assert hasher.drain(60)
    assert answers == [(version, True)]
    assert hasher.lookup(version) == {"blake3": "ab" * 32}
    assert hasher.finished() == []


def test_a_cache_that_cannot_be_asked_costs_no_digest(
    tmp_path: Path, start: START, answers: Answers
) -> None:
    def busy(_version: Fingerprint) -> None:
        raise DatabaseError("the database is locked")

    hasher = start(known=busy)
    path, version = written(tmp_path / "file", b"abc")
    hasher.offer(path, version)
    assert hasher.drain(60)
    assert answers == [(version, True)]


def test_a_defect_in_the_hasher_leaves_no_writer_waiting(
    tmp_path: Path, start: START, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _told: None)

    def defect(_version: Fingerprint) -> None:
        raise ZeroDivisionError

    hasher = start(known=defect)
    path, version = written(tmp_path / "file", b"abc")
    hasher.offer(path, version)
    assert hasher.drain(60)
    hasher.offer(path, version)
    assert hasher.drain(60)
    assert answers == [(version, False)] * 2
    wait_for(lambda: all(thread.name != "roar-early" for thread in threading.enumerate()))


def test_a_version_offered_again_is_answered_from_what_is_known(
    tmp_path: Path, start: START, answers: Answers
) -> None:
    hasher = start()
    path, version = written(tmp_path / "file", b"abc")
    hasher.offer(path, version)
    assert hasher.drain(60)
    (tmp_path / "file").unlink()
    hasher.offer(path, version)
    assert answers == [(version, True)] * 2


def test_an_urgent_offer_overtakes_a_busy_queue(
    tmp_path: Path, start: START, answers: Answers
) -> None:
    hasher = start()
    large = [written(tmp_path / str(number), bytes(60 * MIB)) for number in range(3)]
    path, version = written(tmp_path / "urgent", b"abc")
    began = time.monotonic()
    for offer in large:
        hasher.offer(*offer)
    hasher.offer(path, version)
    hasher.offer(path, version, urgent=True)
    while (version, True) not in answers:
        assert time.monotonic() - began < 10
    assert answers.index((version, True)) == 0


def test_in_a_hurry_all_that_waits_is_hashed_without_the_idle_process(
    tmp_path: Path, start: START, answers: Answers
) -> None:
    hasher = start()
    hasher.offer(*written(tmp_path / "first", b"abc"))
    assert hasher.drain(60)
    (pid,) = idle_processes()
    os.kill(pid, signal.SIGSTOP)  # as on a machine that is never idle
    offers = [written(tmp_path / str(number), b"abc") for number in range(30)]
    for path, version in offers:
        hasher.offer(path, version)
    assert not hasher.drain(0.1)
    hasher.hurry()
    assert hasher.drain(60)
    assert sorted(answers[1:]) == sorted((version, True) for _, version in offers)


@pytest.mark.parametrize("urgent", [False, True])
def test_stop_abandons_what_is_in_progress_and_answers_it(
    tmp_path: Path, start: START, answers: Answers, urgent: bool
) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(64 << 30)
    hasher = start(max_bytes=1 << 40)
    sparse = fingerprint_of(tmp_path / "sparse")
    hasher.offer(str(tmp_path / "sparse"), sparse, urgent=urgent)
    waiting = [written(tmp_path / str(number), b"abc") for number in range(20)]
    for path, version in waiting:
        hasher.offer(path, version)
    assert not hasher.drain(0.2)
    hasher.stop()
    assert {version for version, _ in answers} == {sparse, *(version for _, version in waiting)}
    assert len(answers) == 21
    assert (sparse, False) in answers
    hasher.stop()
    wait_for(lambda: not idle_processes())


def test_after_stop_everything_is_refused_at_once(tmp_path: Path, answers: Answers) -> None:
    hasher = EarlyHasher(answers)
    hasher.stop()
    path, version = written(tmp_path / "file", b"abc")
    hasher.offer(path, version, urgent=True)
    assert answers == [(version, False)]


def test_no_process_is_started_before_something_is_offered(tmp_path: Path, start: START) -> None:
    hasher = start()
    assert idle_processes() == []
    hasher.offer(*written(tmp_path / "file", b"abc"), urgent=True)
    assert hasher.drain(60)
    assert idle_processes() == []


def test_the_process_runs_at_idle_priority_outside_the_foreground(
    tmp_path: Path, start: START
) -> None:
    hasher = start()
    hasher.offer(*written(tmp_path / "file", b"abc"))
    assert hasher.drain(60)
    (pid,) = idle_processes()
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    assert os.getpgid(pid) == pid
    assert os.getsid(pid) == os.getsid(0)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_when_the_process_is_killed_urgent_offers_are_still_hashed(
    tmp_path: Path, start: START, answers: Answers
) -> None:
    hasher = start()
    hasher.offer(*written(tmp_path / "first", b"abc"))
    assert hasher.drain(60)
    (pid,) = idle_processes()
    os.kill(pid, signal.SIGKILL)
    ordinary = written(tmp_path / "ordinary", b"abc")
    urgent = written(tmp_path / "urgent", b"abc")
    hasher.offer(*ordinary)
    hasher.offer(*urgent, urgent=True)
    assert hasher.drain(60)
    assert dict(answers[1:]) == {ordinary[1]: False, urgent[1]: True}


def test_the_process_ends_when_roar_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from roar_core.hashing.early import EarlyHasher\n"
        "from roar_core.model.fingerprint import Fingerprint\n"
        "hasher = EarlyHasher(lambda *answer: None)\n"
        "hasher.offer(sys.argv[1], Fingerprint.from_stat(os.stat(sys.argv[1])))\n"
        "hasher.drain()\n"
        "print(hasher._idle.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "file").write_bytes(b"abc")
    said = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "file"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == -signal.SIGKILL
    wait_for(lambda: not is_idle_process(int(said.stdout)))


def test_without_held_writers_a_version_just_written_is_refused(
    tmp_path: Path, start: START, answers: Answers
) -> None:
    held, free = start(), start(writers_are_held=False)
    path, version = written(tmp_path / "file", b"abc")
    ahead = time.time_ns() + 3600 * 10**9
    os.utime(path, ns=(ahead, ahead))
    version = fingerprint_of(tmp_path / "file")
    held.offer(path, version, urgent=True)
    assert held.drain(60)
    free.offer(path, version, urgent=True)
    assert free.drain(60)
    assert [ok for _, ok in answers] == [True, False]
