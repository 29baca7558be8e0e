"""Attempts at tasks: which is under way, and what is told of it.

Everything here is called from the wrappers around the user's functions, which fall through to the
function when something here raises.
"""

from __future__ import annotations

import itertools
import json
import threading
from functools import lru_cache

from . import records, tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .capture import Capture
    from .function import TracedFunction

# How an actor ends itself: its last call has done what it was to do.
_EXITS = frozenset({"AsyncioActorExit", "SystemExit"})


class Attempt:
    """One attempt at one task, from its begin on. It ends once, whoever says so first."""

    __slots__ = ("begun", "is_over", "needs", "tag", "task")

    def __init__(self, tag: int, task: str) -> None:
        self.tag = tag
        self.task = task
        self.begun = b""
        self.is_over = False
        self.needs: set[str] | None = None


class _Starting(threading.local):
    """What Ray last said in this thread that it is about to start."""

    task: Any = None
    number = 0


class Attempts:
    """Those of this process."""

    def __init__(self, core_worker: Any, capture: Capture) -> None:
        self._core = core_worker
        self._tell = capture.tell
        self._tags = itertools.count(1)
        self._starting = _Starting()
        self._numbers: dict[Any, int] = {}
        self._of_tag: dict[int, Attempt] = {}

    def starts(self, task: Any, number: int) -> None:
        """Ray is about to start an attempt, numbered from 0, in this thread or for its loop."""
        starting = self._starting
        starting.task, starting.number = task, number
        self._numbers[task] = number

    def ends(self, task: Any) -> None:
        """Ray has seen the end of it."""
        self._numbers.pop(task, None)
        self._starting.task = None

    def begin(self, function: TracedFunction, *, here: bool = True) -> Attempt:
        """An attempt at what Ray has started; not `here` but in an event loop's thread."""
        task = self._starting.task if here else None
        if task is None:
            task = self._core.get_current_task_id()
            number = self._numbers.get(task)
            if number is None:
                number = self._core.get_current_task_attempt_number()
        else:
            number = self._starting.number
        attempt = Attempt(next(self._tags), task.hex())
        name = self._core.get_current_task_name()
        attempt.begun = _begun(attempt.task, number + 1, function.facts, name)
        self._of_tag[attempt.tag] = attempt
        self._tell(attempt.tag, records.BEGIN, attempt.begun)
        return attempt

    def succeeded(self, attempt: Attempt) -> None:
        """It ended well."""
        if not attempt.is_over:
            attempt.is_over = True
            self._of_tag.pop(attempt.tag, None)
            self._tell(attempt.tag, records.SUCCEEDED, b"{}")

    def failed(self, attempt: Attempt, error: BaseException) -> None:
        """It raised."""
        name = type(error).__name__
        if name in _EXITS and _is_wanted(error):
            self.succeeded(attempt)
        elif not attempt.is_over:
            attempt.is_over = True
            self._of_tag.pop(attempt.tag, None)
            self._tell(attempt.tag, records.FAILED, json.dumps({"error": name}).encode())

    def current(self) -> Attempt | None:
        """The attempt for which this thread works."""
        return self._of_tag.get(tags.current())

    def needs(self, tasks: set[str]) -> None:
        """The attempt of this thread got the results of these tasks."""
        attempt = self.current()
        if attempt is None:
            return
        new = tasks if attempt.needs is None else tasks - attempt.needs
        new = new - {attempt.task}
        if new:
            attempt.needs = new if attempt.needs is None else attempt.needs | new
            text = json.dumps({"needs": sorted(new)}).encode()
            self._tell(attempt.tag, records.NEEDS, text)


def _begun(task: str, number: int, facts: str, name: str) -> bytes:
    return f'{{"task": "{task}", "attempt": {number}, {_rest(facts, name)}'.encode()


@lru_cache(1024)
def _rest(facts: str, name: str) -> str:
    """What is the same for all attempts with one function and one name: the end of an object."""
    label = f', "label": {json.dumps(name)}' if name else ""
    return f"{facts[1:-1]}{label}}}"


def _is_wanted(error: BaseException) -> bool:
    """Whether Ray's own exit_actor, or its end of the process, has raised this."""
    return type(error).__name__ == "AsyncioActorExit" or hasattr(error, "ray_terminate_msg")

