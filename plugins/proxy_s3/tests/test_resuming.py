"""Uploads that are killed, changed and repeated: the object is there once, and right."""

from __future__ import annotations

import os
import zlib
from base64 import b64encode
from pathlib import Path

import pytest
from s3_servers import S3Server
from uploads import MIB, counted, killed_after

from roar_core.errors import AlreadyThereError, NotFoundError, RoarError
from roar_core.testing.transfer import bytes_of, upload_of
from roar_proxy_s3.transfer.s3 import S3Transfer


def test_killed_at_every_answer_an_upload_ends_in_one_object(
    server: S3Server, bucket: str, transfer: S3Transfer, tmp_path: Path
) -> None:
    source = counted(tmp_path / "large.bin", 17 * MIB)
    # A look, the beginning, three parts, the end; and once more when there is nothing left to do.
    url = f"s3://{bucket}/large.bin"
    assert 3 < killed_after(1, 20, source, url) < 20
    [found] = transfer.list(url)
    assert bytes_of(transfer, found) == source.read_bytes()
    told: list[int] = []
    # What is there is ours: putting it again with the same state says so, and does not refuse.
    upload = upload_of(source, url, told.append)
    assert (transfer.put(upload).etag, sum(told)) == (found.etag, upload.size)
    with server.client() as client:
        left = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    # One killed between the answer and its note cannot be known again; a lifecycle rule ends it.
    assert len(left) <= 1


def test_a_small_upload_that_was_not_heard_to_end_is_known_again(
    bucket: str, transfer: S3Transfer, tmp_path: Path
) -> None:
    source = counted(tmp_path / "small.bin", MIB)
    url = f"s3://{bucket}/small.bin"
    assert killed_after(2, 2, source, url)  # the look, the object
    [found] = transfer.list(url)
    assert transfer.put(upload_of(source, url)).etag == found.etag
    (other := tmp_path / "other.bin").write_bytes(b"other")
    with pytest.raises(AlreadyThereError, match=r"there is an object at .*small\.bin already"):
        transfer.put(upload_of(other, url))


def test_only_the_missing_parts_are_sent_again(
    server: S3Server, bucket: str, transfer: S3Transfer, tmp_path: Path
) -> None:
    source = counted(tmp_path / "large.bin", 40 * MIB)

    class EndedError(Exception):
        pass

    def end(count: int) -> None:
        raise EndedError

    with pytest.raises(EndedError):
        transfer.put(upload_of(source, f"s3://{bucket}/large.bin", end))
    parts = (tmp_path / "large.bin.state" / "parts").read_text().splitlines()
    sent: list[str] = []

    def count(model: object, **about: object) -> None:
        sent.append(str(getattr(model, "name", "")))

    events = transfer._client("s3://any").meta.events
    events.register("before-call.s3.UploadPart", count)
    try:
        put = transfer.put(upload_of(source, f"s3://{bucket}/large.bin"))
    finally:
        events.unregister("before-call.s3.UploadPart", count)
    assert parts
    assert len(sent) == 5 - len(parts)
    assert bytes_of(transfer, put) == source.read_bytes()


def test_a_file_that_was_changed_begins_anew_and_the_old_upload_is_aborted(
    server: S3Server, bucket: str, transfer: S3Transfer, tmp_path: Path
) -> None:
    source = counted(tmp_path / "large.bin", 17 * MIB)
    url = f"s3://{bucket}/large.bin"
    assert killed_after(4, 4, source, url)  # after the look, the beginning and a part or two
    stat = source.stat()
    with source.open("r+b") as file:
        file.write(b"changed!")
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # a clock that hides it
    put = transfer.put(upload_of(source, url))
    assert bytes_of(transfer, put) == source.read_bytes()
    with server.client() as client:
        assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_file_that_changes_on_the_way_is_not_put(
    server: S3Server, bucket: str, transfer: S3Transfer, tmp_path: Path
) -> None:
    source = counted(tmp_path / "large.bin", 17 * MIB)

    def write(count: int) -> None:
        with source.open("r+b") as file:
            file.write(b"changed!")

    with pytest.raises(RoarError, match=r"large\.bin was changed while it was uploaded"):
        transfer.put(upload_of(source, f"s3://{bucket}/large.bin", write))
    with pytest.raises(NotFoundError):
        list(transfer.list(f"s3://{bucket}/large.bin"))
    with server.client() as client:
        assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_file_that_becomes_shorter_is_not_waited_for(
    server: S3Server, bucket: str, transfer: S3Transfer, tmp_path: Path
) -> None:
    source = counted(tmp_path / "large.bin", 17 * MIB)
    url = f"s3://{bucket}/large.bin"
    assert killed_after(4, 4, source, url)  # after the look, the beginning and a part or two

    def shorten(count: int) -> None:
        """When it is told of what has arrived before, and sends the others."""
        os.truncate(source, 1)

    with pytest.raises(RoarError, match=r"large\.bin was changed while it was uploaded"):
        transfer.put(upload_of(source, url, shorten))
    with server.client() as client:
        assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_what_came_meanwhile_is_not_replaced(
    moto: S3Server, bucket_on_moto: str, tmp_path: Path, transfer_to_moto: S3Transfer
) -> None:
    source = counted(tmp_path / "large.bin", 17 * MIB)
    url = f"s3://{bucket_on_moto}/large.bin"

    def come(count: int) -> None:
        with moto.client() as client:
            client.put_object(Bucket=bucket_on_moto, Key="large.bin", Body=b"theirs")

    with pytest.raises(AlreadyThereError):
        transfer_to_moto.put(upload_of(source, url, come))
    [found] = transfer_to_moto.list(url)
    assert bytes_of(transfer_to_moto, found) == b"theirs"
    with moto.client() as client:
        assert not client.list_multipart_uploads(Bucket=bucket_on_moto).get("Uploads")
    small = counted(tmp_path / "small.bin", MIB)

    def come_too(count: int) -> None:
        with moto.client() as client:
            client.put_object(Bucket=bucket_on_moto, Key="small.bin", Body=b"theirs")

    with pytest.raises(AlreadyThereError):
        transfer_to_moto.put(upload_of(small, f"s3://{bucket_on_moto}/small.bin", come_too))


@pytest.mark.parametrize("is_told", [True, False])
def test_a_store_is_asked_what_it_made_unless_it_has_compared_all_parts(
    moto: S3Server,
    bucket_on_moto: str,
    transfer_to_moto: S3Transfer,
    tmp_path: Path,
    is_told: bool,
) -> None:
    source = counted(tmp_path / "large.bin", 17 * MIB)
    content = source.read_bytes()
    sums = [zlib.crc32(content[at : at + 8 * MIB]) for at in range(0, len(content), 8 * MIB)]
    if not is_told:
        sums[0] += 1
    whole = zlib.crc32(b"".join(each.to_bytes(4, "big") for each in sums)).to_bytes(4, "big")
    asked: list[object] = []

    def tell(parsed: dict[str, str], **about: object) -> None:
        """As Amazon's S3 does, and moto does not."""
        parsed["ChecksumCRC32"] = f"{b64encode(whole).decode()}-{len(sums)}"
        asked.clear()

    events = transfer_to_moto._client("s3://any").meta.events
    handlers = {
        "after-call.s3.CompleteMultipartUpload": tell,
        "before-call.s3.HeadObject": lambda **about: asked.append(about),
    }
    for name, handler in handlers.items():
        events.register(name, handler)
    try:
        put = transfer_to_moto.put(upload_of(source, f"s3://{bucket_on_moto}/large.bin"))
    finally:
        for name, handler in handlers.items():
            events.unregister(name, handler)
    assert len(asked) == (0 if is_told else 1)
    [found] = transfer_to_moto.list(f"s3://{bucket_on_moto}/large.bin")
    assert (put.etag, put.size, put.version) == (found.etag, found.size, found.version)


def test_damaged_notes_are_not_believed(
    bucket_on_moto: str, transfer_to_moto: S3Transfer, tmp_path: Path
) -> None:
    transfer = transfer_to_moto
    source = counted(tmp_path / "large.bin", 17 * MIB)
    url = f"s3://{bucket_on_moto}/large.bin"
    assert killed_after(4, 4, source, url)
    state = tmp_path / "large.bin.state"
    with (state / "parts").open("a") as file:
        file.write('3 "0123" AAAA\nnonsense\n9')
    assert bytes_of(transfer, transfer.put(upload_of(source, url))) == source.read_bytes()
    (state / "upload.json").write_text("{")
    put = transfer.put(upload_of(source, url, replace=True))
    assert bytes_of(transfer, put) == source.read_bytes()
