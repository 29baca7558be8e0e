"""From what the proxy told to what the job read and wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from roar_core.model.fragment import ObservedObject

Told = Mapping[str, Any]
_READS = ("GetObject", "SelectObjectContent")
_COPIES = ("CopyObject", "UploadPartCopy")
_WRITES = ("PutObject", "CopyObject", "CompleteMultipartUpload")
_DELETES = ("DeleteObject", "DeleteObjects")


def facts_in(file: Path) -> Iterator[Told]:
    """The facts in a file, in the order in which operations ended; a torn last line is none."""
    try:
        lines = file.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return
    for line in lines:
        yield json.loads(line)


def observed(facts: Iterable[Told]) -> list[ObservedObject]:
    """What was read that this run had not written itself, and what it wrote and left there."""
    passed = _Passed()
    for fact in facts:
        passed.take(fact)
    return [*passed.inputs.values(), *passed.outputs.values()]


@attrs.define
class _Passed:
    """Objects by what tells them apart: inputs by version or ETag too, outputs by key alone."""

    inputs: dict[tuple[str, str | None], ObservedObject] = attrs.field(factory=dict)
    outputs: dict[str, ObservedObject] = attrs.field(factory=dict)
    _parts: dict[tuple[str, int], int] = attrs.field(factory=dict)

    def take(self, fact: Told) -> None:
        operation = fact["operation"]
        url = f"s3://{fact['bucket']}/{fact['key']}"
        if operation == "UploadPart" and fact["is_all"]:
            self._parts[fact["upload"], fact["part"]] = fact["bytes"]
        if operation in _READS:
            self._read(_made(url, "input", fact, fact.get("size") or 0))
        source = None
        if operation in _COPIES and (copied := fact.get("source")):
            source = self._copied(copied)
        if operation in _WRITES and fact["is_all"]:
            self._written(operation, url, fact, source)
        elif operation in _DELETES:
            # A deleted version was not the newest; what was written last is there still.
            kept = self.outputs.get(url)
            if kept is not None and fact.get("version") in (None, kept.version):
                del self.outputs[url]

    def _read(self, found: ObservedObject) -> None:
        if not _is_same(found, self.outputs.get(found.url)):
            key = (found.url, found.version or found.etag)
            known = self.inputs.get(key)
            # A part of it may be read before the whole, and after.
            if known is None or "blake3" not in known.digests:
                self.inputs[key] = found

    def _copied(self, source: Told) -> ObservedObject:
        """What was copied; its content is known when it passed before."""
        url, version = f"s3://{source['bucket']}/{source['key']}", source.get("version")
        written = self.outputs.get(url)
        if written is not None and version in (None, written.version):
            return written
        known = [
            each
            for each in self.inputs.values()
            if each.url == url and version in (None, each.version)
        ]
        found = known[-1] if known else ObservedObject(url, "input", 0, version=version)
        self._read(found)
        return found

    def _written(self, operation: str, url: str, fact: Told, source: ObservedObject | None) -> None:
        size = fact.get("size") or 0
        if operation == "CompleteMultipartUpload" and not size:
            size = sum(n for (upload, _), n in self._parts.items() if upload == fact["upload"])
        made = _made(url, "output", fact, size)
        if operation == "CopyObject" and source is not None:
            blake3 = {name: d for name, d in source.digests.items() if name == "blake3"}
            made = attrs.evolve(made, size=size or source.size, digests={**blake3, **made.digests})
        self.outputs[url] = made


def _made(url: str, direction: Any, fact: Told, size: int) -> ObservedObject:
    """An object with its digests: of its content when all of it passed, and the store's own."""
    told = {"blake3": fact.get("blake3"), "etag": fact.get("etag")}
    version = fact.get("version")
    return ObservedObject(
        url,
        direction,
        size,
        {name: digest for name, digest in told.items() if digest},
        # What a bucket without versions calls all that it holds.
        version=None if version == "null" else version,
        etag=fact.get("etag"),
    )


def _is_same(found: ObservedObject, written: ObservedObject | None) -> bool:
    """Whether what was read is what the run had written there."""
    if written is None:
        return False
    if found.version and written.version:
        return found.version == written.version
    shared = found.digests.keys() & written.digests.keys()
    name = "blake3" if "blake3" in shared else "etag"
    return name in shared and found.digests[name] == written.digests[name]
