"""What the collector knows of others' formats is what these formats are."""

from __future__ import annotations

import ast
import os
import platform
import tomllib
from pathlib import Path

import pytest

from roar_core import journal as of_the_core
from roar_core.journal import GapCode, Intent, Kind, RenameFlag
from roar_tracer_ebpf import roard
from roar_tracer_ebpf.own import ROARD
from roar_tracer_ebpf.roard import btf, journal, layout

PLUGIN = Path(__file__).resolve().parent.parent


def test_the_numbers_of_the_journal_are_the_cores() -> None:
    for kind in Kind:
        assert getattr(journal, kind.name, int(kind)) == kind
    for intent in Intent:
        assert getattr(journal, f"INTENT_{intent.name}", int(intent)) == intent
    for flag in RenameFlag:
        assert getattr(journal, f"RENAME_{flag.name}") == flag
    for gap in GapCode:
        assert getattr(journal, f"GAP_{gap.name}", int(gap)) == gap
    for name in ("CHUNK", "MAX_CHUNKS", "SLOT_SIZE"):
        assert getattr(journal, name) == getattr(of_the_core, name)
    for name in ("TAIL", "LOST", "ALLOCATED", "DOORBELL", "READER_ALIVE"):
        assert getattr(journal, f"{name}_OFFSET") == getattr(of_the_core, f"{name}_OFFSET")


def test_a_journal_written_by_the_collector_is_read_by_the_core(tmp_path: Path) -> None:
    with of_the_core.Journal.create(tmp_path / "a.jnl", "0" * 32) as core:
        with open(core.path, "r+b") as file:
            writer = journal.JournalWriter(os.dup(file.fileno()), os.geteuid())
        fingerprint = (1, 2, 3, 4, -5, 0o100644, 1)
        at = writer.add(journal.OPEN, 7, 8, 9, journal.INTENT_READ, (fingerprint,), (b"/a\xff",))
        big = [writer.add(journal.GAP, 7, 8, 9, 13, (), (b"x" * 60000,)) for _ in range(400)]
        while not writer.flush():
            core.grow_if_needed()
        first, *others = core.finish()
        assert first == (at, Kind.OPEN, 7, 8, 9, 1, (fingerprint,), (b"/a\xff",))
        assert [record.offset for record in others] == big
        assert (core.lost, core.unreadable_bytes, writer.lost) == (0, 0, 0)
        writer.close()


def test_the_collector_has_the_version_of_its_distribution() -> None:
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    assert project["version"] == roard.VERSION


def test_the_collector_imports_nothing_but_the_standard_library_and_bcc() -> None:
    for source in ROARD.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            for name in names:
                if not name.startswith("roar_tracer_ebpf.roard"):
                    assert not name.startswith(("roar", "attr", "pluggy", "click")), source


def test_every_call_has_a_class_and_every_number_a_call() -> None:
    for numbers in layout.NUMBERS.values():
        assert numbers.keys() <= layout.CALLS.keys()
        assert len(set(numbers.values())) == len(numbers)


def test_this_kernels_types_have_all_that_is_needed() -> None:
    try:
        data = Path(btf.VMLINUX).read_bytes()
    except OSError:
        pytest.skip(f"{btf.VMLINUX} cannot be read; boot a kernel with CONFIG_DEBUG_INFO_BTF")
    offsets = btf.member_offsets(data, layout.STRUCTURES)
    assert layout.macros(offsets, platform.machine())["OFF_inode_i_mode"] == 0


def test_what_is_no_type_information_is_refused() -> None:
    for data in (b"", b"\0" * 64, b"\x9f\xeb\x01\0\x18\0\0\0" + b"\xff" * 40):
        with pytest.raises(btf.BtfError):
            btf.member_offsets(data, {"inode"})


def test_a_kernel_without_a_member_is_named() -> None:
    offsets: dict[str, dict[str, int]] = {name: {} for name in layout.STRUCTURES}
    with pytest.raises(btf.BtfError, match="has no member"):
        layout.macros(offsets, platform.machine())
