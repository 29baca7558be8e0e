"""Uploading: which file becomes which object, and what is never done silently."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roar_core.config.layers import load
from roar_core.errors import AlreadyThereError, NotFoundError, RoarError, UsageError
from roar_core.hookspecs import RemoteObject, Upload
from roar_core.transfer.crew import Crew
from roar_core.transfer.file import FileTransfer
from roar_core.transfer.putting import Done, PutPlan, PutWishes, look_there, plan_put, put_all
from roar_core.transfer.schemes import Transfers


class Nothing:
    """A database that knows nothing."""

    def digests_for(self, fingerprints: Any, algorithm: str) -> dict[Any, str]:
        return {}

    def remember(self, rows: Any) -> None:
        list(rows)

    def blake3_of_object(self, url: str, version: str | None, etag: str | None) -> None:
        return None


@pytest.fixture
def transfers(tmp_path: Path) -> Transfers:
    return Transfers.find(tmp_path, load(None, None, {}))


Put = Callable[..., tuple[PutPlan, list[Done], list[RoarError]]]


@pytest.fixture
def put(transfers: Transfers, tmp_path: Path) -> Put:
    def carry_out(*sources: str, dest: str, **more: Any) -> Any:
        wishes = PutWishes(sources, dest, str(tmp_path), **more)
        puts, left_out = plan_put(wishes, transfers)
        plan = look_there(puts, wishes, left_out, Nothing(), Crew(), algorithms=("blake3",))
        crew, done = Crew(), list[Done]()
        put_all(
            *(plan, wishes, crew, tmp_path / "states"),
            done=done,
            cache=Nothing(),
            algorithms=("blake3",),
            advance=lambda count, files: None,
            tick=lambda: None,
        )
        return plan, done, crew.failures

    return carry_out


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_lies_in_a_folder_comes_to_lie_below_the_destination(put: Put, tmp_path: Path) -> None:
    write(tmp_path, "set/a", "set/sub/b", "c")
    put("set", "c", dest="store")
    assert below(tmp_path / "store") == {"a", "sub/b", "c"}


@pytest.mark.parametrize(
    ("dest", "is_there", "expected"),
    [("new", False, "new"), ("new/", False, "new/one"), ("there", True, "there/one")],
)
def test_one_file_is_the_destination_unless_that_is_a_folder(
    put: Put, tmp_path: Path, dest: str, is_there: bool, expected: str
) -> None:
    write(tmp_path, "one")
    if is_there:
        (tmp_path / dest).mkdir()
    put("one", dest=dest)
    assert (tmp_path / expected).read_text() == "one"


def test_two_files_of_one_key_are_named_with_it_and_nothing_is_put(
    put: Put, tmp_path: Path
) -> None:
    write(tmp_path, "first/model.pt", "second/model.pt")
    with pytest.raises(
        RoarError,
        match=r"first/model\.pt and .*second/model\.pt would both become"
        r" file://.*/store/model\.pt in the store",
    ):
        put("first", "second", dest="store")
    assert not (tmp_path / "store").exists()


def test_links_that_lead_out_are_left_out_and_told(put: Put, tmp_path: Path) -> None:
    write(tmp_path, "set/real", "elsewhere/secret")
    (tmp_path / "set/inside").symlink_to("real")
    (tmp_path / "set/out").symlink_to("../elsewhere/secret")
    (tmp_path / "set/folder").symlink_to("../elsewhere")
    (tmp_path / "set/dangling").symlink_to("nowhere")
    (tmp_path / "set/.roar").mkdir()
    os.mkfifo(tmp_path / "set/fifo")
    plan, _, _ = put("set", dest="store")
    assert below(tmp_path / "store") == {"real", "inside"}
    told = {line.removeprefix(f"{tmp_path}/set/") for line in plan.left_out}
    assert told == {
        ".roar (roar's own)",
        "dangling (a link to nothing)",
        "fifo (neither a file nor a folder)",
        "folder (a link to a folder)",
        "out (a link that leads out)",
    }
    put("set", dest="store", follow=True)
    assert below(tmp_path / "store") == {"real", "inside", "out", "folder/secret"}


def test_the_same_bytes_are_not_uploaded_and_others_not_replaced(put: Put, tmp_path: Path) -> None:
    write(tmp_path, "set/a", "set/b", "store/b")
    (tmp_path / "store/b").write_text("set/b")
    plan, done, _ = put("set", dest="store")
    assert [os.path.basename(each.path) for each in plan.puts] == ["a"]
    assert len(done) == 1
    (tmp_path / "set/a").write_text("changed")
    (tmp_path / "set/new").write_text("new")
    with pytest.raises(
        AlreadyThereError, match=r"store/a is there already .* nothing was uploaded"
    ):
        put("set", dest="store")
    assert below(tmp_path / "store") == {"a", "b"}
    plan, _, _ = put("set", dest="store", force=True)
    assert (tmp_path / "store/a").read_text() == "changed"
    assert plan.replaced == 1


def test_a_file_that_changes_while_it_is_uploaded_is_not_recorded(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "one")
    real = FileTransfer.put

    def changing(self: FileTransfer, upload: Upload) -> RemoteObject:
        there = real(self, upload)
        upload.source.write_text("two")
        return there

    monkeypatch.setattr(FileTransfer, "put", changing)
    _, done, failures = put("one", dest="store")
    assert done == []
    assert "changed while it was uploaded" in str(failures[0])


def test_an_upload_keeps_its_state_until_it_is_done(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "one")
    real = FileTransfer.put
    states: list[Path] = []

    def failing(self: FileTransfer, upload: Upload) -> RemoteObject:
        states.append(upload.state)
        (upload.state / "note").touch()
        if len(states) == 1:
            raise RoarError("no")
        assert (upload.state / "note").exists()
        return real(self, upload)

    monkeypatch.setattr(FileTransfer, "put", failing)
    put("one", dest="store")
    (tmp_path / "one").write_bytes(b"changed meanwhile")
    put("one", dest="store")
    assert states[0] == states[1]
    assert not states[0].exists()


@pytest.mark.parametrize(
    ("sources", "dest", "error"),
    [
        (("gone",), "store", NotFoundError),
        (("empty",), "store", NotFoundError),
        (("one",), "https://example.org/x", UsageError),
        (("one",), "nothing://x", UsageError),
    ],
)
def test_what_cannot_be_put_is_said(
    put: Put, tmp_path: Path, sources: tuple[str, ...], dest: str, error: type[RoarError]
) -> None:
    write(tmp_path, "one")
    (tmp_path / "empty").mkdir()
    with pytest.raises(error):
        put(*sources, dest=dest)
