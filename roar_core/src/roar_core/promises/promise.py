"""One promise, and what is said where it is not kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

import attrs

T = TypeVar("T")


class Complaint(NamedTuple):
    """What is wrong, and what the plugin's author can do about it: a sentence each."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"


@attrs.frozen
class Promise(Generic[T]):
    """`text` says what always holds; `check` yields a complaint for each way in which it does not.

    A `remark` is good advice: a plugin works without heeding it.
    """

    text: str
    check: Callable[[T], Iterable[Complaint]]
    is_remark: bool = False

    def complaints(self, candidate: T) -> list[Complaint]:
        """What `candidate` is to be told; empty when it keeps the promise."""
        return list(self.check(candidate))


def promise(text: str) -> Callable[[Callable[[T], Iterable[Complaint]]], Promise[T]]:
    """Make a promise of the decorated check."""
    return lambda check: Promise(text, check)


def remark(text: str) -> Callable[[Callable[[T], Iterable[Complaint]]], Promise[T]]:
    """Make good advice of the decorated check."""
    return lambda check: Promise(text, check, is_remark=True)
