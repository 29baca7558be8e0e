"""What a job read and wrote as the protocol's links, and back: nothing of an edge is lost.

A link tells a digest, a path and a size, which is all there is to most files. Whatever else an edge
says stands in the job's metadata, as does an edge whose digest no link can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

Document = dict[str, Any]

_LINKABLE = re.compile(r"[a-z0-9-]+:(?P<digest>[0-9a-f]{64})")
_PLAIN = re.compile(r"blake3:[0-9a-f]{64}")
# Fields that a graph's edge has only where there is something to tell.
OBJECT_NAMES = ("etag", "version")
_WHERE_TOLD = (*OBJECT_NAMES, "raw")


class Links(NamedTuple):
    """One side of a job: the links that are sent, and what its metadata adds to them.

    `links` are `{"hash", "path", "size"}`. `told` are edges that need more words; of the other
    links, numbered in the order of (hash, path), `producers` says which job wrote which (uid to
    numbers: "0-5,7"), and `objects` which lie in a store ("at", numbers) and how it calls them
    ("etag", "version": one each, or null).
    """

    links: list[Document]
    told: list[Document]
    producers: dict[str, str]
    objects: Document


def links_of(edges: Sequence[Document]) -> Links:
    """The inputs, or the outputs, of a graph job. Parts of datasets are views, and no links."""
    times: dict[tuple[Any, Any], int] = {}
    for edge in edges:
        name = (edge["hash"], edge["path"])
        times[name] = times.get(name, 0) + 1
    plain = [edge for edge in edges if _is_plain(edge) and times[edge["hash"], edge["path"]] == 1]
    plain.sort(key=itemgetter("hash", "path"))
    kept = {id(edge) for edge in plain}
    others = [edge for edge in edges if id(edge) not in kept]
    linked = [*plain, *(edge for edge in others if digest_of(edge) and not is_part(edge))]
    numbers: dict[str, list[int]] = {}
    for number, edge in enumerate(plain):
        if edge["producer"] is not None:
            numbers.setdefault(edge["producer"], []).append(number)
    return Links(
        [{"hash": digest_of(edge), "path": edge["path"], "size": edge["size"]} for edge in linked],
        [{key: value for key, value in edge.items() if value not in (None, [])} for edge in others],
        {uid: _ranges(places) for uid, places in numbers.items()},
        _objects(plain),
    )


def _objects(plain: Sequence[Document]) -> Document:
    """Which of these edges are objects: thousands of them go into the metadata of one job."""
    places = [number for number, edge in enumerate(plain) if edge["kind"] == "object"]
    if not places:
        return {}
    names = {key: [plain[number].get(key) for number in places] for key in OBJECT_NAMES}
    return {
        "at": _ranges(places),
        **{key: told for key, told in names.items() if any(name is not None for name in told)},
    }


def edges_of(
    links: Iterable[Mapping[str, Any]], told: Any, producers: Any, objects: Any
) -> list[Document]:
    """The edges again, in the order of (path, hash), from links as a registry tells them.

    `told`, `producers` and `objects` are those of `Links`; of another client's job they are empty.
    """
    words = [_in_full(edge) for edge in told or () if isinstance(edge, dict)]
    known = {(digest_of(edge), edge["path"]) for edge in words}
    parts = {digest_of(edge) for edge in words if is_part(edge)}
    plain = []
    for link in links:
        if link.get("selectedCount") is not None:
            if link["hash"] not in parts:
                words.append(_view(link))
        elif (link["hash"], link["path"]) not in known:
            plain.append(link)
    plain.sort(key=lambda link: (link["hash"], link["path"] or ""))
    maker = {
        number: uid
        for uid, ranges in (producers or {}).items()
        for number in _numbers(ranges, len(plain))
    }
    names = _names_of(objects or {}, len(plain))
    edges = [
        *words,
        *(_file(link, maker.get(place), names.get(place)) for place, link in enumerate(plain)),
    ]
    return sorted(edges, key=lambda edge: (edge["path"], edge["hash"] or ""))


def digest_of(edge: Mapping[str, Any]) -> str | None:
    """The 64 hexadecimal digits by which a link can name an edge's bytes; None where none can."""
    match = _LINKABLE.fullmatch(edge["hash"] or "")
    return match and match["digest"]


def is_part(edge: Mapping[str, Any]) -> bool:
    """Whether some members of a dataset were touched, and not all."""
    return edge["composite"] is not None and not edge["composite"]["whole"]


def _is_plain(edge: Mapping[str, Any]) -> bool:
    """Whether a link says everything about an edge but what can be told of many at once."""
    is_file = edge["kind"] == "file" and edge["place"] == _place(edge["path"])
    is_object = edge["kind"] == "object" and edge["place"] == "store"
    return (
        (is_object or (is_file and not any(key in edge for key in OBJECT_NAMES)))
        and edge["hash_state"] == "exact"
        and edge["composite"] is None
        and "raw" not in edge
        and not edge["further_producers"]
        and _PLAIN.fullmatch(edge["hash"] or "") is not None
    )


def _place(path: str) -> str:
    return "outside" if path.startswith("/") else "project"


def _in_full(edge: Document) -> Document:
    """An edge with the fields that are left out where they say nothing."""
    return {
        "path": edge["path"],
        "place": edge["place"],
        "hash": edge.get("hash"),
        "size": edge["size"],
        "kind": edge["kind"],
        "hash_state": edge["hash_state"],
        "producer": edge.get("producer"),
        "further_producers": edge.get("further_producers", []),
        "composite": edge.get("composite"),
        **{key: edge[key] for key in _WHERE_TOLD if key in edge},
    }


def _file(link: Mapping[str, Any], producer: str | None, names: Document | None) -> Document:
    """A file; an object where a store has `names` for it."""
    path = link["path"] or link["hash"]
    return _in_full(
        {
            "path": path,
            "place": _place(path) if names is None else "store",
            "hash": f"blake3:{link['hash']}",
            "size": link["size"] or 0,
            "kind": "file" if names is None else "object",
            "hash_state": "exact",
            "producer": producer,
            **(names or {}),
        }
    )


def _names_of(objects: Document, count: int) -> dict[int, Document]:
    """How stores call those of `count` links that are objects, by number."""
    found: dict[int, Document] = {place: {} for place in _numbers(objects.get("at", ""), count)}
    for key in OBJECT_NAMES:
        for place, name in zip(found, objects.get(key) or (), strict=False):
            if name is not None:
                found[place][key] = name
    return found


def _view(link: Mapping[str, Any]) -> Document:
    """Members of a dataset, as clients tell them that name neither its place nor its layout."""
    touched, members = link["selectedCount"], link["total"]
    return _in_full(
        {
            "path": link["path"] or f"dataset-{link['hash'][:12]}",
            "place": "project",
            "hash": f"composite-blake3:{link['hash']}",
            "size": link["size"] or 0,
            "kind": "composite",
            "hash_state": "exact",
            "composite": {
                "layout": "unknown",
                "members": members,
                "touched": touched,
                "whole": touched == members,
                "bits": None,
            },
        }
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in few characters: 0, 1, 2, 7 are "0-2,7"."""
    parts: list[str] = []
    start = last = numbers[0]
    for number in [*numbers[1:], -1]:
        if number == last + 1:
            last = number
            continue
        parts.append(str(start) if start == last else f"{start}-{last}")
        start = last = number
    return ",".join(parts)


def _numbers(ranges: str, count: int) -> Iterator[int]:
    """The numbers below `count` of such a text; what is none is passed over."""
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last.isdecimal() or not last):
            yield from range(int(first), min(int(last or first) + 1, count))
