"""Two recipes beside each other, word by word: what `graph.comparison` found, for people."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any, NamedTuple

from roar_glaas.pages.facts import Environment
from roar_glaas.pages.plain import last_part

Json = dict[str, Any]
_MOST_WORDS = 400


class Piece(NamedTuple):
    """Some words of a command, and whether the other side has them too."""

    text: str
    is_same: bool


def words(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Two commands in pieces, word by word."""
    ours, theirs = left.split(), right.split()
    if max(len(ours), len(theirs)) > _MOST_WORDS:
        return [Piece(left, left == right)], [Piece(right, left == right)]
    pieces: tuple[list[Piece], list[Piece]] = ([], [])
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        for side, some in zip(pieces, (ours[a1:a2], theirs[b1:b2]), strict=True):
            if some:
                side.append(Piece(" ".join(some), kind == "equal"))
    return pieces


def steps(found: list[Json]) -> list[Json]:
    """Steps that differ: `left` and `right`, each None or a job, and their commands in `pieces`."""
    rows = []
    for pair in found:
        left, right = pair["left"], pair["right"]
        if left and right:
            pieces = list(words(left["command"], right["command"]))
        else:
            pieces = [[Piece(one["command"], False)] if one else [] for one in (left, right)]
        rows.append({**pair, "pieces": pieces})
    return rows


def data(found: Json) -> list[tuple[Json | None, Json | None]]:
    """Inputs that differ, a pair each: what changed under one path, then what one side alone has.

    Those of one name are put beside each other, whatever folder they lay in.
    """
    rows: list[tuple[Json | None, Json | None]] = [
        (_input(one["path"], one["left"]), _input(one["path"], one["right"]))
        for one in found["changed"]
    ]
    waiting = [_input(one["path"], one["hash"]) for one in found["onlyRight"]]
    for one in found["onlyLeft"]:
        ours = _input(one["path"], one["hash"])
        place = next((n for n, other in enumerate(waiting) if other["name"] == ours["name"]), None)
        rows.append((ours, None if place is None else waiting.pop(place)))
    return rows + [(None, other) for other in waiting]


def _input(path: str, digest: str) -> Json:
    is_dataset = path == digest  # see graph.comparison: what has no path goes by its hash
    return {"name": "dataset" if is_dataset else last_part(path), "path": path, "hash": digest}


def environments(left: Environment, right: Environment) -> list[tuple[str, str, str]]:
    """(name, left, right) of every fact that differs."""
    ours, theirs = dict(left.lines), dict(right.lines)
    names = dict.fromkeys(line.name for line in (*left.lines, *right.lines))
    return [
        (name, ours.get(name, ""), theirs.get(name, ""))
        for name in names
        if ours.get(name) != theirs.get(name)
    ]


def packages(found: list[Json]) -> list[tuple[str, str, str]]:
    """(name, left, right) of every package of which the versions differ."""
    return [(one["name"], ", ".join(one["left"]), ", ".join(one["right"])) for one in found]
