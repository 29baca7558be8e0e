"""Snapshots from anybody: what they name stays in the target."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from roar_core.environment.archive import Member, tar_of
from roar_core.environment.objects import object_path, store_object
from roar_core.errors import UnreproducibleError
from roar_core.reproduce.snapshots import has_object, read_snapshot, unpack


def stored(tmp_path: Path, *members: Member) -> tuple[str, str]:
    objects = str(tmp_path / "objects")
    return objects, store_object(objects, tar_of(members))


def test_files_links_and_modes_come_back(tmp_path: Path) -> None:
    odd = b"files/sub/a\n\xff"
    objects, name = stored(
        tmp_path,
        Member(b"patch.diff", b"diff"),
        Member(b"files/run.sh", b"#!", is_executable=True),
        Member(odd, b"odd"),
        Member(b"files/" + b"d/" * 80 + b"long", b"x"),
        Member(b"files/there", b"/old/run.sh", is_symlink=True),
    )
    root = tmp_path / "root"
    root.mkdir()
    snapshot = read_snapshot(objects, name)
    assert snapshot.patch == b"diff"
    unpack(snapshot, str(root), "/old")
    assert os.access(root / "run.sh", os.X_OK)
    assert (root / os.fsdecode(odd[6:])).read_bytes() == b"odd"
    assert (root / ("d/" * 80) / "long").read_text() == "x"
    # A link into the old tree must not lead a later step back into it.
    assert (root / "there").readlink() == root / "run.sh"


@pytest.mark.parametrize(
    "member",
    [b"files/../evil", b"/evil", b"files//evil", b"files/.git/hooks/post-checkout", b"evil"],
)
def test_a_member_that_would_leave_the_target_is_refused(tmp_path: Path, member: bytes) -> None:
    objects, name = stored(tmp_path, Member(member, b"x"))
    with pytest.raises(UnreproducibleError, match="outside"):
        read_snapshot(objects, name)


def test_a_member_behind_a_link_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    objects, name = stored(
        tmp_path,
        Member(b"files/a", os.fsencode(outside), is_symlink=True),
        Member(b"files/a/evil", b"x"),
    )
    (tmp_path / "root").mkdir()
    with pytest.raises(UnreproducibleError, match="link"):
        unpack(read_snapshot(objects, name), str(tmp_path / "root"), "/old")
    assert not list(outside.iterdir())


def test_a_device_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("files/dev")
        member.type = tarfile.CHRTYPE
        archive.addfile(member)
    objects = str(tmp_path / "objects")
    name = store_object(objects, out.getvalue())
    with pytest.raises(UnreproducibleError):
        read_snapshot(objects, name)


def test_a_damaged_or_missing_snapshot_is_told(tmp_path: Path) -> None:
    objects, name = stored(tmp_path, Member(b"patch.diff", b"diff"))
    assert has_object(objects, name)
    Path(object_path(objects, name)).write_bytes(b"other")
    with pytest.raises(UnreproducibleError, match="damaged"):
        read_snapshot(objects, name)
    Path(object_path(objects, name)).unlink()
    assert not has_object(objects, name)
    with pytest.raises(UnreproducibleError, match="cannot be read"):
        read_snapshot(objects, name)
