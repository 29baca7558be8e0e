"""What workers tell of their tasks in JSON, as far as it can be believed and kept.

Whoever runs in a worker may write what they like: each fact is of its type and size, or is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from roar_core.journal_format import Record, TaskEvent
from roar_core.observe.workers import Span

# What the store can hold.
INTEGER_MAX = (1 << 63) - 1
NEEDS_MAX = 10_000
_ATTEMPT_MAX = (1 << 31) - 1
_TEXT_MAX = 4096
_NOTHING_TOLD = (b"", b"{}")


def named_in(facts: Mapping[str, Any]) -> tuple[str, int] | None:
    """Which attempt at which task begins; None when its worker did not say."""
    task, attempt = text_in(facts, "task"), facts.get("attempt", 1)
    return (task, attempt) if task and is_number(attempt, _ATTEMPT_MAX, 1) else None


def needs_of(span: Span, begun: Mapping[str, Any]) -> tuple[str, ...]:
    """The tasks whose results an attempt got; `begun` is what was told at its begin."""
    needs = dict.fromkeys(texts_in(begun.get("needs")))
    for record in span.told:
        if record.value & 0xFF == TaskEvent.NEEDS:
            needs |= dict.fromkeys(texts_in(facts_of(record).get("needs")))
    return tuple(needs)[:NEEDS_MAX]


class Actors:
    """Which task an actor worked on before: what it left in the actor, the next one has had.

    Whether it left anything nobody sees. That of the one before is enough: it had its own.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, str | None]] = {}

    def before(self, facts: Mapping[str, Any], named: tuple[str, int]) -> str | None:
        """The task before this attempt, of which `facts` are told; called in their order."""
        actor = text_in(facts, "actor")
        if not actor or facts.get("forked") is True:
            return None
        task, before = self._last.get(actor, (named[0], None))
        # Another attempt at the same task comes after what the first one came after.
        found = before if task == named[0] else task
        self._last[actor] = named[0], found
        return found


def facts_of(record: Record) -> Mapping[str, Any]:
    """The JSON object of a TASK; empty when it is none."""
    told = record.strings[0] if record.strings else b""
    if told in _NOTHING_TOLD:
        return {}
    try:
        facts = json.loads(told.decode())
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def text_in(facts: Mapping[str, Any], key: str) -> str:
    """A text that any database can hold; empty when there is none of that name."""
    found = facts.get(key)
    return _storable(found) if isinstance(found, str) else ""


def texts_in(found: Any) -> Iterator[str]:
    """The texts in a list, and nothing of what is none."""
    if isinstance(found, list):
        yield from (_storable(each) for each in found if isinstance(each, str) and each)


def _storable(text: str) -> str:
    return text[:_TEXT_MAX].encode("utf-8", "replace").decode()


def is_number(found: Any, highest: int, lowest: int = 0) -> TypeGuard[int]:
    """Whether it is a whole number within bounds, and no truth value."""
    return type(found) is int and lowest <= found <= highest
