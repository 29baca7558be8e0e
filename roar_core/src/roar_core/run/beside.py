"""What a run is beside its own process tree: nothing, unless companions take part in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from roar_core.model.coverage import CoverageReason
from roar_core.model.job import Edge
from roar_core.run.begun import BegunJob
from roar_core.run.planned import Planned

if TYPE_CHECKING:
    from roar_core.hookspecs import Tracer
    from roar_core.model.fragment import TaskFragment
    from roar_core.run.follow import Watch
    from roar_core.run.subtrees import Subtrees
    from roar_core.store.writer import Store

Claim = Callable[[str], bool]


def _nothing(_: Iterable[str]) -> Claim:
    return lambda path: False


class Beside(NamedTuple):
    """What companions add to the record of a job, besides its tasks.

    `claims` is told many paths and then says of each whether it is a platform's own traffic;
    `reasons` says what went unseen, once that was asked too. `subtrees` tells apart the processes
    of the run that are tasks, which `merge` takes.
    """

    inputs: tuple[Edge, ...] = ()
    outputs: tuple[Edge, ...] = ()
    claims: Callable[[Iterable[str]], Claim] = _nothing
    reasons: Callable[[], tuple[CoverageReason, ...]] = tuple
    subtrees: Subtrees | None = None
    merge: Callable[[str, Iterable[TaskFragment]], None] | None = None


class Company(Protocol):
    """Those who take part in a run besides its tracer, in the order in which they are called."""

    def prepare(self, command: Planned) -> Planned:
        """Make ready; return the command as it shall be started. Raises RefusedError."""

    def watch(self, tracer: Tracer) -> Watch | None:
        """Who wants the records of the run as they come; None: nobody does."""

    def begin(self, begun: BegunJob, store: Store) -> None:
        """The command is about to start; every signal of the relay is blocked."""

    def serves(self, pid: int, words: Sequence[str]) -> bool:
        """Whether a process that outlives the command is a platform's own server."""

    def abandon(self) -> None:
        """The command is not started after all."""

    def finish(self, begun: BegunJob, store: Store) -> Beside:
        """The command has ended, and its job is about to be completed."""

    def let_go(self) -> None:
        """The job is completed."""


class Alone:
    """The company of most runs: nobody."""

    def prepare(self, command: Planned) -> Planned:
        return command

    def watch(self, tracer: Tracer) -> Watch | None:
        return None

    def begin(self, begun: BegunJob, store: Store) -> None:
        """Nobody wants to know."""

    def serves(self, pid: int, words: Sequence[str]) -> bool:
        return False

    def abandon(self) -> None:
        """Nobody is there to stop."""

    def finish(self, begun: BegunJob, store: Store) -> Beside:
        return Beside()

    def let_go(self) -> None:
        """Nobody holds anything."""
