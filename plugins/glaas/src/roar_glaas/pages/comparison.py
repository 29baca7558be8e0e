"""Two recipes beside each other: what data, which steps, what environment differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from roar_glaas.pages.facts import Environment
from roar_glaas.pages.plain import heading, last_part

Json = dict[str, Any]
_MOST_WORDS = 400


class Row(NamedTuple):
    """What stands on both sides; None where a side has nothing of the kind."""

    a: Json | None
    b: Json | None


class Aligned(NamedTuple):
    """Two lists beside each other: what is the same in both, what differs."""

    same: list[Json]
    different: list[Row]


class Piece(NamedTuple):
    """Some words of a command, and whether the other side has them."""

    text: str
    is_same: bool


def data(a: Sequence[Json], b: Sequence[Json]) -> Aligned:
    """What two recipes began with: inputs that none of their own jobs wrote."""
    return _align(_roots(a), _roots(b), lambda one: one["hash"], lambda one: one["name"])


def _roots(jobs: Sequence[Json]) -> list[Json]:
    written = {edge["hash"] for job in jobs for edge in job["outputs"]}
    found: dict[str, Json] = {}
    for job in jobs:
        for edge in job["inputs"]:
            if edge["hash"] not in written:
                name = last_part(edge["path"]) or "a part of a dataset"
                found.setdefault(edge["hash"], {**edge, "name": name})
    return sorted(found.values(), key=lambda edge: str(edge["name"]))


def steps(a: Sequence[Json], b: Sequence[Json]) -> Aligned:
    """The jobs of two recipes: the same command from the same commit is the same step."""
    return _align(
        a,
        b,
        lambda job: (job["command"], job["gitCommit"]),
        lambda job: heading(job["command"]),
    )


def _align(
    a: Iterable[Json], b: Iterable[Json], same: Callable[[Json], Any], alike: Callable[[Json], Any]
) -> Aligned:
    """Pair what is the same, then what is alike, each once and in order."""
    rest_b = list(b)
    both, rest_a = [], []
    for one in a:
        place = next((n for n, other in enumerate(rest_b) if same(other) == same(one)), None)
        if place is None:
            rest_a.append(one)
        else:
            both.append(one)
            del rest_b[place]
    waiting: dict[Any, list[Json]] = defaultdict(list)
    for other in rest_b:
        waiting[alike(other)].append(other)
    rows = [Row(one, waiting[alike(one)].pop(0) if waiting[alike(one)] else None) for one in rest_a]
    left = {id(other) for others in waiting.values() for other in others}
    rows += [Row(None, other) for other in rest_b if id(other) in left]
    return Aligned(both, rows)


def words(a: str, b: str) -> tuple[list[Piece], list[Piece]]:
    """Two commands in pieces, word by word: which the other has too."""
    left, right = a.split(), b.split()
    if max(len(left), len(right)) > _MOST_WORDS:
        return [Piece(a, a == b)], [Piece(b, a == b)]
    pieces: tuple[list[Piece], list[Piece]] = ([], [])
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for side, some in zip(pieces, (left[a1:a2], right[b1:b2]), strict=True):
            if some:
                side.append(Piece(" ".join(some), kind == "equal"))
    return pieces


def environments(a: Environment, b: Environment) -> list[tuple[str, str, str]]:
    """(name, of a, of b) of every fact and package that differs; empty where a side has none."""
    rows = _differing(dict(a.lines), dict(b.lines))
    kinds = dict.fromkeys([*(kind.name for kind in a.packages), *(k.name for k in b.packages)])
    for kind in kinds:
        ours, theirs = (
            {name: version for one in side.packages if one.name == kind for name, version in one[1]}
            for side in (a, b)
        )
        rows += _differing(ours, theirs)
    return rows


def _differing(a: Mapping[str, str], b: Mapping[str, str]) -> list[tuple[str, str, str]]:
    names = dict.fromkeys([*a, *b])
    return [
        (name, a.get(name, ""), b.get(name, "")) for name in names if a.get(name) != b.get(name)
    ]
