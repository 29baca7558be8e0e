"""Versions, keys, pages and headers: what is listed, asked for and sent."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from s3_servers import S3Server, new_bucket, variables_for
from uploads import MIB, counted

from roar_core.errors import NotFoundError, RoarError
from roar_core.hookspecs import RemoteObject
from roar_core.testing.transfer import bytes_of, upload_of
from roar_proxy_s3.transfer.client import connect
from roar_proxy_s3.transfer.file_parts import sha256
from roar_proxy_s3.transfer.s3 import S3Transfer


def test_an_old_version_is_listed_no_more_and_read_all_the_same(
    moto: S3Server, bucket_on_moto: str, transfer_to_moto: S3Transfer, tmp_path: Path
) -> None:
    with moto.client() as client:
        client.put_bucket_versioning(
            Bucket=bucket_on_moto, VersioningConfiguration={"Status": "Enabled"}
        )
    (source := tmp_path / "a").write_bytes(b"old")
    url = f"s3://{bucket_on_moto}/set/a"
    old = transfer_to_moto.put(upload_of(source, url, replace=True))
    source.write_bytes(b"newer")
    new = transfer_to_moto.put(upload_of(source, url, replace=True))
    assert None not in (old.version, new.version)
    assert old.version != new.version
    for place in (url, f"s3://{bucket_on_moto}/set", f"s3://{bucket_on_moto}"):
        [found] = transfer_to_moto.list(place)
        assert (found.version, found.size) == (new.version, 5)
    assert bytes_of(transfer_to_moto, old) == b"old"
    with moto.client() as client:
        client.delete_object(Bucket=bucket_on_moto, Key="set/a")
    with pytest.raises(NotFoundError):
        list(transfer_to_moto.list(f"s3://{bucket_on_moto}/set/"))
    assert bytes_of(transfer_to_moto, old) == b"old"
    with moto.client() as client:
        client.delete_object(Bucket=bucket_on_moto, Key="set/a", VersionId=old.version)
    with pytest.raises(RoarError):
        bytes_of(transfer_to_moto, old)


@pytest.mark.parametrize("key", ["a//b", "a/./b", "../x", "/", "a/", "%2e%2e/x", "a\\b", "\u202ea"])
def test_keys_are_taken_as_they_are(
    moto: S3Server, bucket_on_moto: str, transfer_to_moto: S3Transfer, tmp_path: Path, key: str
) -> None:
    with moto.client() as client:
        client.put_object(Bucket=bucket_on_moto, Key=key, Body=b"content")
    [found] = transfer_to_moto.list(f"s3://{bucket_on_moto}")
    assert (found.url, found.name) == (f"s3://{bucket_on_moto}/{key}", key)
    assert bytes_of(transfer_to_moto, found) == b"content"
    (source := tmp_path / "a").write_bytes(b"other")
    assert transfer_to_moto.put(upload_of(source, found.url, replace=True)).url == found.url
    with moto.client() as client:
        listed = client.list_objects_v2(Bucket=bucket_on_moto)["Contents"]
    assert [(entry["Key"], entry["Size"]) for entry in listed] == [(key, 5)]


def test_a_name_that_a_store_refuses_is_told(
    rclone: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = new_bucket(rclone, monkeypatch)
    (source := tmp_path / "a").write_bytes(b"other")
    with closing(S3Transfer()) as transfer, pytest.raises(RoarError, match="unsupported"):
        transfer.put(upload_of(source, f"s3://{bucket}/a//b", replace=True))


def test_more_than_a_page_is_listed(rclone: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = new_bucket(rclone, monkeypatch)
    assert rclone.folder is not None
    (rclone.folder / bucket / "set").mkdir()
    for number in range(1003):
        (rclone.folder / bucket / "set" / f"{number:04}").touch()
    with closing(S3Transfer()) as transfer:
        found = [entry.name for entry in transfer.list(f"s3://{bucket}/set")]
    assert found == [f"{number:04}" for number in range(1003)]


def test_the_marks_of_folders_are_no_files(
    moto: S3Server, bucket_on_moto: str, transfer_to_moto: S3Transfer
) -> None:
    with moto.client() as client:
        client.put_object(Bucket=bucket_on_moto, Key="set/", Body=b"")
        client.put_object(Bucket=bucket_on_moto, Key="set/a", Body=b"1")
    assert [found.name for found in transfer_to_moto.list(f"s3://{bucket_on_moto}/set")] == ["a"]


def test_a_store_that_heeds_no_condition_cannot_pass_other_bytes_off(
    bucket: str, transfer: S3Transfer, tmp_path: Path
) -> None:
    (source := tmp_path / "a").write_bytes(b"old")
    url = f"s3://{bucket}/a"
    old = transfer.put(upload_of(source, url, replace=True))
    source.write_bytes(b"new")
    transfer.put(upload_of(source, url, replace=True))
    with pytest.raises(RoarError, match="no longer what it was"):
        list(transfer.read(old, 1, 1))
    with pytest.raises(RoarError, match="no longer what it was"):
        list(transfer.read(RemoteObject(url, 90, etag=old.etag), 80, 10))


def test_every_upload_carries_its_checksum(
    bucket: str, transfer: S3Transfer, tmp_path: Path
) -> None:
    sent: dict[str, list[str]] = {}

    def look(request: Any, event_name: str, **about: object) -> None:
        for name, value in request.headers.items():
            if name.lower().startswith("x-amz-checksum-"):
                text = value.decode() if isinstance(value, bytes) else value
                sent.setdefault(f"{event_name.rpartition('.')[2]} {name.lower()}", []).append(text)

    events = transfer._client(bucket).meta.events
    events.register("before-send.s3", look)
    try:
        small = counted(tmp_path / "small.bin", MIB)
        transfer.put(upload_of(small, f"s3://{bucket}/small.bin"))
        large = counted(tmp_path / "large.bin", 17 * MIB)
        transfer.put(upload_of(large, f"s3://{bucket}/large.bin"))
    finally:
        events.unregister("before-send.s3", look)
    digest = base64.b64encode(hashlib.sha256(small.read_bytes()).digest()).decode()
    assert sent["PutObject x-amz-checksum-sha256"] == [digest]
    assert len(sent["UploadPart x-amz-checksum-crc32"]) == 3


@pytest.mark.parametrize(
    ("endpoint", "is_signed"),
    [
        ("https://s3.us-east-1.amazonaws.com", False),
        ("http://s3.us-east-1.amazonaws.com", True),
        ("https://store.example.org", True),
    ],
)
def test_a_body_is_signed_unless_the_store_surely_compares_its_checksum(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, is_signed: bool
) -> None:
    for name, value in variables_for(endpoint, "key", "secret").items():
        monkeypatch.setenv(name, value)
    content = bytearray(b"content")
    signed: list[str] = []

    class EndedError(Exception):
        pass

    def end(request: Any, **about: object) -> None:
        """Before anything leaves this machine."""
        told = request.headers["X-Amz-Content-SHA256"]
        signed.append(told.decode() if isinstance(told, bytes) else told)
        raise EndedError

    with closing(connect()) as client:
        client.meta.events.register("before-send.s3", end)
        part = {"Bucket": "bucket", "Key": "key", "Body": content}
        with pytest.raises(EndedError):
            client.upload_part(**part, UploadId="x", PartNumber=1, ChecksumCRC32="AAAAAA==")
        with pytest.raises(EndedError):
            client.put_object(**part, ChecksumSHA256=sha256(bytes(content)))
    digest = hashlib.sha256(content).hexdigest()
    assert signed == [digest if is_signed else "UNSIGNED-PAYLOAD"] * 2


def test_botocore_is_imported_when_a_url_is_used_and_not_before() -> None:
    program = (
        "import sys; import roar_proxy_s3.transfer as plugin\n"
        "[transfer] = plugin.roar_transfers(None)\n"
        "transfer.below('s3://bucket/folder', 'name')\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('boto3', 'botocore')])"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
