"""A user's function or method as Ray executes it, with an attempt around each call.

What Ray finds out about a function (its `name`, its `method`, whether it returns a generator) it
finds out about the wrapped one too. Where anything of ours raises, the call goes on without us.
"""

from __future__ import annotations

import inspect
import json
from types import AsyncGeneratorType, GeneratorType

from . import generators, tags
from .steps import Steps
from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .attempts import Attempt, Attempts
    from .libraries import Telling

# Names that users give to tasks may be many.
_KNOWN_MAX = 1000
_NOTHING_MORE = ("", "", False)


class TracedFunction:
    """What is the same for all calls of one function: `facts` are told of each.

    `telling` says of a call's arguments what tells it from others, `is_named_by_label` that a
    task's own name counts for more than its function's. `outcome`: an attempt lasts as long as the
    threads which it started, and this gives what they raised. `earlier` is how many attempts are
    known to have been before the first one here.
    """

    def __init__(
        self,
        attempts: Attempts,
        function: Callable[..., Any],
        facts: dict[str, Any],
        *,
        telling: Telling | None = None,
        is_named_by_label: bool = False,
        outcome: Callable[[], BaseException | None] | None = None,
        earlier: int = 0,
    ) -> None:
        self.attempts = attempts
        self.function = function
        self.outcome = outcome
        self.earlier = earlier
        self._facts = facts
        self._telling = telling
        self._is_named_by_label = is_named_by_label
        self._known: dict[tuple[str, tuple[str, str, bool]], str] = {}

    def wrapped(self) -> Callable[..., Any]:
        """The function for Ray to call instead."""
        method = getattr(self.function, "method", self.function)
        if inspect.iscoroutinefunction(method):
            wrapper = self._coroutine()
        elif inspect.isasyncgenfunction(method):
            wrapper = self._async_generator()
        else:
            wrapper = self._plain()
        # As functools.wraps, but nothing that leads around the wrapper.
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            if hasattr(self.function, name):
                setattr(wrapper, name, getattr(self.function, name))
        wrapper.__dict__.update(self.function.__dict__)
        return wrapper

    def facts_of(self, label: str, arguments: Sequence[Any], named: Mapping[str, Any]) -> str:
        """The rest of a JSON object, from the first fact on; the same text for the same words."""
        about = _NOTHING_MORE if self._telling is None else self._telling(arguments, named)
        text = self._known.get((label, about))
        if text is None:
            if len(self._known) > _KNOWN_MAX:
                self._known.clear()
            text = self._known[label, about] = json.dumps(self._all_facts(label, *about))[1:]
        return text

    def _all_facts(self, label: str, group: str, owner: str, is_own: bool) -> dict[str, Any]:
        facts = self._facts | {"label": label} | ({"group": group} if group else {})
        if label and self._is_named_by_label:
            facts["name"] = label
        if owner:
            facts["name"] = f"{owner}.{facts['name'].rpartition('.')[2]}"
        return facts | ({"role": "infrastructure"} if is_own else {})

    def begin(
        self, arguments: Sequence[Any], named: Mapping[str, Any], *, here: bool = True
    ) -> Attempt | None:
        """The attempt that begins now; None when it cannot be told, and is not traced."""
        try:
            return self.attempts.begin(self, arguments, named, here=here)
        except Exception as error:
            told("begin", error)
            return None

    def enter(self, attempt: Attempt) -> int:
        """Let this thread work for it; return for which it did, or -1."""
        try:
            return tags.switch(attempt.tag)
        except Exception as error:
            told("enter", error)
            return -1

    def leave(self, before: int) -> None:
        """Let this thread work again for what it did before."""
        if before >= 0:
            tags.back(before, "leave")

    def succeeded(self, attempt: Attempt) -> None:
        """It returned."""
        try:
            self.attempts.succeeded(attempt, self.outcome)
        except Exception as error:
            told("succeeded", error)

    def failed(self, attempt: Attempt, raised: BaseException) -> None:
        """It raised."""
        try:
            self.attempts.failed(attempt, raised)
        except Exception as error:
            told("failed", error)

    def _plain(self) -> Callable[..., Any]:
        function = self.function

        def traced(*arguments: Any, **named: Any) -> Any:
            attempt = self.begin(arguments, named)
            if attempt is None:
                return function(*arguments, **named)
            before = self.enter(attempt)
            try:
                result = function(*arguments, **named)
            except BaseException as error:
                self.failed(attempt, error)
                raise
            finally:
                self.leave(before)
            if type(result) is GeneratorType:
                return generators.traced(self, attempt, result)
            if type(result) is AsyncGeneratorType:
                return generators.traced_async(self, attempt, result)
            self.succeeded(attempt)
            return result

        return traced

    def _coroutine(self) -> Callable[..., Any]:
        function = self.function

        def traced_coroutine(*arguments: Any, **named: Any) -> Any:
            coroutine = function(*arguments, **named)
            attempt = self.begin(arguments, named, here=False)
            return coroutine if attempt is None else Steps(self, attempt, coroutine)

        return traced_coroutine

    def _async_generator(self) -> Callable[..., Any]:
        function = self.function

        def traced_async_generator(*arguments: Any, **named: Any) -> Any:
            generator = function(*arguments, **named)
            attempt = self.begin(arguments, named)
            if attempt is None or type(generator) is not AsyncGeneratorType:
                return generator
            return generators.traced_async(self, attempt, generator)

        return traced_async_generator
