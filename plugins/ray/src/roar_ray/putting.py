"""Whose `ray.put` a result is: the ObjectRef names the attempt, of which only the number is left.

The first byte of what an ObjectRef says of its task is the attempt's number in the place of the
task's own (Ray's `TaskID::ForExecutionAttempt`); the rest is the task's. What a thread puts which
works for no task, as the driver's own do, bears a number by chance (`TaskID::FromRandom`); a thread
that a task has started tells its number, see `roar_ray.agent.needs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

# Numbers of attempts, up to the sixteenth; and, by chance, one task of sixteen.
_NUMBERED = "0"
# Where the number of the task's actor stands; a function's has none.
_ACTOR = slice(16, 40)
_NO_ACTOR = 24 * "f"


def may_be_put(need: str) -> bool:
    """Whether a need may stand for what a task put: only all tasks together tell."""
    return need.startswith(_NUMBERED)


class Putters:
    """The tasks of a run, by what is left of them.

    `told` has by the numbers of threads the tasks for which they put. `knows_all`: Ray has told of
    its tasks, so that the number of an actor that has none is a thread's.
    """

    def __init__(
        self,
        tasks: Iterable[str],
        told: Mapping[str, Sequence[str]] | None = None,
        *,
        knows_all: bool = False,
    ) -> None:
        self._tasks = frozenset(tasks)
        self._by_rest = {task[2:]: task for task in self._tasks}
        self._told = told or {}
        self._actors = {_NO_ACTOR} | {task[_ACTOR] for task in self._tasks}
        self._knows_all = knows_all

    def of(self, needs: Iterable[str]) -> Iterator[str]:
        """The tasks that these needs stand for, in their order.

        What a thread of nobody's put is left out; what else is nobody's stays.
        """
        for need in needs:
            if need in self._tasks or not may_be_put(need):
                yield need
            elif need[2:] in self._by_rest:
                yield self._by_rest[need[2:]]
            elif len(set(self._told.get(need, ()))) == 1:
                yield self._told[need][0]
            elif need in self._told or not self._is_of_nobody(need):
                yield need

    def _is_of_nobody(self, need: str) -> bool:
        return self._knows_all and need[_ACTOR] not in self._actors
