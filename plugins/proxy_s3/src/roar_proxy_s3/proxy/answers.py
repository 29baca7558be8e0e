"""What S3's XML says of an operation's outcome: an answer of 200 may still hold an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Operations whose outcome stands in the body of the answer …
TOLD_IN_BODY = {
    *("CopyObject", "UploadPartCopy", "CreateMultipartUpload", "CompleteMultipartUpload"),
    "DeleteObjects",
}
# … and whose meaning stands in that of the request.
ASKED_IN_BODY = {"CompleteMultipartUpload", "DeleteObjects"}
# 10,000 parts with a checksum each, 1,000 keys.
MOST_BYTES = 8 << 20


class Deleted(NamedTuple):
    """An object that is no longer there, or this version of it."""

    key: str
    version: str | None


def outcome(body: bytes) -> dict[str, str] | None:
    """The texts of the answer's elements by their names, None if it tells of an error."""
    root = _parsed(body)
    if root is None or _name(root) == "Error":
        return None
    return {_name(each): each.text or "" for each in root}


def parts(body: bytes) -> list[int]:
    """The numbers of the parts that a CompleteMultipartUpload names, in their order."""
    numbers = (each.get("PartNumber", "") for each in _records(body, "Part"))
    return [int(number) for number in numbers if number.isascii() and number.isdigit()]


def deleted(asked: bytes, answer: bytes) -> list[Deleted]:
    """What a DeleteObjects has deleted: what was asked for, less what could not be."""
    if (root := _parsed(answer)) is None or _name(root) == "Error":
        return []
    failed = {_deleted(each) for each in _records(answer, "Error")}
    wanted = (_deleted(each) for each in _records(asked, "Object"))
    return [each for each in wanted if each not in failed]


def _deleted(record: dict[str, str]) -> Deleted:
    return Deleted(record.get("Key", ""), record.get("VersionId") or None)


def _records(body: bytes, name: str) -> Iterator[dict[str, str]]:
    for each in _parsed(body) or ():
        if _name(each) == name:
            yield {_name(field): field.text or "" for field in each}


def _parsed(body: bytes) -> Element | None:
    # Not before it is needed: every run waits for what the proxy imports.
    from xml.etree import ElementTree as ET

    try:
        # The command trusts its store, and expat bounds what entities grow to.
        return ET.fromstring(body)  # noqa: S314
    except ET.ParseError:
        return None


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
