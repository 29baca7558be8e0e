"""A user's own rules: values, patterns, and what is no secret.

A pattern may come with a project that somebody else wrote, and one that repeats repeats can take
longer than the universe: it is tried on pieces of a text, and under a limit of processor time.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar
from urllib.parse import quote

import attrs

from roar_core.errors import ConfigError
from roar_core.redaction.contexts import MASK, Tell

T = TypeVar("T")

LONGEST_PATTERN = 1000
SHORTEST_VALUE = 4
_PIECE = 4096
_OVERLAP = 512
_MOST_CPU_S = 1.0


@attrs.frozen
class Rule:
    """A pattern of the user's: its name, and where it is written, for messages."""

    name: str
    pattern: re.Pattern[str]
    origin: str = ""


@attrs.frozen
class Allowed:
    """Patterns of what is no secret: of a whole value, or of a whole `name=value`."""

    patterns: tuple[Rule, ...] = ()

    def __call__(self, name: str, value: str) -> bool:
        return any(
            _limited(rule, text, rule.pattern.fullmatch) is not None
            for rule in self.patterns
            for text in (value[:_PIECE], f"{name}={value[:_PIECE]}")
            if len(value) <= _PIECE
        )


def compiled(name: str, pattern: str, origin: str, *, may_fit_all: bool = False) -> Rule:
    """A rule. Raises ConfigError, naming `origin`, for what is no pattern, or fits everywhere."""
    where = f"{origin}: {name}"
    if len(pattern) > LONGEST_PATTERN:
        raise ConfigError(f"{where}: a pattern has at most {LONGEST_PATTERN} characters")
    try:
        found = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(f"{where}: {pattern!r} is no regular expression: {error}") from error
    rule = Rule(name, found, origin)
    if not may_fit_all and _limited(rule, "", found.fullmatch) is not None:
        raise ConfigError(f"{where}: {pattern!r} fits the empty text, so it would mask everything")
    return rule


def checked_value(value: str, origin: str) -> str:
    """A secret to look for. Raises ConfigError for one too short to be told from other words."""
    if len(value) < SHORTEST_VALUE:
        raise ConfigError(f"{origin}: redaction.values: each has at least {SHORTEST_VALUE} letters")
    return value


def literal_forms(value: str) -> set[str]:
    """A secret as it stands, and as it stands in URLs."""
    return {value, quote(value, safe="")}


def search(rule: Rule, text: str, tell: Tell) -> str:
    """`text` without what a rule finds: its group `secret`, its first group, or all of it."""
    spans = [span for span in _spans(rule, text) if text[slice(*span)] != MASK]
    kept: list[str] = []
    end = 0
    for start, stop in spans:
        if start < end:
            continue
        kept += [text[end:start], tell(f"rule:{rule.name}", rule.name, text[start:stop])]
        end = stop
    return "".join([*kept, text[end:]]) if spans else text


def _spans(rule: Rule, text: str) -> list[tuple[int, int]]:
    """Where the secrets stand, in pieces that overlap: none longer than the overlap is cut."""

    def found(piece: str) -> list[tuple[int, int]]:
        return [_secret(match) for match in rule.pattern.finditer(piece)]

    spans = {
        (at + start, at + stop)
        for at in range(0, max(len(text), 1), _PIECE - _OVERLAP)
        for start, stop in _limited(rule, text[at : at + _PIECE], found)
        if stop > start
    }
    return sorted(spans, key=lambda span: (span[0], -span[1]))


def _secret(match: re.Match[str]) -> tuple[int, int]:
    if "secret" in match.re.groupindex and match["secret"] is not None:
        return match.span("secret")
    return match.span(1) if match.re.groups and match[1] is not None else match.span()


class _OutOfTime(Exception):
    """A pattern used up its processor time."""


def _limited(rule: Rule, text: str, function: Callable[[str], T]) -> T:
    """What `function` says of `text`; ConfigError when it takes too long.

    Only the main thread can be interrupted. Whatever others send was built there, so that a pattern
    that is too slow for it has been refused before.
    """
    try:
        with _processor_time():
            return function(text)
    except _OutOfTime as error:
        raise ConfigError(
            f"{rule.origin}: {rule.name}: {rule.pattern.pattern!r} takes too long; "
            "write it without repeats of repeats"
        ) from error


@contextmanager
def _processor_time() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _MOST_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
