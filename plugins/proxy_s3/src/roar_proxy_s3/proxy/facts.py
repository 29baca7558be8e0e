"""What passed, told as lines of JSON, each after the last byte of what it tells."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen
class Fact:
    """One operation that succeeded: the store answered 2xx, and `is_all` its bytes passed.

    `bytes` is how many bytes of an object passed; `range` which, `[first, behind the last]`, None
    when they are the whole. `size` is the whole object's, None when nobody said. `blake3` is the
    digest of the whole object, when that is known: from this stream, or with what passed before;
    otherwise `why_no_digest` says what is missing. `source` is what was copied. An UploadPart's
    object is not there before the CompleteMultipartUpload with its `upload`.
    """

    operation: str
    bucket: str
    key: str
    status: int
    version: str | None = None
    bytes: int = 0
    is_all: bool = True
    range: tuple[int, int] | None = None
    size: int | None = None
    etag: str | None = None
    checksums: Mapping[str, str] = attrs.field(factory=dict)
    blake3: str | None = None
    why_no_digest: str | None = None
    upload: str | None = None
    part: int | None = None
    source: Mapping[str, Any] | None = None


# What json.dumps would make anew for each.
_encoded = json.JSONEncoder(separators=(",", ":")).encode


class Facts:
    """The file of them: a line is there whole or not at all."""

    def __init__(self, file: Path) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(file, flags, 0o600)

    def tell(self, fact: Fact) -> None:
        """Append one."""
        named = ((each.name, getattr(fact, each.name)) for each in attrs.fields(Fact))
        said = {name: value for name, value in named if value is not None}
        os.write(self._file, _encoded(said).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)
