"""Renames, links, removals and cuts say both names and what was there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from roar_core.journal import Intent, Kind, RenameFlag

RENAMES = {
    "rename": 'rename("in", "to")',
    "renameat": 'renameat(AT_FDCWD, "in", AT_FDCWD, "to")',
    "renameat by dirfd": 'renameat(open(".", O_PATH), "in", open("..", O_DIRECTORY), "work/to")',
    "renameat2": 'renameat2(AT_FDCWD, "./in", AT_FDCWD, "../work/to", 0)',
    "syscall rename": 'syscall(SYS_rename, "in", "to")',
    "syscall renameat2": 'syscall(SYS_renameat2, AT_FDCWD, "in", AT_FDCWD, "to", 0)',
}


@pytest.mark.parametrize("face", RENAMES)
def test_a_rename_says_what_moved_and_what_it_replaced(
    face: str, run: Callable, folder: Path
) -> None:
    (folder / "to").write_text("victim here")
    traced = run(f"CHECK({RENAMES[face]} == 0);")
    assert traced.named(Kind.RENAME) == [("in", "to")]
    moved, replaced = traced.of(Kind.RENAME)[0].fingerprints
    assert (moved.size, replaced.size) == (7, 11)


def test_an_exchange_moves_both(run: Callable, folder: Path) -> None:
    (folder / "to").write_text("x")
    traced = run('CHECK(renameat2(AT_FDCWD, "in", AT_FDCWD, "to", RENAME_EXCHANGE) == 0);')
    assert traced.named(Kind.RENAME) == [("in", "to")]
    assert traced.of(Kind.RENAME)[0].value == RenameFlag.EXCHANGE


def test_a_folder_is_renamed_as_one(run: Callable) -> None:
    traced = run('mkdir("d", 0700); CHECK(rename("d/", "e") == 0);')
    assert traced.named(Kind.RENAME) == [("d", "e")]
    assert traced.of(Kind.RENAME)[0].value == RenameFlag.DIRECTORY


def test_a_rename_onto_itself_says_nothing(run: Callable) -> None:
    assert (
        run('CHECK(link("in", "to") == 0); CHECK(rename("in", "to") == 0);').named(Kind.RENAME)
        == []
    )


@pytest.mark.parametrize(
    "call",
    ['rename("absent", "to")', 'link("absent", "to")', 'unlink("absent")', 'truncate("absent", 0)'],
)
def test_failures_are_not_reported(call: str, run: Callable) -> None:
    traced = run(f"CHECK({call} == -1); CHECK(errno == ENOENT);")
    assert not [
        r for r in traced.records if r.kind in (Kind.RENAME, Kind.LINK, Kind.UNLINK, Kind.TRUNCATE)
    ]


@pytest.mark.parametrize(
    "call",
    [
        'link("in", "to")',
        'linkat(AT_FDCWD, "in", AT_FDCWD, "to", 0)',
        'syscall(SYS_link, "in", "to")',
    ],
)
def test_a_link_is_a_further_name(call: str, run: Callable) -> None:
    traced = run(f"CHECK({call} == 0);")
    assert traced.named(Kind.LINK) == [("in", "to")]
    assert traced.of(Kind.LINK)[0].fingerprints[0].nlink == 2


@pytest.mark.parametrize(
    "call",
    ['unlink("in")', 'unlinkat(AT_FDCWD, "in", 0)', 'remove("in")', 'syscall(SYS_unlink, "in")'],
)
def test_removing_what_was_read_is_told(call: str, run: Callable) -> None:
    traced = run(
        f'int fd = open("in", O_RDONLY); read(fd, buffer, 9); close(fd); CHECK({call} == 0);'
    )
    assert traced.named(Kind.UNLINK) == [("in",)]
    assert traced.of(Kind.UNLINK)[0].fingerprints[0].size == 7


def test_removing_what_nobody_touched_is_no_news(run: Callable) -> None:
    assert run('unlink("in"); mkdir("d", 0700);').of(Kind.UNLINK) == []


@pytest.mark.parametrize(
    "call", ['truncate("in", 3)', 'truncate64("in", 3)', 'syscall(SYS_truncate, "in", 3)']
)
def test_cutting_by_name_says_before_and_after(call: str, run: Callable) -> None:
    traced = run(f"CHECK({call} == 0);")
    assert traced.named(Kind.TRUNCATE) == [("in",)]
    after, before = traced.of(Kind.TRUNCATE)[0].fingerprints
    assert (after.size, before.size) == (3, 7)


def test_cutting_a_descriptor_is_covered_by_its_open(run: Callable) -> None:
    traced = run('int fd = open("in", O_RDWR); CHECK(ftruncate(fd, 2) == 0);')
    assert traced.opens("in") == [Intent.READ | Intent.WRITE]
    assert traced.open_records("in")[0].fingerprints[1].size == 7


def test_a_shared_writable_mapping_is_told(run: Callable) -> None:
    traced = run(
        """int fd = open("in", O_RDWR);
        char *p = mmap(0, 7, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); p[0] = 'X';"""
    )
    assert traced.named(Kind.MAPPED) == [("in",)]


def test_an_exchange_says_both_files(run: Callable, folder: Path) -> None:
    (folder / "to").write_text("x")
    traced = run('CHECK(renameat2(AT_FDCWD, "in", AT_FDCWD, "to", RENAME_EXCHANGE) == 0);')
    assert [f.size for f in traced.of(Kind.RENAME)[0].fingerprints] == [7, 1]
