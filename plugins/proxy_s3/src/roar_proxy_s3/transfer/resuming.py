"""What is kept of an upload in parts, so that it goes on after roar was killed at any moment.

`upload.json` says which upload it is, and of which file as it was then; `parts` has a line for each
part that has arrived: number, ETag, checksum. What is missing there is sent again, which S3 takes.
"""

from __future__ import annotations

import binascii
import json
import os
import threading
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from roar_proxy_s3.transfer.failures import code_of, status_of


class Part(NamedTuple):
    """A part that has arrived."""

    number: int
    etag: str
    crc32: str


class Kept(NamedTuple):
    """An upload that was begun: what must not have changed, and how it is called."""

    endpoint: str
    bucket: str
    key: str
    file: tuple[int, ...]
    part_size: int
    upload_id: str = ""


class State:
    """The folder in which an upload is remembered. Threads may add parts at once."""

    def __init__(self, folder: Path) -> None:
        self._upload = folder / "upload.json"
        self._parts = folder / "parts"
        self._lock = threading.Lock()

    def begin(self, kept: Kept) -> None:
        """Remember a new upload, in the place of what was remembered."""
        self._parts.unlink(missing_ok=True)
        draft = self._upload.with_suffix(".new")
        # Whoever has the upload's id and may write to the bucket could end it: for its owner alone.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(kept._asdict(), file)
        draft.replace(self._upload)

    def add(self, part: Part) -> None:
        """Remember that a part has arrived."""
        with self._lock, self._parts.open("a", encoding="utf-8") as file:
            file.write(f"{part.number} {part.etag} {part.crc32}\n")

    def kept(self) -> Kept | None:
        """The upload that is remembered, None when there is none or its memory is damaged."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            fields = json.loads(self._upload.read_text(encoding="utf-8"))
            return Kept(**fields | {"file": tuple(fields["file"])})
        return None

    def parts(self) -> dict[int, Part]:
        """The parts that are remembered, by number. A line that was cut short is left out."""
        try:
            text = self._parts.read_text(encoding="utf-8")
        except OSError:
            return {}
        lines = [line.split(" ") for line in text.split("\n")[:-1]]
        return {
            int(line[0]): Part(int(line[0]), line[1], line[2])
            for line in lines
            if len(line) == 3 and line[0].isdigit()
        }

    def forget(self) -> None:
        """Remember nothing any more."""
        self._upload.unlink(missing_ok=True)
        self._parts.unlink(missing_ok=True)


def facts_of(descriptor: int) -> tuple[int, ...]:
    """What differs when a file's content does: nothing can be written without a new ctime."""
    stat = os.fstat(descriptor)
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def parts_there(client: Any, kept: Kept, remembered: dict[int, Part]) -> dict[int, Part] | None:
    """Of the parts remembered those that the bucket has, too; None when the upload is over.

    Raises botocore's errors.
    """
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]

    pages = client.get_paginator("list_parts").paginate(
        Bucket=kept.bucket, Key=kept.key, UploadId=kept.upload_id
    )
    try:
        etags = {
            part["PartNumber"]: part["ETag"] for page in pages for part in page.get("Parts", ())
        }
    except ClientError as error:
        if status_of(error) == 404 and code_of(error) != "NoSuchBucket":
            return None
        if status_of(error) in (403, 501):  # may be put, not listed: the end is checked by S3
            return remembered
        raise
    return {n: part for n, part in remembered.items() if _same(etags.get(n), part.etag)}


def abort(client: Any, kept: Kept) -> None:
    """Have the bucket let go of the parts of an upload. Raises botocore's errors."""
    from botocore.exceptions import ClientError

    try:
        client.abort_multipart_upload(Bucket=kept.bucket, Key=kept.key, UploadId=kept.upload_id)
    except ClientError as error:
        if status_of(error) != 404:
            raise


def is_result(etag: str, parts: Sequence[Part]) -> bool:
    """Whether an object with this ETag was made of these parts, as S3 makes it."""
    import hashlib

    with suppress(ValueError):
        digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
        made = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        return etag == f"{made}-{len(parts)}"
    return False


def is_checksum(told: str | None, parts: Sequence[Part]) -> bool:
    """Whether it is that of an object that was made of these parts, as S3 makes and writes it.

    A store that tells so has compared all that it was sent.
    """
    with suppress(ValueError):
        sums = b"".join(b64decode(part.crc32) for part in parts)
        made = b64encode(binascii.crc32(sums).to_bytes(4, "big")).decode()
        return told == f"{made}-{len(parts)}"
    return False


def _same(one: str | None, other: str) -> bool:
    return one is not None and one.strip('"') == other.strip('"')
