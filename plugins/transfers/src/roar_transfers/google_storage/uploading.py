"""One file, by an upload session: the object appears when the last byte has arrived.

The session's URL is kept, so that a later roar asks it how far the upload has come, and goes on.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

from roar_core.errors import RoarError
from roar_core.hookspecs import RemoteObject, Upload
from roar_transfers.google_storage.addresses import Address
from roar_transfers.google_storage.failures import answered, explaining, patience
from roar_transfers.google_storage.objects import digests_of

_CHUNK = 4 << 20  # a multiple of 256 KiB, as sessions want it
_BLOCK = 1 << 20
_TIMEOUT_S = 60
_GO_ON = 308


def put(client: Any, upload: Upload, address: Address, descriptor: int) -> RemoteObject:
    """Upload an open file, or go on with an upload of it that was begun."""
    facts = _facts(descriptor)
    if facts[2] != upload.size:
        raise RoarError(f"{upload.source} has changed its size meanwhile; put it again")
    kept = upload.state / "session.json"
    with explaining("write", upload.url):
        session = _session(kept, facts)
        arrived = None if session is None else _arrived(client, session, upload)
        if session is None or arrived is None:
            session = _begin(client, upload, address, descriptor)
            _keep(kept, session, facts)
            arrived = 0
        if not isinstance(arrived, int):
            found = _described(arrived, upload, address)
            upload.advance(upload.size)
            return found
        upload.advance(arrived)
        while True:
            size = min(_CHUNK, upload.size - arrived)
            content = os.pread(descriptor, size, arrived)
            # A shorter file, and one that another has changed at the last moment.
            if len(content) != size or _facts(descriptor) != facts:
                client._http.delete(session, timeout=_TIMEOUT_S)
                kept.unlink(missing_ok=True)
                raise RoarError(f"{upload.source} was changed while it was uploaded; put it again")
            upload.advance(size)
            answer = _send(client, session, content, arrived, upload.size)
            if answer.status_code in (200, 201):
                return _described(answer.json(), upload, address)
            if answer.status_code != _GO_ON:
                upload.advance(-size)
                raise answered(answer.status_code, answer.text[:500], "write", upload.url)
            there = _so_far(answer)
            upload.advance(there - arrived - size)
            arrived = there


def _begin(client: Any, upload: Upload, address: Address, descriptor: int) -> str:
    """A new session; the store refuses other bytes than those of this checksum."""
    blob = client.bucket(address.bucket).blob(address.key)
    if not upload.replace and blob.exists(retry=patience()):
        raise answered(412, "", "write", upload.url)
    blob.crc32c = _crc32c(descriptor)
    session: str = blob.create_resumable_upload_session(
        content_type="application/octet-stream",
        size=upload.size,
        checksum=None,
        retry=patience(),
        if_generation_match=None if upload.replace else 0,
    )
    return session


def _send(client: Any, session: str, content: bytes, start: int, size: int) -> Any:
    stretch = f"{start}-{start + len(content) - 1}" if content else "*"
    headers = {"Content-Range": f"bytes {stretch}/{size}"}
    return client._http.put(session, data=content, headers=headers, timeout=_TIMEOUT_S)


def _arrived(client: Any, session: str, upload: Upload) -> Any:
    """Bytes that a session has, the object when it has all, None when it is over."""
    headers = {"Content-Range": f"bytes */{upload.size}", "Content-Length": "0"}
    answer = client._http.put(session, headers=headers, timeout=_TIMEOUT_S)
    if answer.status_code in (200, 201):
        return answer.json()
    if answer.status_code == _GO_ON:
        return _so_far(answer)
    if 400 <= answer.status_code < 500 and answer.status_code not in (401, 403, 408, 429):
        return None
    raise answered(answer.status_code, answer.text[:500], "write", upload.url)


def _so_far(answer: Any) -> int:
    """Bytes that a session says it has: `Range: bytes=0-99`, nothing where it has none."""
    return int(answer.headers.get("Range", "bytes=0--1").rpartition("0-")[2]) + 1


def _described(resource: dict[str, Any], upload: Upload, address: Address) -> RemoteObject:
    if int(resource.get("size", -1)) != upload.size:
        raise RoarError(
            f"{upload.url} has become an object of {resource.get('size')} bytes, not of "
            f"{upload.size}; delete it, and put it again"
        )
    return RemoteObject(
        upload.url,
        int(resource["size"]),
        str(resource["generation"]),
        resource.get("etag"),
        digests_of(resource),
        name=address.key.rpartition("/")[2],
    )


def _crc32c(descriptor: int) -> str:
    """The checksum of a file as the store writes it."""
    import google_crc32c

    checksum: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
    at = 0
    while block := os.pread(descriptor, _BLOCK, at):
        checksum.update(block)
        at += len(block)
    return b64encode(checksum.digest()).decode()


def _facts(descriptor: int) -> tuple[int, ...]:
    """What differs when a file's content does: nothing can be written without a new ctime."""
    stat = os.fstat(descriptor)
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def _keep(path: Path, session: str, facts: tuple[int, ...]) -> None:
    """Remember a session, for its owner alone: whoever has its URL may write the object."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"session": session, "file": facts}, file)
    draft.replace(path)


def _session(path: Path, facts: tuple[int, ...]) -> str | None:
    """The session that is remembered for the file as it is, if any."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if tuple(kept["file"]) == facts:
            return str(kept["session"])
    return None
