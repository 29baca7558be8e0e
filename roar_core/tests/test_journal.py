"""A journal in use, with writers as tracers are: processes that map the file and may die."""

from __future__ import annotations

import errno
import mmap
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roar_core import journal_file
from roar_core import journal_format as wire
from roar_core.errors import JournalError
from roar_core.journal import (
    PREIMAGE_DONE,
    Journal,
    Kind,
    open_existing,
    private_directories,
)
from roar_core.journal_format import CHUNK, encode_record, slot_key
from roar_core.model.fingerprint import Fingerprint
from roar_core.run.inner import inner_runs

UID = "0123456789abcdef" * 2
FILE = Fingerprint(64769, 1234, 3, 4, 5, 0o100644, 1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.create(tmp_path / "run.jnl", UID, table_slots=64) as made:
        yield made


class Writer:
    """What a tracer does, one record at a time."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "r+b")  # noqa: SIM115 - closed by `close`
        self.memory = mmap.mmap(self.file.fileno(), 0)

    def reserve(self, size: int) -> int:
        tail = self.word(wire.TAIL_OFFSET)
        self.set_word(wire.TAIL_OFFSET, tail + size)
        return tail

    def write(self, kind: Kind = Kind.EXIT, value: int = 0, strings: tuple[bytes, ...] = ()) -> int:
        size = len(encode_record(0, kind, value=value, strings=strings))
        at = self.reserve(size)
        self.fill(at, kind, value, strings)
        return at

    def fill(
        self, at: int, kind: Kind = Kind.EXIT, value: int = 0, strings: tuple[bytes, ...] = ()
    ) -> None:
        record = encode_record(at, kind, pid=os.getpid(), value=value, strings=strings)
        self.memory[at : at + len(record)] = record

    def word(self, at: int) -> int:
        return int(struct.unpack_from("=Q", self.memory, at)[0])

    def set_word(self, at: int, value: int) -> None:
        struct.pack_into("=Q", self.memory, at, value)

    def close(self) -> None:
        self.memory.close()
        self.file.close()


@pytest.fixture
def writer(journal: Journal) -> Iterator[Writer]:
    made = Writer(journal.path)
    yield made
    made.close()


def test_a_wait_that_was_cut_short_does_not_keep_it_open(journal: Journal) -> None:
    """As Ctrl-C cuts it: the exception still holds what was waited on."""
    held = memoryview(journal._memory)
    journal.close()
    journal.close()
    held.release()
    journal._memory.close()


def test_a_new_journal_is_private_and_really_allocated(journal: Journal) -> None:
    status = os.stat(journal.path)
    assert status.st_mode & 0o777 == 0o600
    assert status.st_size == CHUNK
    assert status.st_blocks * 512 >= CHUNK
    assert journal.header.run_uid.hex() == UID
    assert journal.read() == []


def test_the_clock_of_the_header_turns_record_times_into_wall_times(journal: Journal) -> None:
    now = time.monotonic_ns() + journal.header.clock
    assert abs(now - time.time_ns()) < 1_000_000_000


def test_records_come_out_once_and_in_order(journal: Journal, writer: Writer) -> None:
    writer.write(value=1)
    writer.write(Kind.CHDIR, 2, (b"/a",))
    assert [record.value for record in journal.read()] == [1, 2]
    writer.write(value=3)
    assert [record.value for record in journal.read()] == [3]
    assert journal.finish() == []
    assert journal.unreadable_bytes == 0


def test_a_young_hole_stops_the_reader_and_an_old_one_does_not(
    journal: Journal, writer: Writer
) -> None:
    writer.write(value=1)
    hole = writer.reserve(40)
    writer.write(value=3)
    assert [record.value for record in journal.read()] == [1]
    assert journal.read() == []
    deadline = time.monotonic() + 5
    found: list[int] = []
    while not found and time.monotonic() < deadline:
        journal.wait(0.02)
        found = [record.value for record in journal.read()]
    assert found == [3]
    assert journal.unreadable_bytes == 40
    writer.fill(hole, value=2)
    assert [record.value for record in journal.finish()] == [2]
    assert journal.unreadable_bytes == 0


def test_a_killed_writers_hole_is_counted(journal: Journal, writer: Writer) -> None:
    writer.reserve(160)
    writer.write(value=1)
    assert [record.value for record in journal.finish()] == [1]
    assert journal.unreadable_bytes == 160


def test_records_of_many_killed_processes_are_read(journal: Journal) -> None:
    program = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from roar_core.journal_format import encode_record\n"
        "import mmap, struct\n"
        "with open(sys.argv[1], 'r+b') as f: memory = mmap.mmap(f.fileno(), 0)\n"
        "at = int(sys.argv[3]); record = encode_record(at, 5, pid=os.getpid(), value=at)\n"
        "memory[at:at + len(record)] = record\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    writer = Writer(journal.path)
    places = [writer.reserve(40) for _ in range(4)]
    writer.close()
    source = str(Path(wire.__file__).parent.parent)
    children = [
        subprocess.Popen([sys.executable, "-c", program, journal.path, source, str(at)])
        for at in places
    ]
    assert [child.wait() for child in children] == [-signal.SIGKILL] * 4
    assert [record.value for record in journal.finish()] == places


def test_roars_own_records_are_read_and_outlive_it(journal: Journal, writer: Writer) -> None:
    writer.write(value=5)
    assert journal.append(Kind.GAP, value=15, strings=(b"sleep",))
    assert journal.append(Kind.LOST, value=2)
    assert [record.kind for record in journal.read()] == [Kind.GAP, Kind.LOST, Kind.EXIT]
    assert journal.finish() == []
    recovered = open_existing(journal.path)
    assert [record.kind for record in recovered.records] == [Kind.GAP, Kind.LOST, Kind.EXIT]
    assert recovered.unreadable_bytes == 0


def test_when_its_own_room_is_full_roar_still_reads_what_it_said(journal: Journal) -> None:
    kept = 0
    while journal.append(Kind.GAP, value=1, strings=(bytes(1000),)):
        kept += 1
    assert kept > 50
    assert len(journal.read()) == kept + 1
    assert len(open_existing(journal.path).records) in (kept, kept + 1)


def test_room_grows_by_a_chunk_before_it_runs_short(journal: Journal, writer: Writer) -> None:
    assert not journal.grow_if_needed()
    writer.set_word(wire.TAIL_OFFSET, CHUNK - (8 << 20) + 8)
    assert journal.grow_if_needed()
    assert journal.allocated == 2 * CHUNK == os.stat(journal.path).st_size
    assert not journal.grow_if_needed()


def test_records_are_read_across_chunks(journal: Journal, writer: Writer) -> None:
    writer.set_word(wire.TAIL_OFFSET, CHUNK - 72)
    journal.grow_if_needed()
    writer.close()
    longer = Writer(journal.path)
    longer.write(value=1)
    longer.reserve(32)
    longer.write(value=2)
    assert [record.value for record in journal.finish()] == [1, 2]
    # What was skipped to get here is a hole; the 32 bytes before the chunk's end are not.
    start = journal.header.records_offset + wire.OWN_ROOM
    assert journal.unreadable_bytes == CHUNK - 72 - start
    longer.close()


def test_on_a_full_disk_growth_stops_and_says_so(tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        "from roar_core.journal import Journal\n"
        "from roar_core.journal_format import CHUNK\n"
        "journal = Journal.create(sys.argv[1], '00' * 16, room_bytes=4 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))\n"
        "print(journal.grow_if_needed(), journal.growth_stopped, journal.allocated >> 20)\n"
        "print(journal.grow_if_needed(), journal.finish())\n"
    )
    printed = subprocess.check_output(
        [sys.executable, "-c", program, tmp_path / "run.jnl"], text=True
    )
    assert printed.splitlines() == [f"False {os.strerror(errno.EFBIG)} 4", "False []"]


def test_half_a_copy_for_the_outer_run_is_none(tmp_path: Path, journal: Journal) -> None:
    with Journal.create(tmp_path / "outer.jnl", UID, table_slots=64) as outer:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, limits[1]))
        try:
            with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
                journal_file.hand_over(journal.path, outer.path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        [copy] = journal_file.handed_over_to(outer.path)
        [reason] = inner_runs(outer.path).reasons
        assert (reason.code, reason.detail) == ("tracer", f"{copy!r} is not a trace journal")


def test_no_room_is_an_error_that_names_the_place_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(JournalError, match=re_escape(tmp_path)):
            Journal.create(tmp_path / "run.jnl", UID)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def re_escape(path: Path) -> str:
    return str(path).replace(".", r"\.")


def test_a_journal_that_cannot_be_created_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot create the journal"):
        Journal.create(tmp_path / "missing" / "run.jnl", UID)
    (tmp_path / "there.jnl").touch()
    with pytest.raises(JournalError, match="cannot create the journal"):
        Journal.create(tmp_path / "there.jnl", UID)


def test_a_lost_record_is_counted(journal: Journal, writer: Writer) -> None:
    writer.set_word(wire.LOST_OFFSET, 3)
    assert journal.lost == 3


@pytest.mark.parametrize("tail", [0, 1, 8, 4097, CHUNK + 1, 2**63, 2**64 - 1])
def test_a_nonsensical_tail_harms_nothing(journal: Journal, writer: Writer, tail: int) -> None:
    writer.write(value=1)
    writer.set_word(wire.TAIL_OFFSET, tail)
    assert [record.value for record in journal.finish()] in ([], [1])
    assert [record.value for record in open_existing(journal.path).records] == [1]


def test_waiting_ends_when_somebody_rings(journal: Journal) -> None:
    assert journal.wait(0.01) is False
    bell = threading.Timer(0.05, journal.ring)
    bell.start()
    started = time.monotonic()
    assert journal.wait(20) is True
    assert time.monotonic() - started < 10
    bell.join()


def test_a_ring_before_waiting_is_not_missed(journal: Journal) -> None:
    journal.ring()
    assert journal.wait(20) is True


def test_the_slot_of_an_inode_is_marked_where_its_tracer_put_it(
    journal: Journal, writer: Writer
) -> None:
    key = slot_key(FILE.dev, FILE.ino)
    first = journal.header.table_offset + (key & 63) * wire.SLOT_SIZE
    second = journal.header.table_offset + ((key + 1) & 63) * wire.SLOT_SIZE
    writer.set_word(first, 99)
    assert journal.mark_preimage(FILE, PREIMAGE_DONE) is False
    writer.set_word(second, key)
    assert journal.mark_preimage(FILE, PREIMAGE_DONE) is True
    (state,) = struct.unpack_from("=I", writer.memory, second + wire.SLOT_PREIMAGE_OFFSET)
    assert state == PREIMAGE_DONE


def test_a_full_table_is_searched_no_further_than_its_limit(
    journal: Journal, writer: Writer
) -> None:
    for slot in range(64):
        writer.set_word(journal.header.table_offset + slot * wire.SLOT_SIZE, 99)
    assert journal.mark_preimage(FILE, PREIMAGE_DONE) is False


def test_without_a_table_nothing_is_marked(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run.jnl", UID, table_slots=0) as made:
        assert made.header.table_offset == 0
        assert made.mark_preimage(FILE, PREIMAGE_DONE) is False


def test_when_roar_stops_reading_writers_are_told(journal: Journal, writer: Writer) -> None:
    alive = struct.unpack_from("=I", writer.memory, wire.READER_ALIVE_OFFSET)
    journal.stop_reading()
    assert alive != struct.unpack_from("=I", writer.memory, wire.READER_ALIVE_OFFSET)


def test_a_removed_journal_leaves_nothing(tmp_path: Path) -> None:
    made = Journal.create(tmp_path / "run.jnl", UID)
    made.remove()
    assert list(tmp_path.iterdir()) == []
    made.remove()


# --- elsewhere -----------------------------------------------------------------------------------


def test_where_a_journal_may_lie_instead() -> None:
    assert private_directories({"XDG_RUNTIME_DIR": "/run/user/7"}) == ("/run/user/7", "/dev/shm")
    assert private_directories({"XDG_RUNTIME_DIR": "relative"}) == ("/dev/shm",)


def test_a_journal_elsewhere_is_private_found_again_and_removed(tmp_path: Path) -> None:
    wanted = tmp_path / "run.jnl"
    other = tmp_path / "shared"
    other.mkdir()
    fd, path = journal_file.allocate_privately(str(wanted), UID, [str(other)], 1 << 20)
    os.close(fd)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(Path(path).parent).st_mode & 0o777 == 0o700
    with pytest.raises(JournalError, match=re_escape(Path(path))):
        open_existing(wanted)
    journal_file.remove(str(wanted), path)
    assert list(tmp_path.iterdir()) == [other]
    assert list(other.iterdir()) == []


def test_a_directory_that_is_already_there_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / f"roar-{UID}").mkdir()
    with pytest.raises(JournalError, match="cannot hold a journal"):
        journal_file.allocate_privately(str(tmp_path / "run.jnl"), UID, [str(tmp_path)], 1 << 20)


def test_a_pointer_leads_to_a_journal_that_lies_elsewhere(tmp_path: Path) -> None:
    private = tmp_path / f"roar-{UID}"
    private.mkdir()
    with Journal.create(private / "journal.jnl", UID) as made:
        made.append(Kind.LOST, value=1)
    wanted = tmp_path / "run.jnl"
    wanted.write_bytes(b"roar journal at " + os.fsencode(private / "journal.jnl") + b"\n")
    recovered = open_existing(wanted)
    assert len(recovered.records) == 1
    journal_file.remove(str(wanted))
    assert list(tmp_path.iterdir()) == []


def test_a_forged_pointer_is_not_followed_and_deletes_nothing(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("x")
    wanted = tmp_path / "run.jnl"
    wanted.write_bytes(b"roar journal at " + os.fsencode(precious) + b"\n")
    with pytest.raises(JournalError, match="no journal of ours"):
        open_existing(wanted)
    journal_file.remove(str(wanted))
    assert list(tmp_path.iterdir()) == [precious]


# --- after a crash -------------------------------------------------------------------------------


def test_a_journal_is_recovered_with_its_lost_records(journal: Journal, writer: Writer) -> None:
    writer.write(value=1)
    writer.reserve(80)
    writer.write(value=2)
    writer.set_word(wire.LOST_OFFSET, 4)
    recovered = open_existing(journal.path)
    assert [record.value for record in recovered.records] == [1, 2]
    assert (recovered.lost, recovered.unreadable_bytes) == (4, 80)
    assert recovered.header.run_uid.hex() == UID


def test_a_hole_at_the_very_end_is_counted_too(journal: Journal, writer: Writer) -> None:
    writer.write(value=1)
    writer.reserve(80)
    assert open_existing(journal.path).unreadable_bytes == 80
    journal.finish()
    assert journal.unreadable_bytes == 80


def test_a_missing_end_is_counted(journal: Journal, writer: Writer, tmp_path: Path) -> None:
    writer.write(value=1)
    at = writer.write(value=2)
    cut = tmp_path / "cut.jnl"
    cut.write_bytes(Path(journal.path).read_bytes()[: at + 16])
    recovered = open_existing(cut)
    assert [record.value for record in recovered.records] == [1]
    assert recovered.unreadable_bytes == 40


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"ROARJNL\n", bytes(5000)])
def test_what_is_no_journal_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.jnl").write_bytes(content)
    with pytest.raises(JournalError, match="is not a trace journal"):
        open_existing(tmp_path / "x.jnl")


def test_a_missing_or_odd_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot open"):
        open_existing(tmp_path / "missing.jnl")
    with pytest.raises(JournalError, match="not a trace journal"):
        open_existing(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(JournalError, match="not a trace journal"):
        open_existing(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(JournalError, match="cannot open"):
        open_existing(tmp_path / "link")


def test_a_journal_of_another_version_says_so(journal: Journal, writer: Writer) -> None:
    struct.pack_into("=I", writer.memory, 8, 9)
    with pytest.raises(JournalError, match="version 9"):
        open_existing(journal.path)


@pytest.fixture(scope="module")
def small_journal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A journal of a few pages with ten records, to be broken."""
    path = tmp_path_factory.mktemp("small") / "run.jnl"
    with Journal.create(path, UID, table_slots=0, room_bytes=80 << 10):
        writer = Writer(str(path))
        for value in range(10):
            writer.write(Kind.CHDIR, value, (b"/some/where",))
        writer.close()
    return path.parent / "broken.jnl", path.read_bytes()


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_is_survived(small_journal: tuple[Path, bytes], data: st.DataObject) -> None:
    path, content = small_journal
    broken = bytearray(content[: data.draw(st.integers(0, len(content)))])
    places = st.one_of(st.integers(0, 255), st.integers(4096, 4200), st.integers(69_600, 70_400))
    for at in data.draw(st.lists(places, max_size=12)):
        if at < len(broken):
            broken[at] = data.draw(st.integers(0, 255))
    broken += data.draw(st.binary(max_size=200))
    path.write_bytes(broken)
    try:
        recovered = open_existing(path)
    except JournalError:
        return
    assert len(recovered.records) <= 10
    assert 0 <= recovered.unreadable_bytes <= wire.MAX_CHUNKS * CHUNK


def test_a_header_overwritten_by_the_command_ends_no_read_and_no_growth(
    journal: Journal, writer: Writer
) -> None:
    writer.write(Kind.EXIT, value=7)
    assert journal.read()
    for offset in (wire.TAIL_OFFSET, wire.ALLOCATED_OFFSET):
        writer.set_word(offset, 1 << 62)
    assert journal.finish() == []
    assert journal.allocated == CHUNK
    assert journal.unreadable_bytes < CHUNK
