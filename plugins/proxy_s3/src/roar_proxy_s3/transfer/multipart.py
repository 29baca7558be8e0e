"""Files that go in parts, several at once: nothing is at the URL before the last has arrived."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

from roar_core.errors import RoarError
from roar_core.hookspecs import RemoteObject, Upload
from roar_proxy_s3.transfer.addresses import Address
from roar_proxy_s3.transfer.client import is_amazon
from roar_proxy_s3.transfer.failures import code_of, explaining
from roar_proxy_s3.transfer.file_parts import PART_SIZE, ShorterError, part_of
from roar_proxy_s3.transfer.listing import described, etag_of, version_of
from roar_proxy_s3.transfer.resuming import (
    Kept,
    Part,
    State,
    abort,
    facts_of,
    is_checksum,
    is_result,
    parts_there,
)
from roar_proxy_s3.transfer.simple import already_there, conditionally

MIB = 1 << 20
MOST_PARTS = 10_000
_AT_ONCE = 10


def put_in_parts(client: Any, upload: Upload, address: Address, descriptor: int) -> RemoteObject:
    """Upload an open file in parts, or go on with an upload of it that was begun."""
    facts = facts_of(descriptor)
    size = upload.size
    if facts[2] != size:
        raise RoarError(f"{upload.source} has changed its size meanwhile; put it again")
    state = State(upload.state)
    wanted = Kept(client.meta.endpoint_url, address.bucket, address.key, facts, part_size_of(size))
    with explaining("write", upload.url):
        kept = state.kept()
        done: dict[int, Part] | None = None
        if kept is not None and kept._replace(upload_id="") == wanted:
            remembered = state.parts()
            done = parts_there(client, kept, remembered)
            if done is None and (found := _finished(client, address, remembered, descriptor)):
                upload.advance(size)
                return found
        elif kept is not None:
            # Of the file as it was, or to another place: what has arrived of it is of no use.
            abort(client, kept)
            state.forget()
        if kept is None or done is None:
            kept, done = _begun(client, upload, address, wanted), {}
            state.begin(kept)
        parts: list[Part] = []
        with suppress(ShorterError):
            parts = _send(client, upload, kept, descriptor, state, done)
        if not parts or facts_of(descriptor) != facts:
            abort(client, kept)
            state.forget()
            raise RoarError(f"{upload.source} was changed while it was uploaded; put it again")
        return _complete(client, upload, address, kept, parts)


def part_size_of(size: int) -> int:
    """Bytes of each part but the last: whole mebibytes, so that there are not too many parts."""
    least = -(-size // MOST_PARTS)
    return max(PART_SIZE, -(-least // MIB) * MIB)


def _begun(client: Any, upload: Upload, address: Address, wanted: Kept) -> Kept:
    """Begin an upload, when nothing may be there after a look: before the bytes, not after."""
    if not upload.replace and described(client, address) is not None:
        raise already_there(upload.url)
    answer = client.create_multipart_upload(
        Bucket=address.bucket, Key=address.key, ChecksumAlgorithm="CRC32"
    )
    return wanted._replace(upload_id=answer["UploadId"])


def _send(
    client: Any,
    upload: Upload,
    kept: Kept,
    descriptor: int,
    state: State,
    done: dict[int, Part],
) -> list[Part]:
    """Send the parts that are missing; return all of them, in their order."""
    starts = range(0, upload.size, kept.part_size)
    parts = dict(done)
    for number in parts:
        upload.advance(min(kept.part_size, upload.size - starts[number - 1]))

    def send(number: int) -> None:
        start = starts[number - 1]
        size = min(kept.part_size, upload.size - start)
        with part_of(descriptor, start, size) as (body, checksum):
            answer = client.upload_part(
                Bucket=kept.bucket,
                Key=kept.key,
                UploadId=kept.upload_id,
                PartNumber=number,
                Body=body,
                ContentLength=size,
                ChecksumCRC32=checksum,
            )
        parts[number] = Part(number, answer["ETag"], checksum)
        state.add(parts[number])
        upload.advance(size)

    missing = [number for number in range(1, len(starts) + 1) if number not in parts]
    _at_once(send, missing)
    return [parts[number] for number in range(1, len(starts) + 1)]


def _at_once(send: Any, numbers: Iterable[int]) -> None:
    """Call `send` for each number, some at a time; the first failure ends what is not begun."""
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="roar-s3")
    try:
        sent = [pool.submit(send, number) for number in numbers]
        for future in wait(sent, return_when=FIRST_EXCEPTION).done:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _complete(
    client: Any, upload: Upload, address: Address, kept: Kept, parts: list[Part]
) -> RemoteObject:
    """Have the parts become the object."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]

    entries = [
        {"PartNumber": part.number, "ETag": part.etag, "ChecksumCRC32": part.crc32}
        for part in parts
    ]
    request = {
        "Bucket": kept.bucket,
        "Key": kept.key,
        "UploadId": kept.upload_id,
        "MultipartUpload": {"Parts": entries},
    }
    try:
        answer = conditionally(client.complete_multipart_upload, request, upload)
    except RoarError:
        abort(client, kept)
        State(upload.state).forget()
        raise
    told = RemoteObject(
        upload.url,
        upload.size,
        version_of(answer),
        etag_of(answer, upload.url),
        name=address.key.rpartition("/")[2],
    )
    if is_amazon(client) or is_checksum(answer.get("ChecksumCRC32"), parts):
        return told
    # rclone answers with another ETag than the object has afterwards, so that is asked for. It
    # reads all of the object to tell, which is as much as half of the upload.
    try:
        return described(client, address, told.version) or told
    except ClientError as error:
        if code_of(error) not in ("403", "AccessDenied"):
            raise
        return told  # these credentials may write and not read


def _finished(
    client: Any, address: Address, parts: dict[int, Part], descriptor: int
) -> RemoteObject | None:
    """The object, when an upload that is over has made it: roar was killed before it heard so."""
    found = described(client, address)
    if found is None or found.size != os.fstat(descriptor).st_size:
        return None
    if is_result(found.etag or "", [parts[number] for number in sorted(parts)]):
        return found
    # Some stores make the ETag of the whole content, however it came.
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return found if found.etag == digest.hexdigest() else None
