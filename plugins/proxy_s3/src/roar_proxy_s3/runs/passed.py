"""From what the proxy told to what the job read and wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from roar_core.model.fragment import ObservedObject

Told = Mapping[str, Any]
Range = tuple[int, int]
# Of one object; where there are more, those with the least between them are told as one.
_MOST_RANGES = 256


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


class _Copied(NamedTuple):
    """A part of an upload that was copied within the store: what, from where to behind where."""

    source: ObservedObject
    first: int
    end: int


@attrs.define
class _Passed:
    """Objects by what tells them apart: inputs by version or ETag too, outputs by key alone."""

    inputs: dict[tuple[str, str | None], ObservedObject] = attrs.field(factory=dict)
    outputs: dict[str, ObservedObject] = attrs.field(factory=dict)
    # Of each upload its parts by number: how many bytes passed, or what was copied.
    _uploads: dict[str, dict[int, int | _Copied]] = attrs.field(factory=dict)

    def take(self, fact: Told) -> None:
        url = f"s3://{fact['bucket']}/{fact['key']}"
        source = fact.get("source")
        match fact["operation"]:
            case "GetObject" | "SelectObjectContent":
                self._read(_made(url, "input", fact, fact.get("size") or 0), _range(fact))
            case "PutObject" if fact["is_all"]:
                self.outputs[url] = _made(url, "output", fact, fact.get("size") or 0)
            case "CopyObject" if source:
                origin = self._copied(source)
                made = _made(url, "output", fact, fact.get("size") or origin.size)
                self.outputs[url] = _with_content_of(origin, made)
            case "UploadPart" if fact["is_all"]:
                self._uploads.setdefault(fact["upload"], {})[fact["part"]] = fact["bytes"]
            case "UploadPartCopy" if source:
                origin = self._copied(source)
                first, last = source.get("first") or 0, source.get("last")
                end = origin.size if last is None else last + 1
                part = _Copied(origin, first, end)
                self._uploads.setdefault(fact["upload"], {})[fact["part"]] = part
            case "CompleteMultipartUpload":
                parts = self._uploads.pop(fact["upload"], {})
                size = fact.get("size") or sum(map(_length, parts.values()))
                made = _made(url, "output", fact, size)
                origin_or_none = _whole_copy([parts[number] for number in sorted(parts)])
                self.outputs[url] = _with_content_of(origin_or_none, made)
            case "DeleteObject" | "DeleteObjects":
                # Where a version is deleted, what was written since is there still.
                kept = self.outputs.get(url)
                if kept is not None and fact.get("version") in (None, kept.version):
                    del self.outputs[url]

    def _read(self, found: ObservedObject, part: Range | None = None) -> None:
        written = self.outputs.get(found.url)
        if written is not None and _is_same(found, written):
            self.outputs[found.url] = _with_content_of(found, written)
            return
        key = (found.url, found.version or found.etag)
        known = self.inputs.get(key)
        # A part of it may be read before the whole, and after.
        if known is None or "blake3" not in known.digests:
            if "blake3" not in found.digests:
                told = known.ranges if known is not None else ()
                ranges = told if part is None else joined(told, part)
                found = attrs.evolve(found, ranges=ranges)
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


def joined(ranges: Sequence[Range], more: Range) -> tuple[Range, ...]:
    """The ranges with one more, in order, those that meet as one."""
    found: list[Range] = []
    for first, end in sorted((*ranges, more)):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((first, end))
    if len(found) > _MOST_RANGES:
        at = min(range(1, len(found)), key=lambda at: found[at][0] - found[at - 1][1])
        found[at - 1 : at + 1] = [(found[at - 1][0], found[at][1])]
    return tuple(found)


def _range(fact: Told) -> Range | None:
    """Which bytes of its object a GetObject has moved; None when nobody knows."""
    if fact["operation"] != "GetObject" or not fact.get("bytes"):
        return None
    first = fact["range"][0] if fact.get("range") else 0
    return first, first + fact["bytes"]


def _length(part: int | _Copied) -> int:
    return part if isinstance(part, int) else part.end - part.first


def _whole_copy(parts: Iterable[int | _Copied]) -> ObservedObject | None:
    """The one object of which these parts in order are all the bytes, if they are."""
    at, found = 0, None
    for part in parts:
        if isinstance(part, int) or part.first != at or (found or part.source) != part.source:
            return None
        at, found = part.end, part.source
    return found if found is not None and at == found.size else None


def _with_content_of(other: ObservedObject | None, made: ObservedObject) -> ObservedObject:
    """With the digest of the other's content, which is known to be its own."""
    blake3 = other.digests.get("blake3") if other is not None else None
    return attrs.evolve(made, digests={"blake3": blake3, **made.digests}) if blake3 else made


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


def _is_same(found: ObservedObject, written: ObservedObject) -> bool:
    """Whether what was read is what the run had written there."""
    if found.version and written.version:
        return found.version == written.version
    shared = found.digests.keys() & written.digests.keys()
    name = "blake3" if "blake3" in shared else "etag"
    return name in shared and found.digests[name] == written.digests[name]
