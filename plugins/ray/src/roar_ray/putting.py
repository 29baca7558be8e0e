"""Whose `ray.put` a result is: the ObjectRef names the attempt, of which only the number is left.

The first byte of what an ObjectRef says of its task is the attempt's number in the place of the
task's own (Ray's `TaskID::ForExecutionAttempt`); the rest is the task's. What a thread puts that no
task of Ray's runs in bears a number by chance (`TaskID::FromRandom`): what works for a task all the
same, as the threads which it started and an async actor's, tells of each such ref, see
`roar_ray.agent.needs`; what a driver's own threads put is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

# Numbers of attempts, up to the sixteenth; and, by chance, one task of sixteen.
_NUMBERED = "0"
# Of a whole ref, the task; and of that, where its actor's number stands: a function's has none.
_TASK = slice(48)
_ACTOR = slice(16, 40)
_NO_ACTOR = 24 * "f"


def may_be_put(need: str) -> bool:
    """Whether a need may stand for what a task put: only all tasks together tell."""
    return need.startswith(_NUMBERED)


class Putters:
    """The tasks of a run, by what is left of them.

    `told` has for refs that name no task the task for which they were put, empty for a driver's
    own threads. `knows_all`: Ray has told of its tasks, so that the number of an actor that has
    none is a thread's.
    """

    def __init__(
        self,
        tasks: Iterable[str],
        told: Mapping[str, str] | None = None,
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
            task = need[_TASK]
            if task in self._tasks or not may_be_put(need):
                yield task
            elif task[2:] in self._by_rest:
                yield self._by_rest[task[2:]]
            elif need in self._told:
                if self._told[need]:
                    yield self._told[need]
            elif not self._is_of_nobody(task):
                yield task

    def _is_of_nobody(self, need: str) -> bool:
        return self._knows_all and need[_ACTOR] not in self._actors
