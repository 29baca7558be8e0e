"""What a job read and wrote, from what its proxy told."""

from __future__ import annotations

from typing import Any

import pytest

from roar_proxy_s3.runs import passed
from roar_proxy_s3.runs.passed import joined, observed

A, B = "a" * 64, "b" * 64
WHOLE = {"size": 5, "bytes": 5, "blake3": A, "etag": "e"}


def fact(operation: str, key: str = "k", **more: Any) -> dict[str, Any]:
    return {"operation": operation, "bucket": "b", "key": key, "is_all": True, **more}


def seen(*facts: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Direction, key, size and digest of each."""
    return [
        (o.direction, o.url.removeprefix("s3://b/"), o.size, o.digests.get("blake3"))
        for o in observed(facts)
    ]


part = fact("GetObject", size=5, bytes=2, range=[0, 2], etag="e")
source = {"bucket": "b", "key": "from"}


def copied(first: int, last: int, part: int) -> dict[str, Any]:
    return fact(
        "UploadPartCopy", source={**source, "first": first, "last": last}, upload="u", part=part
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([fact("GetObject", **WHOLE)] * 2, [("input", "k", 5, A)]),
        ([fact("HeadObject")], []),
        ([part], [("input", "k", 5, None)]),
        ([part, fact("GetObject", **WHOLE), part], [("input", "k", 5, A)]),
        (
            [fact("GetObject", **WHOLE), fact("GetObject", size=1, blake3=B, etag="f")],
            [("input", "k", 5, A), ("input", "k", 1, B)],
        ),
        ([fact("SelectObjectContent", bytes=9)], [("input", "k", 0, None)]),
        ([fact("PutObject", **WHOLE | {"is_all": False})], []),
        ([fact("PutObject", **WHOLE), fact("GetObject", **WHOLE)], [("output", "k", 5, A)]),
        (
            [fact("GetObject", **WHOLE), fact("PutObject", size=1, blake3=B, etag="f")],
            [("input", "k", 5, A), ("output", "k", 1, B)],
        ),
        ([fact("PutObject", **WHOLE), fact("DeleteObject")], []),
        ([fact("PutObject", version="2", **WHOLE), fact("DeleteObjects", version="1")],
         [("output", "k", 5, A)]),
        ([fact("UploadPart", upload="u", part=1, bytes=5)], []),
        (
            [
                fact("UploadPart", upload="u", part=1, bytes=4),
                fact("UploadPart", upload="u", part=1, bytes=5),
                fact("UploadPart", upload="u", part=2, bytes=3),
                fact("CompleteMultipartUpload", upload="u", etag="e-2"),
            ],
            [("output", "k", 8, None)],
        ),
        (
            [fact("CopyObject", source=source, etag="e")],
            [("input", "from", 0, None), ("output", "k", 0, None)],
        ),
        (
            [fact("GetObject", "from", **WHOLE), fact("CopyObject", source=source, etag="e")],
            [("input", "from", 5, A), ("output", "k", 5, A)],
        ),
        (
            [fact("PutObject", "from", **WHOLE), fact("CopyObject", source=source, etag="e")],
            [("output", "from", 5, A), ("output", "k", 5, A)],
        ),
        (
            [
                fact("UploadPartCopy", source=source, upload="u", part=1),
                fact("CompleteMultipartUpload", upload="u", etag="e-1"),
            ],
            [("input", "from", 0, None), ("output", "k", 0, None)],
        ),
        (
            [
                fact("PutObject", "from", **WHOLE),
                copied(2, 4, part=2),
                copied(0, 1, part=1),
                fact("CompleteMultipartUpload", upload="u", etag="e-2"),
            ],
            [("output", "from", 5, A), ("output", "k", 5, A)],
        ),
        (
            [
                fact("PutObject", "from", **WHOLE),
                copied(0, 2, part=1),
                fact("CompleteMultipartUpload", upload="u", etag="e-1"),
            ],
            [("output", "from", 5, A), ("output", "k", 3, None)],
        ),
        (
            [
                fact("CompleteMultipartUpload", upload="u", size=5, etag="e-2"),
                fact("GetObject", **{**WHOLE, "etag": "e-2"}),
            ],
            [("output", "k", 5, A)],
        ),
    ],
)  # fmt: skip
def test_facts_are_inputs_and_outputs(
    facts: list[dict[str, Any]], expected: list[tuple[Any, ...]]
) -> None:
    assert seen(*facts) == expected


def test_the_store_s_own_names_are_told() -> None:
    [found] = observed([fact("GetObject", version="v1", **WHOLE)])
    assert (found.version, found.etag, found.digests["etag"]) == ("v1", "e", "e")
    [found] = observed([fact("GetObject", version="null", **WHOLE)])
    assert found.version is None


def test_what_was_read_of_a_part_is_told() -> None:
    def read(first: int, end: int, **more: Any) -> dict[str, Any]:
        return fact("GetObject", size=90, bytes=end - first, range=[first, end], etag="e", **more)

    [found] = observed([read(10, 20), read(40, 50), read(18, 30), read(50, 50)])
    assert (found.size, found.ranges) == (90, ((10, 30), (40, 50)))
    # Broken off, and so not what was asked for.
    [found] = observed([fact("GetObject", size=90, bytes=7, etag="e", is_all=False)])
    assert found.ranges == ((0, 7),)
    [found] = observed([read(10, 20), fact("GetObject", **WHOLE)])
    assert found.ranges == ()
    # The last of them is known to have made the whole.
    [found] = observed([read(0, 50), read(50, 90, blake3=A)])
    assert (found.ranges, found.digests["blake3"]) == ((), A)


def test_ranges_are_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passed, "_MOST_RANGES", 2)
    ranges: tuple[tuple[int, int], ...] = ()
    for first in (0, 100, 120):
        ranges = joined(ranges, (first, first + 10))
    assert ranges == ((0, 10), (100, 130))
