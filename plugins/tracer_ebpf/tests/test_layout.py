"""What the collector knows of others' formats is what these formats are."""

from __future__ import annotations

import ast
import platform
import tomllib
from pathlib import Path

import pytest

from roar_core import journal_format
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
    for name in ("HEADER_SIZE", "CHUNK", "MAX_CHUNKS", "RECORD_MAGIC", "RECORD_MAX", "OWN_ROOM"):
        assert getattr(journal, name) == getattr(journal_format, name)
    for name in ("TAIL", "LOST", "ALLOCATED", "DOORBELL", "READER_ALIVE"):
        assert getattr(journal, f"{name}_OFFSET") == getattr(journal_format, f"{name}_OFFSET")
    assert journal.MAGIC == journal_format.JOURNAL_MAGIC
    assert journal.VERSION == journal_format.JOURNAL_VERSION
    assert journal.SLOT_SIZE == journal_format.SLOT_SIZE


def test_the_collector_has_the_version_of_its_distribution() -> None:
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    assert project["version"] == roard.VERSION


def test_the_collector_imports_nothing_but_the_standard_library_and_bcc() -> None:
    for source in ROARD.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                continue
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            for name in names:
                assert not name.startswith(("roar", "attrs", "pluggy", "click")), source


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
