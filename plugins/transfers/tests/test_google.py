"""What the contract of a transfer does not say: sessions that go on, and what goes wrong."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from roar_core.errors import AlreadyThereError, NotFoundError, RoarError, TemporaryError
from roar_core.testing.transfer import bytes_of, upload_of
from roar_transfers.google_storage import failures, uploading
from roar_transfers.google_storage.transfer import GoogleStorageTransfer

MIB = 1 << 20


def test_killed_between_chunks_an_upload_goes_on(
    transfer: GoogleStorageTransfer, bucket_that_resumes: str, tmp_path: Path
) -> None:
    bucket = bucket_that_resumes
    source = tmp_path / "large.bin"
    source.write_bytes(os.urandom(MIB) * 13)
    url = f"gs://{bucket}/large.bin"
    program = (sys.executable, __file__, source, url)
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with pytest.raises(NotFoundError):
        list(transfer.list(url))
    told: list[int] = []
    put = transfer.put(upload_of(source, url, told.append))
    # A chunk had arrived before, which is told at once and not sent again.
    assert (told[0], sum(told)) == (4 * MIB, 13 * MIB)
    assert bytes_of(transfer, put) == source.read_bytes()
    assert put.digests == {"md5": hashlib.md5(source.read_bytes()).hexdigest()}


def test_a_session_that_is_gone_begins_anew(
    transfer: GoogleStorageTransfer, bucket_that_resumes: str, tmp_path: Path
) -> None:
    (source := tmp_path / "a").write_bytes(b"ours")
    upload = upload_of(source, f"gs://{bucket_that_resumes}/a", replace=True)
    first = transfer.put(upload)  # which leaves a session that has ended
    assert transfer.put(upload).size == first.size
    assert bytes_of(transfer, first) == b"ours"


def test_the_store_is_told_to_expect_nothing_there(
    transfer: GoogleStorageTransfer, bucket: str, tmp_path: Path
) -> None:
    asked: list[str] = []
    (source := tmp_path / "a").write_bytes(b"ours")
    send = requests.Session.send

    def look(session: requests.Session, request: requests.PreparedRequest, **how: Any) -> Any:
        asked.append(f"{request.method} {request.url}")
        return send(session, request, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", look)
        transfer.put(upload_of(source, f"gs://{bucket}/a"))
    [begun] = [line for line in asked if line.startswith("POST")]
    assert "ifGenerationMatch=0" in begun
    (other := tmp_path / "b").write_bytes(b"theirs")
    with pytest.raises(AlreadyThereError, match=r"there is an object at gs://.*/a already"):
        transfer.put(upload_of(other, f"gs://{bucket}/a"))


def test_damage_on_the_way_is_refused(
    transfer: GoogleStorageTransfer, bucket_that_resumes: str, tmp_path: Path
) -> None:
    (source := tmp_path / "a").write_bytes(b"ours")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploading, "_crc32c", lambda descriptor: "AAAAAA==")
        with pytest.raises(RoarError, match=r"gs://.*/a"):
            transfer.put(upload_of(source, f"gs://{bucket_that_resumes}/a"))
    with pytest.raises(NotFoundError):
        list(transfer.list(f"gs://{bucket_that_resumes}/a"))


def test_a_file_that_changes_on_the_way_is_not_put(
    transfer: GoogleStorageTransfer, bucket: str, tmp_path: Path
) -> None:
    (source := tmp_path / "a").write_bytes(bytes(9 * MIB))

    def write(count: int) -> None:
        with source.open("r+b") as file:
            file.write(b"changed!")

    with pytest.raises(RoarError, match="was changed while it was uploaded"):
        transfer.put(upload_of(source, f"gs://{bucket}/a", write))
    with pytest.raises(NotFoundError):
        list(transfer.list(f"gs://{bucket}/a"))


def test_no_bucket(transfer: GoogleStorageTransfer, bucket: str, tmp_path: Path) -> None:
    (source := tmp_path / "a").write_bytes(b"ours")
    with pytest.raises(NotFoundError, match="gs://no-such-bucket"):
        list(transfer.list("gs://no-such-bucket/"))
    with pytest.raises(NotFoundError, match="gs://no-such-bucket"):
        transfer.put(upload_of(source, "gs://no-such-bucket/a"))


@pytest.mark.parametrize("url", ["gs://", "gs:///a", "gs://Bucket/a", f"gs://b1/{'x' * 1025}"])
def test_urls_that_name_nothing(url: str) -> None:
    with pytest.raises(RoarError):
        list(GoogleStorageTransfer().list(url))


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(RoarError, match="gcloud auth application-default login") as error:
        list(GoogleStorageTransfer().list("gs://bucket/a"))
    assert "\n" not in str(error.value)


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    monkeypatch.setattr(failures, "PATIENCE_S", 0.1)
    transfer = GoogleStorageTransfer()
    with pytest.raises(TemporaryError, match="gs://bucket/a"):
        list(transfer.list("gs://bucket/a"))


if __name__ == "__main__":
    seen = []

    def die(count: int) -> None:
        seen.append(count)
        if sum(seen) > 4 * MIB:  # the first chunk has arrived, the second is about to go
            os.kill(os.getpid(), signal.SIGKILL)

    GoogleStorageTransfer().put(upload_of(Path(sys.argv[1]), sys.argv[2], die))
