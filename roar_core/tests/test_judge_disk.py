"""What the judge is told of the real file system."""

from __future__ import annotations

import os
from pathlib import Path

from roar_core.observe.disk import list_files, look


def test_a_file_looks_as_stat_says(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    found = look(str(tmp_path / "a"))
    assert found is not None
    assert (found.ino, found.size, found.is_regular) == (os.stat(tmp_path / "a").st_ino, 3, True)


def test_what_is_not_there_or_no_path_looks_like_nothing(tmp_path: Path) -> None:
    assert look(str(tmp_path / "missing")) is None
    assert look("/p/nul\0byte") is None
    assert look("/" + "x" * 5000) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("a")
    found = look(str(tmp_path / "link"))
    assert found is not None
    assert not found.is_regular


def test_regular_files_below_a_directory_are_listed_whatever_they_are_called(
    tmp_path: Path,
) -> None:
    (tmp_path / "d" / "deep").mkdir(parents=True)
    (tmp_path / "d" / "a").touch()
    (tmp_path / "d" / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "d" / "fifo")
    odd = os.fsencode(tmp_path / "d" / "deep") + b"/\xff"
    with open(odd, "w"):
        pass
    assert sorted(list_files(str(tmp_path))) == sorted([f"{tmp_path}/d/a", os.fsdecode(odd)])
    assert list(list_files(str(tmp_path / "missing"))) == []
