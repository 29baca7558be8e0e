"""The codec says what the C header says, and survives any bytes."""

from __future__ import annotations

import re
import struct
import subprocess
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roar_core
from roar_core import journal_format as wire
from roar_core.journal_format import (
    CHUNK,
    HEADER,
    GapCode,
    Intent,
    Kind,
    Record,
    RenameFlag,
    SlotState,
    TaskEvent,
    decode_records,
    encode_record,
)
from roar_core.model.fingerprint import Fingerprint

INCLUDE = Path(roar_core.__file__).parent / "include"
HEADER_TEXT = (INCLUDE / "roar_journal.h").read_text()
FILE = Fingerprint(1, 2, 3, -4, 5, 0o100644, 1)

MEMBERS = {
    "gap": GapCode,
    "intent": Intent,
    "rename": RenameFlag,
    "slot": SlotState,
}


def defines() -> dict[str, int]:
    """Every numeric #define of the header."""
    found = re.findall(r"#define ROAR_(\w+) \(?(\w+?)u?(?: << (\d+))?\)?(?:\s|$)", HEADER_TEXT)
    return {
        name: int(number, 0) << int(shift or 0)
        for name, number, shift in found
        if re.fullmatch(r"\d\w*", number)
    }


def enum_members(name: str) -> dict[str, int]:
    body = re.search(rf"enum roar_{name} \{{(.*?)\n\}};", HEADER_TEXT, re.DOTALL)
    assert body
    found = re.findall(r"^\s*ROAR_(\w+) = (\d+)", body[1], re.MULTILINE)
    return {member: int(number) for member, number in found}


def offsets(name: str) -> dict[str, int]:
    """Where each field of a struct lies; its fields are all naturally aligned."""
    body = re.search(rf"struct {name} \{{(.*?)\n\}};", HEADER_TEXT, re.DOTALL)
    assert body
    sizes = {"char": 1, "uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8, "int64_t": 8}
    at, found = 0, {}
    for kind, field, count in re.findall(r"^\s*(\w+) (\w+)(?:\[(\d+)\])?;", body[1], re.MULTILINE):
        assert at % sizes[kind] == 0
        found[field] = at
        at += sizes[kind] * int(count or 1)
    return found | {"": at}


def test_every_kind_and_gap_is_the_headers() -> None:
    assert enum_members("kind") == {kind.name: kind.value for kind in Kind}
    gaps = {name.removeprefix("GAP_"): number for name, number in enum_members("gap").items()}
    assert gaps == {gap.name: gap.value for gap in GapCode}
    events = {name.removeprefix("EVENT_"): n for name, n in enum_members("event").items()}
    assert events == {event.name: event.value for event in TaskEvent}


@pytest.mark.parametrize(("prefix", "enum"), [*MEMBERS.items()][1:])
def test_every_bit_is_the_headers(prefix: str, enum: type[IntFlag | IntEnum]) -> None:
    start = f"{prefix.upper()}_"
    bits = {name[len(start) :]: bit for name, bit in defines().items() if name.startswith(start)}
    assert bits == {member.name: member.value for member in enum}


def test_every_number_is_the_headers() -> None:
    numbers = defines()
    assert numbers["JOURNAL_VERSION"] == wire.JOURNAL_VERSION
    assert numbers["JOURNAL_HEADER_SIZE"] == wire.HEADER_SIZE
    assert numbers["JOURNAL_CHUNK"] == wire.CHUNK
    assert numbers["JOURNAL_MAX_CHUNKS"] == wire.MAX_CHUNKS
    assert numbers["RECORD_MAGIC"] == wire.RECORD_MAGIC
    assert numbers["RECORD_MAX"] == wire.RECORD_MAX
    assert numbers["PREIMAGE_NONE"] == wire.PREIMAGE_NONE
    assert numbers["PREIMAGE_DONE"] == wire.PREIMAGE_DONE
    assert numbers["PREIMAGE_NEVER"] == wire.PREIMAGE_NEVER
    assert wire.JOURNAL_MAGIC == b"ROARJNL\n"
    assert '"ROARJNL\\n"' in HEADER_TEXT


def test_the_header_page_is_laid_out_as_in_c() -> None:
    fields = offsets("roar_journal_header")
    assert fields[""] == HEADER.size
    assert fields["boot_id"] == wire.BOOT_ID_OFFSET
    assert fields["tail"] == wire.TAIL_OFFSET
    assert fields["lost"] == wire.LOST_OFFSET
    assert fields["allocated"] == wire.ALLOCATED_OFFSET
    assert fields["doorbell"] == wire.DOORBELL_OFFSET
    assert fields["reader_alive"] == wire.READER_ALIVE_OFFSET
    assert fields[""] - fields["successor"] == wire.SUCCESSOR_MAX
    numbers = range(1, HEADER.size)
    values = HEADER.unpack(bytes(number % 256 for number in [0, *numbers]))
    names = [name for name in fields if name and not name.startswith("pad")]
    for name, value in zip(names, values, strict=True):
        first = value[0] if isinstance(value, bytes) else value & 0xFF
        assert first == fields[name] % 256, name


def test_a_slot_is_laid_out_as_in_c() -> None:
    fields = offsets("roar_journal_slot")
    assert (fields["preimage"], fields[""]) == (wire.SLOT_PREIMAGE_OFFSET, wire.SLOT_SIZE)


@pytest.mark.needs("cc")
def test_checks_and_keys_are_those_of_c(tmp_path: Path) -> None:
    program = tmp_path / "numbers.c"
    program.write_text(
        '#include "roar_journal.h"\n#include <stdio.h>\nint main(void) {\n'
        "  struct roar_record r = {.size = 120, .kind = 6, .fingerprints = 1, .strings = 1,\n"
        "                          .pid = 4294967290u};\n"
        '  printf("%llu %u %u %llu\\n", (unsigned long long)roar_slot_key(64769, 1234567),\n'
        "         roar_stamp(99, -5, 1700000000123456789), roar_record_check(2101248, &r),\n"
        "         (unsigned long long)roar_slot_key(0, 0));\n}\n"
    )
    subprocess.run(
        ["cc", "-std=gnu11", f"-I{INCLUDE}", "-o", tmp_path / "numbers", program], check=True
    )
    printed = subprocess.check_output([tmp_path / "numbers"], text=True).split()
    assert [int(number) for number in printed] == [
        wire.slot_key(64769, 1234567),
        wire.stamp(99, -5, 1700000000123456789),
        wire.record_check(2101248, 120, 6, 1, 1, 4294967290),
        wire.slot_key(0, 0),
    ]


# --- the codec -----------------------------------------------------------------------------------

u32, u64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
fingerprints = st.builds(Fingerprint, u64, u64, u64, i64, i64, u32, u32)
records = st.builds(
    Record,
    st.just(0),
    st.integers(1, 18),
    u32,
    u32,
    u64,
    u64,
    st.lists(fingerprints, max_size=2).map(tuple),
    st.lists(st.binary(max_size=40), max_size=3).map(tuple),
)


def lay_out(these: list[Record], base: int = 0) -> tuple[bytes, list[Record]]:
    """The bytes of records one behind the other, and the records with their offsets."""
    data, placed = b"", []
    for record in these:
        placed.append(record._replace(offset=base + len(data)))
        data += encode(placed[-1])
    return data, placed


def encode(record: Record) -> bytes:
    return encode_record(
        record.offset,
        record.kind,
        pid=record.pid,
        tid=record.tid,
        time_ns=record.time_ns,
        value=record.value,
        fingerprints=record.fingerprints,
        strings=record.strings,
    )


@given(st.lists(records, max_size=8), st.integers(0, 1000).map(lambda n: n * 8))
def test_what_was_encoded_is_decoded(these: list[Record], base: int) -> None:
    data, placed = lay_out(these, base)
    assert decode_records(data, 0, len(data), base=base) == (placed, len(data), 0)
    assert decode_records(memoryview(data), 0, len(data), base=base)[0] == placed


@given(st.lists(records, min_size=3, max_size=6), st.data())
def test_a_hole_costs_only_its_own_record(these: list[Record], data: st.DataObject) -> None:
    raw, placed = lay_out(these)
    index = data.draw(st.integers(0, len(placed) - 2))
    start, end = placed[index].offset, placed[index + 1].offset
    holed = raw[:start] + bytes(end - start) + raw[end:]
    found, behind, unreadable = decode_records(holed, 0, len(holed))
    assert found == placed[:index] + placed[index + 1 :]
    assert (behind, unreadable) == (len(raw), end - start)


@given(st.lists(records, min_size=1, max_size=6), st.data())
def test_a_cut_end_costs_only_what_was_cut(these: list[Record], data: st.DataObject) -> None:
    raw, placed = lay_out(these)
    length = data.draw(st.integers(0, len(raw)))
    found, behind, unreadable = decode_records(raw[:length], 0, length)
    assert found == [r for r in placed if r.offset + len(encode(r)) <= length]
    assert unreadable == 0
    assert behind <= length


@settings(deadline=None)
@given(st.lists(records, min_size=1, max_size=6), st.data())
def test_flipped_bits_never_raise_and_what_is_missing_is_counted(
    these: list[Record], data: st.DataObject
) -> None:
    raw, placed = lay_out(these)
    broken = bytearray(raw)
    for at in data.draw(st.lists(st.integers(0, len(raw) * 8 - 1), min_size=1, max_size=5)):
        broken[at // 8] ^= 1 << at % 8
    found, behind, unreadable = decode_records(bytes(broken), 0, len(broken))
    decoded = sum(len(encode(record)) for record in found)
    assert len(found) <= len(placed)
    assert behind <= len(raw)
    assert decoded + unreadable <= len(raw)


@given(st.binary(max_size=400), st.integers(0, 50).map(lambda n: n * 8))
def test_random_bytes_hold_no_record(data: bytes, base: int) -> None:
    assert decode_records(data, 0, len(data), base=base) == ([], 0, 0)


def test_bytes_that_only_look_like_records_end() -> None:
    data = struct.pack("=I", wire.RECORD_MAGIC) * 20_000
    assert decode_records(data, 0, len(data)) == ([], 0, 0)


def test_a_record_at_another_place_is_none() -> None:
    data = encode_record(4096, Kind.EXIT, pid=7)
    assert decode_records(data, 0, len(data), base=4096)[0]
    assert decode_records(data, 0, len(data), base=4104)[0] == []


def test_strings_that_run_out_of_their_record_spoil_only_it() -> None:
    data = bytearray(encode_record(0, Kind.CHDIR, strings=(b"/home/somebody",)))
    struct.pack_into("=I", data, 40, 4000)
    after = encode_record(len(data), Kind.EXIT, pid=7)
    found, _, unreadable = decode_records(bytes(data) + after, 0, len(data) + len(after))
    assert [record.kind for record in found] == [Kind.EXIT]
    assert unreadable == len(data)


def test_padding_is_skipped_and_unknown_kinds_are_kept() -> None:
    pad = encode_record(0, Kind.PAD, size=400)
    data = pad + encode_record(400, 900, value=3)
    found, _, unreadable = decode_records(data, 0, len(data))
    assert [(record.kind, record.value) for record in found] == [(900, 3)]
    assert unreadable == 0


def test_room_too_small_for_a_record_before_a_chunks_end_is_no_hole() -> None:
    first = encode_record(CHUNK - 32 - 40, Kind.EXIT)
    second = encode_record(CHUNK, Kind.EXIT)
    data = first + bytes(32) + second
    assert decode_records(data, 0, len(data), base=CHUNK - 32 - 40)[1:] == (len(data), 0)


def test_a_record_across_a_chunks_end_is_none() -> None:
    data = encode_record(CHUNK - 8, Kind.EXIT)
    assert decode_records(data, 0, len(data), base=CHUNK - 8)[0] == []


@pytest.mark.parametrize(
    "too_much",
    [
        {"strings": (bytes(wire.RECORD_MAX),)},
        {"fingerprints": (FILE, FILE, FILE)},
        {"size": 44},
        {"size": 32},
    ],
)
def test_what_is_no_record_cannot_be_encoded(too_much: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no record"):
        encode_record(0, Kind.OPEN, **too_much)  # type: ignore[arg-type]


def test_gaps_have_stable_names() -> None:
    assert (GapCode.IO_URING.code, GapCode.STATIC.code) == ("io_uring", "static")
