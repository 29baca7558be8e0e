"""Whose `ray.put` a result is: the ObjectRef names the attempt, of which only the number is left.

The first byte of what an ObjectRef says of its task is the attempt's number in the place of the
task's own (Ray's `TaskID::ForExecutionAttempt`); the rest is the task's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# Numbers of attempts, up to the sixteenth; and, by chance, one task of sixteen.
_NUMBERED = "0"


def may_be_put(need: str) -> bool:
    """Whether a need may stand for what a task put: only all tasks together tell."""
    return need.startswith(_NUMBERED)


class Putters:
    """The tasks of a run, by what is left of them."""

    def __init__(self, tasks: Iterable[str]) -> None:
        self._tasks = frozenset(tasks)
        self._by_rest = {task[2:]: task for task in self._tasks}

    def of(self, needs: Iterable[str]) -> Iterator[str]:
        """The tasks that these needs stand for, in their order; what is nobody's stays."""
        for need in needs:
            if need in self._tasks or not may_be_put(need):
                yield need
            else:
                yield self._by_rest.get(need[2:], need)
