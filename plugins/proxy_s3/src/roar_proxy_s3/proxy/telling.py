"""What an operation moved, followed while it passes and told when it has ended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs
from blake3 import blake3

from roar_proxy_s3.proxy import answers, contents, tree, uploads
from roar_proxy_s3.proxy.contents import Contents, Version
from roar_proxy_s3.proxy.facts import Fact, Facts
from roar_proxy_s3.proxy.operations import RECORDED, Operation
from roar_proxy_s3.proxy.tree import Part
from roar_proxy_s3.proxy.uploads import SentPart
from roar_proxy_s3.proxy.wire.fields import Fields

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_CHECKSUM = "x-amz-checksum-"


@attrs.define
class Teller:
    """Makes a fact of each operation on an object that succeeds."""

    facts: Facts
    contents: Contents

    def passage(self, what: Operation, length: int | None) -> Passage:
        """Follow one operation, whose request has `length` bytes of an object, None if unsaid."""
        return Passage(self, what, length)


class Passage:
    """One operation under way. Bytes are given to `sent` and `came` as they pass."""

    def __init__(self, teller: Teller, what: Operation, length: int | None) -> None:
        self._contents, self._facts, self._what = teller.contents, teller.facts, what
        self._is_told = what.name in RECORDED
        self._asked = bytearray()
        self._answer = bytearray()
        self._status = 0
        self._headers = Fields()
        self._bytes = 0
        self._whole = blake3() if what.name in ("GetObject", "PutObject") else None
        self._part: Part | None = None
        self._sent_part: SentPart | None = None
        self._range: tuple[int, int] | None = None
        self._size: int | None = None
        if what.name == "UploadPart" and what.upload and what.part and length is not None:
            self._sent_part = self._contents.upload(what.upload).begin(what.part, length)

    @property
    def is_reading(self) -> bool:
        """Whether what counts is what the client is given, and not what the store does."""
        return self._what.name in ("GetObject", "SelectObjectContent")

    def sent(self, piece: bytes) -> None:
        """See bytes of an object, or of a list, on their way to the store."""
        if self._what.name in answers.ASKED_IN_BODY:
            _keep(self._asked, piece)
        elif self._is_told:
            self._see(piece)

    def answered(self, status: int, headers: Fields) -> None:
        """Learn what the store says before the bytes."""
        self._status, self._headers = status, headers
        self._is_told = self._is_told and 200 <= status < 300
        if not self._is_told or self._what.name != "GetObject":
            return
        if found := _RANGE.fullmatch(headers.get("Content-Range", "")):
            first, last, size = map(int, found.groups())
            self._size = size
            if (first, last + 1) != (0, size):
                self._range, self._whole = (first, last + 1), None
                self._part = Part(first) if tree.is_there() else None
        elif status == 206:
            self._whole = None
        elif (length := headers.get("Content-Length", "")).isdigit():
            self._size = int(length)

    def came(self, piece: bytes) -> None:
        """See bytes of an object, or of an outcome, on their way to the client."""
        if not self._is_told:
            return
        if self._what.name in answers.TOLD_IN_BODY:
            _keep(self._answer, piece)
        elif self.is_reading:
            self._see(piece)

    def ended(self, is_all: bool) -> None:
        """Tell it, if it succeeded; `is_all`: its last byte was where it was to go."""
        if not self._is_told:
            return
        what = self._what
        said: dict[str, str] = {}
        if what.name in answers.TOLD_IN_BODY:
            if (outcome := answers.outcome(bytes(self._answer))) is None:
                return
            said = outcome
        if what.name == "DeleteObjects":
            for key, version in answers.deleted(bytes(self._asked), bytes(self._answer)):
                self._facts.tell(Fact(what.name, what.bucket, key, self._status, version))
            return
        etag = (said.get("ETag") or self._headers.get("ETag", "")).strip('"')
        named = self._headers.get("x-amz-version-id") or what.version
        at = Version(what.bucket, what.key, etag, named)
        digest, why = self._digest(at, is_all)
        if digest is not None:
            self._contents.learn(at, digest)
        self._facts.tell(
            Fact(
                operation=what.name,
                bucket=what.bucket,
                key=what.key,
                status=self._status,
                version=named,
                bytes=self._bytes,
                is_all=is_all,
                range=self._range,
                size=self._size,
                etag=etag or None,
                checksums=_checksums(self._headers),
                blake3=digest,
                why_no_digest=None if digest else why,
                upload=what.upload or said.get("UploadId"),
                part=what.part,
                source=_source(what),
            )
        )

    def _see(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._whole is not None:
            self._whole.update(piece)
        elif self._part is not None:
            self._part.update(piece)
        elif self._sent_part is not None:
            self._sent_part.update(piece)

    def _digest(self, at: Version, is_all: bool) -> tuple[str | None, str | None]:
        """The digest of the operation's object, or why it is not known."""
        what = self._what
        match what.name:
            case "PutObject":
                self._size = self._bytes
                return (self._whole.hexdigest() if self._whole else None), None
            case "GetObject":
                return self._read(at, is_all)
            case "UploadPart" if what.upload and what.part:
                if self._sent_part is not None:
                    self._sent_part.end()
                self._contents.upload(what.upload).add(what.part, self._sent_part, self._bytes)
            case "UploadPartCopy" if what.upload and what.part:
                self._contents.upload(what.upload).add(what.part, None, -1)
            case "AbortMultipartUpload" if what.upload:
                self._contents.end_upload(what.upload)
            case "CompleteMultipartUpload" if what.upload:
                upload = self._contents.upload(what.upload)
                self._size, digest, why = upload.whole(answers.parts(bytes(self._asked)))
                self._contents.end_upload(what.upload)
                return digest, why
            case "CopyObject" if (source := what.source) is not None:
                # A copy of other content has another ETag, unless it is encrypted otherwise.
                origin = Version(source.bucket, source.key, at.etag, source.version)
                return self._contents.known(origin), "its source was not seen whole"
        return None, None

    def _read(self, at: Version, is_all: bool) -> tuple[str | None, str | None]:
        known = self._contents.known(at) if at.etag else None
        if known is not None or not is_all:
            return known, contents.PARTIAL
        if self._whole is not None:
            return self._whole.hexdigest(), None
        if self._part is None or self._size is None:
            return None, contents.PARTIAL if tree.is_there() else uploads.NOT_BUILT
        self._part.end()
        return self._contents.read(at, self._part, self._size), contents.PARTIAL


def _checksums(headers: Fields) -> dict[str, str]:
    named = ((name.lower(), value) for name, value in headers)
    return {n.removeprefix(_CHECKSUM): v for n, v in named if n.startswith(_CHECKSUM)}


def _source(what: Operation) -> Mapping[str, Any] | None:
    return attrs.asdict(what.source) if what.source else None


def _keep(held: bytearray, piece: bytes) -> None:
    """Keep what is small; of what is not, too little to be read as XML."""
    if len(held) < answers.MOST_BYTES:
        held += piece
