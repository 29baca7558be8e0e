"""Attempts at tasks: which is under way, and what is told of it.

Everything here is called from the wrappers around the user's functions, which fall through to the
function when something here raises.
"""

from __future__ import annotations

import itertools
import json
import threading
import time

from . import records, tags, threads
from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeGuard

    from .capture import Capture
    from .function import TracedFunction

# How an asynchronous actor ends itself: its last call has done what it was to do.
_ACTOR_EXIT = "AsyncioActorExit"
# What Ray raises in a task that is cancelled; where a user raises it, Ray says "cancelled", too.
_CANCELLED = frozenset({"KeyboardInterrupt", "CancelledError"})
# In what an object that was put says of its task, the digits that number the attempt.
_NUMBER = 2


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
        # Not in every Ray: tasks then do not bear the names that their callers gave them.
        self._label: Callable[[], str] = getattr(core_worker, "get_current_task_name", str)
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

    def begin(
        self,
        function: TracedFunction,
        arguments: Sequence[Any],
        named: Mapping[str, Any],
        *,
        here: bool = True,
    ) -> Attempt:
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
        facts = function.facts_of(self._label(), arguments, named)
        number = max(number, function.earlier)
        about = f'"task": "{attempt.task}", "attempt": {number + 1}, "at_ns": {time.time_ns()}'
        attempt.begun = f"{{{about}, {facts}".encode()
        self._of_tag[attempt.tag] = attempt
        if function.outcome is not None:
            threads.count(attempt.tag)
        self._tell(attempt.tag, records.BEGIN, attempt.begun)
        return attempt

    def succeeded(
        self, attempt: Attempt, outcome: Callable[[], BaseException | None] | None = None
    ) -> None:
        """It ended well, or ends with the last of its threads, as `outcome` then says."""
        if attempt.is_over:
            return
        if outcome is None:
            attempt.is_over = True
            self._succeeded(attempt)
        else:
            threads.when_ended(attempt.tag, lambda: self._ended(attempt, outcome))

    def _ended(self, attempt: Attempt, outcome: Callable[[], BaseException | None]) -> None:
        try:
            raised = outcome()
        except Exception as error:
            told("outcome", error)
            raised = None
        if raised is None:
            self.succeeded(attempt)
        else:
            self.failed(attempt, raised)

    def _succeeded(self, attempt: Attempt) -> None:
        self._of_tag.pop(attempt.tag, None)
        text = f'{{"at_ns": {time.time_ns()}}}'
        self._tell(attempt.tag, records.SUCCEEDED, text.encode())

    def failed(self, attempt: Attempt, error: BaseException) -> None:
        """It raised."""
        name = type(error).__name__
        if name == _ACTOR_EXIT or (_is_by_ray(error) and not error.code):
            self.succeeded(attempt)
        elif not attempt.is_over:
            attempt.is_over = True
            self._of_tag.pop(attempt.tag, None)
            facts = {"error": name, "at_ns": time.time_ns()}
            if name in _CANCELLED or _is_by_ray(error):
                facts["is_cancelled"] = True
            text = json.dumps(facts)
            self._tell(attempt.tag, records.FAILED, text.encode())

    def current(self) -> Attempt | None:
        """The attempt for which this thread works."""
        return self._of_tag.get(tags.current())

    def puts(self, ref: str) -> None:
        """This thread has put an object, whose ref may name no task but the thread's own number."""
        attempt = self.current()
        if attempt is not None and not ref.startswith(attempt.task[_NUMBER:], _NUMBER):
            text = json.dumps({"task": ref, "needs": [attempt.task]})
            self._tell(0, records.SUBMITTED, text.encode())

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


def _is_by_ray(error: BaseException) -> TypeGuard[SystemExit]:
    """Whether Ray ends the process: as exit_actor wants it, with code 0, or since it was told to.

    The latter by SIGTERM, as a node does that is shut down, or whoever kills a worker by hand.
    """
    return isinstance(error, SystemExit) and hasattr(error, "ray_terminate_msg")
