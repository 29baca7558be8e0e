"""Files and folders by their URLs: the promises of every transfer, and names of any bytes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from roar_core.errors import NotFoundError, RoarError, UsageError
from roar_core.hookspecs import Transfer
from roar_core.testing.transfer import TransferContract, upload_of
from roar_core.transfer.file import FileTransfer, path_of_url, url_of_path


class TestFiles(TransferContract):
    @pytest.fixture
    def transfer(self) -> Transfer:
        return FileTransfer()

    @pytest.fixture
    def place(self, tmp_path: Path) -> str:
        return url_of_path(f"{tmp_path}/store")

    def test_a_file_that_changes_while_it_is_read_is_not_got(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        kept = self.keep(transfer, place, "part.bin", bytes(3 << 20), tmp_path)
        pieces = transfer.read(kept, 0, kept.size)
        next(pieces)
        with open(path_of_url(kept.url), "r+b") as stream:
            stream.write(b"x")
        with pytest.raises(RoarError, match="changed"):
            list(pieces)


def test_names_of_any_bytes_are_listed_and_got(tmp_path: Path) -> None:
    names = [b"bad\xff\n", b"q?x#y%41", b"sub/\xe9"]
    for name in names:
        path = os.path.join(os.fsencode(tmp_path), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(name)
    transfer = FileTransfer()
    found = list(transfer.list(url_of_path(str(tmp_path))))
    assert {os.fsencode(each.name) for each in found} == set(names)
    for each in found:
        assert b"".join(transfer.read(each, 0, each.size)) == os.fsencode(each.name)
        assert each.url.isascii()


def test_links_are_followed_and_go_round_in_no_circle(tmp_path: Path) -> None:
    (tmp_path / "top/sub").mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("bytes")
    (tmp_path / "top/sub/up").symlink_to("..")
    (tmp_path / "top/link").symlink_to("../elsewhere")
    (tmp_path / "top/dangling").symlink_to("nowhere")
    found = FileTransfer().list(url_of_path(f"{tmp_path}/top"))
    assert [each.name for each in found] == ["link"]


@pytest.mark.parametrize("url", ["file://other.host/x", "file://relative", "file:///x%00"])
def test_a_url_of_no_place_here_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        path_of_url(url)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RoarError, match="neither a file nor a folder"):
        list(FileTransfer().list(url_of_path(f"{tmp_path}/fifo")))
    with pytest.raises(NotFoundError, match="no file below"):
        list(FileTransfer().list(url_of_path(f"{tmp_path}/empty")))


PUT = """
import os, signal, sys
from pathlib import Path
from roar_core.testing.transfer import upload_of
from roar_core.transfer.file import FileTransfer
die = lambda count: os.kill(os.getpid(), signal.SIGKILL)
FileTransfer().put(upload_of(Path(sys.argv[1]), sys.argv[2], die))
"""


def test_what_a_killed_put_left_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    (source := tmp_path / "a").write_bytes(bytes(3 << 20))
    store = tmp_path / "store"
    url = url_of_path(f"{store}/a")
    killed = subprocess.run([sys.executable, "-c", PUT, source, url], check=False)
    assert killed.returncode == -signal.SIGKILL
    [left] = store.iterdir()
    with left.open("rb") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)  # as one does that is still at it
        FileTransfer().put(upload_of(source, url))
    assert sorted(each.name for each in store.iterdir()) == [left.name, "a"]
    (tmp_path / "a.state" / "draft").write_text(left.name)
    FileTransfer().put(upload_of(source, url, replace=True))
    assert [each.name for each in store.iterdir()] == ["a"]


def test_a_note_of_a_put_names_nothing_else(tmp_path: Path) -> None:
    (source := tmp_path / "a").write_text("a")
    (other := tmp_path / ".roar-part-other").write_text("other")
    upload = upload_of(source, url_of_path(f"{tmp_path}/store/a"))
    for name in (f"../{other.name}", str(source), "\0", "a"):
        (upload.state / "draft").write_text(name)
        FileTransfer().put(attrs.evolve(upload, replace=True))
    assert other.read_text() == "other"
    assert source.read_text() == "a"
