"""What an operation moved, followed while it passes and told when it has ended."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs
from blake3 import blake3

from roar_proxy_s3.proxy import answers
from roar_proxy_s3.proxy.facts import Fact, Facts
from roar_proxy_s3.proxy.operations import RECORDED, Operation

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_CHECKSUM = "x-amz-checksum-"


@attrs.define
class Teller:
    """Makes a fact of each operation on an object that succeeds."""

    facts: Facts

    def passage(self, what: Operation, length: int | None) -> Passage:
        """Follow one operation, whose request has a body of `length` bytes."""
        return Passage(self, what)


class Passage:
    """One operation under way. Bytes are given to `sent` and `came` as they pass."""

    def __init__(self, teller: Teller, what: Operation) -> None:
        self._teller, self._what = teller, what
        self._is_told = what.name in RECORDED
        self._asked = bytearray()
        self._answer = bytearray()
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._bytes = 0
        self._content = blake3() if what.name in ("GetObject", "PutObject") else None
        self._range: tuple[int, int] | None = None
        self._size: int | None = None

    def sent(self, piece: bytes) -> None:
        """See bytes of an object, or of a list, on their way to the store."""
        if self._what.name in answers.ASKED_IN_BODY:
            _keep(self._asked, piece)
        elif self._is_told:
            self._bytes += len(piece)
            if self._content is not None:
                self._content.update(piece)

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn what the store says before the bytes."""
        self._status, self._headers = status, headers
        self._is_told = self._is_told and 200 <= status < 300
        if not self._is_told or self._what.name != "GetObject":
            return
        if found := _RANGE.fullmatch(headers.get("Content-Range", "")):
            first, last, size = map(int, found.groups())
            self._size = size
            if (first, last + 1) != (0, size):
                self._range, self._content = (first, last + 1), None
        elif (length := headers.get("Content-Length", "")).isdigit():
            self._size = int(length)

    def came(self, piece: bytes) -> None:
        """See bytes of an object, or of an outcome, on their way to the client."""
        if not self._is_told:
            return
        if self._what.name in answers.TOLD_IN_BODY:
            _keep(self._answer, piece)
        elif self._what.name in ("GetObject", "SelectObjectContent"):
            self._bytes += len(piece)
            if self._content is not None:
                self._content.update(piece)

    def ended(self, is_all: bool) -> None:
        """Tell it, if it succeeded; `is_all`: the client was given every byte."""
        if not self._is_told:
            return
        what, headers = self._what, self._headers
        said: dict[str, str] = {}
        if what.name in answers.TOLD_IN_BODY:
            if (outcome := answers.outcome(bytes(self._answer))) is None:
                return
            said = outcome
        if what.name == "DeleteObjects":
            for key, version in answers.deleted(bytes(self._asked), bytes(self._answer)):
                fact = Fact("DeleteObjects", what.bucket, key, self._status, version)
                self._teller.facts.tell(fact)
            return
        etag = said.get("ETag") or headers.get("ETag")
        size = self._size
        is_whole = self._content is not None and is_all
        if what.name == "PutObject":
            size = self._bytes
        self._teller.facts.tell(
            Fact(
                operation=what.name,
                bucket=what.bucket,
                key=what.key,
                status=self._status,
                version=headers.get("x-amz-version-id") or what.version,
                bytes=self._bytes,
                is_all=is_all,
                range=self._range,
                size=size,
                etag=etag.strip('"') if etag else None,
                checksums={
                    name.lower().removeprefix(_CHECKSUM): value
                    for name, value in headers.items()
                    if name.lower().startswith(_CHECKSUM)
                },
                blake3=self._content.hexdigest() if is_whole and self._content else None,
                upload=what.upload or said.get("UploadId"),
                part=what.part,
                source=attrs.asdict(what.source) if what.source else None,
            )
        )


def _keep(held: bytearray, piece: bytes) -> None:
    """Keep what is small; of what is not, too little to be read as XML."""
    if len(held) < answers.MOST_BYTES:
        held += piece
