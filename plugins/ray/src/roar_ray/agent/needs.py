"""Which task got the results of which: the edges that no file shows.

The first 48 hexadecimal digits of an ObjectRef are the task that makes it. Whoever submits a task
knows which refs it is given: a small result is put in its place on the way, so that the worker
never sees them. What a task fetches itself, it tells itself.
"""

from __future__ import annotations

import json
import threading

from . import records
from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_TASK_DIGITS = 48
# What a driver puts itself bears a number of this form, of no task that anybody could report.
_DRIVER = "00" + 38 * "f"
# How all begin that are put: with the number of an attempt, up to the sixteenth.
_NUMBERED = "0"


def task_of(ref: Any) -> str:
    """The task that makes what a ref stands for."""
    return str(ref.hex()[:_TASK_DIGITS])


def maker_of(ref: Any) -> str:
    """The task, or the whole ref where it may be a thread's `ray.put`, one of many: see `puts`."""
    name = str(ref.hex())
    return name if name.startswith(_NUMBERED) else name[:_TASK_DIGITS]


def is_of_a_thread(maker: str) -> bool:
    """Whether it is a whole ref, and not one that says by itself that a driver put it."""
    return len(maker) > _TASK_DIGITS and not maker.startswith(_DRIVER)


def is_own(method: str) -> bool:
    """Whether a method is Ray's own, and does not carry a function of the user's."""
    return method.startswith("__ray") and method != "__ray_call__"


class _Given(threading.local):
    """The refs found in the arguments of the call that this thread submits; None between calls."""

    tasks: set[str] | None = None


class Edges:
    """Sees to submissions and fetches. `fetched` is told of the tasks that this thread needs now.

    `tell` writes the records; `tag` says for whom. `puts` is told the ref of what this thread has
    put: of a thread which a task has started, or of an async actor's, it names no task (Ray's
    `TaskID::FromRandom`). `submissions`: how many there were, about.
    """

    def __init__(
        self,
        tell: Callable[[int, int, bytes], None],
        fetched: Callable[[set[str]], None],
        puts: Callable[[str], None] | None = None,
    ) -> None:
        self._tell = tell
        self._fetched = fetched
        self._puts = puts
        self._given = _Given()
        # Calls of Ray's own, such as of `__ray_ready__`: they run nothing that could report.
        self._own: set[str] = set()
        self.submissions = 0

    def install(self, ray: Any) -> list[str]:
        """See to this process's Ray; return what could not be seen to."""
        self._ref = ray.ObjectRef
        self._error = ray.exceptions.RayError
        self._creation = ray._raylet.TaskID.for_actor_creation_task
        missing = []
        places: tuple[tuple[str, Callable[[], None]], ...] = (
            ("remote functions", lambda: self._submission(ray.remote_function.RemoteFunction)),
            ("actor methods", lambda: self._submission(ray.actor.ActorMethod)),
            ("actors", lambda: self._submission(ray.actor.ActorClass)),
            ("contained refs", lambda: self._containment(ray._private.serialization)),
            ("ray.get", lambda: self._fetching(ray._private.worker.Worker)),
            ("await", self._awaiting),
            ("ray.put", lambda: self._putting(ray._private.worker.Worker)),
        )
        for name, see in places:
            try:
                see()
            except Exception as error:
                missing.append(f"{name} ({type(error).__name__}: {error})")
        return missing

    def _submission(self, owner: Any) -> None:
        submit = owner._remote

        def _remote(itself: Any, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
            tasks: set[str] = set()
            before = self._collect_into(tasks, args, kwargs)
            try:
                result = submit(itself, args, kwargs, **options)
            finally:
                self._collect_into(before)
            self.submissions += 1
            if tasks:
                self._submitted(result, tasks)
            if is_own(getattr(itself, "_method_name", "")):
                self._submitted_own(result)
            return result

        _remote.__wrapped__ = submit  # type: ignore[attr-defined]
        owner._remote = _remote

    def _collect_into(
        self, tasks: set[str] | None, args: Any = None, kwargs: Any = None
    ) -> set[str] | None:
        """Let this thread's refs be told to `tasks`; return to what they were before."""
        try:
            before, self._given.tasks = self._given.tasks, tasks
            if tasks is not None:
                self._directly(tasks, args, kwargs)
            return before
        except Exception as error:
            told("submission", error)
            return None

    def _directly(self, tasks: set[str], args: Any, kwargs: Any) -> None:
        """Refs that are arguments themselves: they are never serialized."""
        ref = self._ref
        for value in args or ():
            if isinstance(value, ref):
                tasks.add(maker_of(value))
        for value in (kwargs or {}).values():
            if isinstance(value, ref):
                tasks.add(maker_of(value))

    def _containment(self, serialization: Any) -> None:
        """Refs within arguments: the serializer tells of each, however deep it lies."""
        context = serialization.SerializationContext
        add = context.add_contained_object_ref

        def add_contained_object_ref(itself: Any, object_ref: Any, *rest: Any, **named: Any) -> Any:
            try:
                tasks = self._given.tasks
                if tasks is not None:
                    tasks.add(maker_of(object_ref))
            except Exception as error:
                told("contained ref", error)
            return add(itself, object_ref, *rest, **named)

        context.add_contained_object_ref = add_contained_object_ref

    def _submitted(self, result: Any, tasks: set[str]) -> None:
        try:
            made = self._task_of(result)
            if made is not None:
                needs = sorted(each for each in self._made(tasks) if each != made)
                text = json.dumps({"task": made, "needs": needs})
                self._tell(0, records.SUBMITTED, text.encode())
        except Exception as error:
            told("submission", error)

    def _submitted_own(self, result: Any) -> None:
        try:
            made = self._task_of(result)
            if made is not None:
                self._own.add(made)
        except Exception as error:
            told("submission", error)

    def _made(self, tasks: set[str]) -> set[str]:
        """Those of them that are tasks which report, and not drivers."""
        made = (task for task in tasks if not task.startswith(_DRIVER))
        return {task for task in made if task[:_TASK_DIGITS] not in self._own}

    def _task_of(self, result: Any) -> str | None:
        """The task that a submission's result names; None where it has none."""
        if isinstance(result, list):
            result = result[0] if result else None
        if isinstance(result, self._ref):
            return task_of(result)
        generator = getattr(result, "_generator_ref", None)
        if generator is not None:
            return task_of(generator)
        actor = getattr(result, "_actor_id", None)
        return None if actor is None else str(self._creation(actor).hex())

    def _fetching(self, worker: Any) -> None:
        """Where fetched objects become values, so that no frame of ours is around ray.get."""
        load = worker.deserialize_objects

        def deserialize_objects(
            itself: Any, serialized_objects: Any, object_refs: Any, *rest: Any, **named: Any
        ) -> Any:
            values = load(itself, serialized_objects, object_refs, *rest, **named)
            self._loaded(object_refs, values)
            return values

        worker.deserialize_objects = deserialize_objects

    def _putting(self, worker: Any) -> None:
        puts = self._puts
        if puts is None:
            return
        put = worker.put_object

        def put_object(itself: Any, value: Any, *rest: Any, **named: Any) -> Any:
            ref = put(itself, value, *rest, **named)
            try:
                puts(maker_of(ref))
            except Exception as error:
                told("ray.put", error)
            return ref

        worker.put_object = put_object

    def _awaiting(self) -> None:
        """`await ref` asks asyncio for a future of the one that Ray made, which names its ref."""
        import asyncio

        wrap = asyncio.wrap_future

        def wrap_future(future: Any, *rest: Any, **named: Any) -> Any:
            wrapped = wrap(future, *rest, **named)
            ref = getattr(future, "object_ref", None)
            if ref is not None:
                self._expect(ref, future, wrapped)
            return wrapped

        asyncio.wrap_future = wrap_future

    def _expect(self, ref: Any, future: Any, wrapped: Any) -> None:
        """Look when it is there, for whoever asks now: a callback runs in its asker's context."""

        def arrived(_: Any) -> None:
            # Of the one by which Ray told: asyncio's own would count the error as looked at.
            if future.done() and not future.cancelled() and future.exception() is None:
                self.fetched((ref,))

        try:
            wrapped.add_done_callback(arrived)
        except Exception as error:
            told("await", error)

    def _loaded(self, refs: Iterable[Any], values: Iterable[Any]) -> None:
        """These became values, or errors, which are no results: their tasks may not have begun."""
        try:
            pairs = zip(refs, values, strict=True)
            self.fetched([ref for ref, value in pairs if not isinstance(value, self._error)])
        except Exception as error:
            told("ray.get", error)

    def fetched(self, refs: Iterable[Any]) -> None:
        """This thread has got these results."""
        try:
            self._fetched(self._made({maker_of(ref) for ref in refs}))
        except Exception as error:
            told("ray.get", error)
