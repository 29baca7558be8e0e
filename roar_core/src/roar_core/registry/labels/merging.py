"""Three states of a label document: both sides' of now, and the one they last had in common. Pure.

A state is a mapping of dotted keys to values. What one side changed goes to the other; what both
changed, to different values, is a conflict that a person decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

Leaves = Mapping[str, Any]


class Absent:
    """In place of a value: the key is not there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()


@attrs.frozen
class Conflict:
    """Both sides changed a key, each to another value; either may be ABSENT."""

    key: str
    ours: Any
    theirs: Any


@attrs.frozen
class Merge:
    """What each side has to take over: keys to set, keys to delete; and what nobody decided."""

    push: Leaves = attrs.field(factory=dict)
    push_deleted: tuple[str, ...] = ()
    pull: Leaves = attrs.field(factory=dict)
    pull_deleted: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return not (self.sends or self.pull or self.pull_deleted or self.conflicts)

    @property
    def sends(self) -> bool:
        """Whether the other side is to change."""
        return bool(self.push or self.push_deleted)


def merge(
    base: Leaves,
    ours: Leaves,
    theirs: Leaves,
    decide: Callable[[Conflict], str] = lambda conflict: "",
) -> Merge:
    """Bring `ours` and `theirs` together, which both were `base` once.

    `decide` says `ours` or `theirs` of a conflict, or nothing: then it stays one.
    """
    push: dict[str, Any] = {}
    pull: dict[str, Any] = {}
    conflicts = []
    for key in sorted({*base, *ours, *theirs}):
        was, mine, its = (side.get(key, ABSENT) for side in (base, ours, theirs))
        if _equal(mine, its):
            continue
        if _equal(was, its):
            push[key] = mine
        elif _equal(was, mine):
            pull[key] = its
        else:
            conflict = Conflict(key, mine, its)
            chosen = decide(conflict)
            if chosen == "ours":
                push[key] = mine
            elif chosen == "theirs":
                pull[key] = its
            else:
                conflicts.append(conflict)
    # One made a value of what the other made a table of.
    for key in [key for key in push if any(_overlap(key, other) for other in pull)]:
        conflict = Conflict(key, push[key], theirs.get(key, ABSENT))
        chosen = decide(conflict)
        if chosen != "theirs":
            pull = {other: value for other, value in pull.items() if not _overlap(key, other)}
        if chosen != "ours":
            del push[key]
        if not chosen:
            conflicts.append(conflict)
    return Merge(*_split(push), *_split(pull), tuple(conflicts))


def applied(leaves: Leaves, changed: Leaves, deleted: tuple[str, ...]) -> dict[str, Any]:
    """A state with changes in it; a key gives way to one that lies inside or around it."""
    kept = {
        key: value
        for key, value in leaves.items()
        if key not in deleted and not any(_overlap(key, new) for new in changed)
    }
    return kept | dict(changed)


def nested(leaves: Leaves) -> dict[str, Any]:
    """The document of these keys."""
    found: dict[str, Any] = {}
    for key, value in leaves.items():
        *folders, name = key.split(".")
        place = found
        for folder in folders:
            inner = place.setdefault(folder, {})
            if not isinstance(inner, dict):
                inner = place[folder] = {}
            place = inner
        place[name] = value
    return found


def _split(changes: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    there = {key: value for key, value in changes.items() if value is not ABSENT}
    # Taking a key away takes what is inside it: where something new is, setting that is enough.
    gone = (key for key, value in changes.items() if value is ABSENT)
    return there, tuple(key for key in gone if not any(_overlap(key, new) for new in there))


def _overlap(one: str, other: str) -> bool:
    return one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _equal(one: Any, other: Any) -> bool:
    """As JSON: true is not 1, as it is for Python."""
    if one is ABSENT or other is ABSENT:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
