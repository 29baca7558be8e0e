"""The execution backends of one run: which one plans it, what the others add, what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol, TypeVar

from roar_core.errors import PluginError, RefusedError
from roar_core.hookspecs import ExecutionBackend, Match, ProcessBackend, ServingBackend
from roar_core.model.coverage import CoverageReason, TaskCoverage
from roar_core.run.partners import Partner, Shortfall
from roar_core.run.planned import Planned, checked_variables, checked_words
from roar_core.run.spawn import find_program

if TYPE_CHECKING:
    from roar_core.model.fragment import TaskFragment
    from roar_core.run.subtrees import Subtrees

# The codes of all reasons that are found out afresh when tasks are collected again.
CODES = frozenset({"backend", "tasks", "results"})
# A backend has its time for so many paths, however many a dataset has.
_ASKED_AT_ONCE = 5_000
# The file in a backend's folder that says which process is which task.
PROCESSES = "processes"


class Keep(Protocol):
    """Where what a backend brings back goes to, by the backend's name."""

    def merge(self, backend: str, fragments: Iterable[TaskFragment]) -> None:
        """Keep what tasks have reported."""

    def note_needs(self, backend: str, tasks: Sequence[str]) -> None:
        """Keep which tasks' results the run's own command got."""

    def count(self, backend: str) -> int:
        """Say how many tasks are kept by now."""

    def count_unmet(self, backend: str) -> int:
        """Say how many tasks are not, although something got their results."""


T = TypeVar("T")


class Backends:
    """The backends that take part in one run. One that fails before the start leaves it."""

    def __init__(self, partners: Sequence[Partner], shortfall: Shortfall) -> None:
        self.partners = list(partners)
        self._shortfall = shortfall
        self._claimed: dict[str, bool] = {}
        self.subtrees: Subtrees | None = None

    def prepare(self, wanted: str, command: Planned) -> Planned:
        """Let the surest backend plan the command, or the one that is `wanted`; the others adopt.

        Raises RefusedError when no backend of that name is installed.
        """
        chosen = self._surest(command) if wanted == "auto" else self._named(wanted)
        if chosen is not None:
            command = self._plan(chosen, command)
            if chosen in self.partners and isinstance(chosen.offer.value, ProcessBackend):
                self.subtrees = self._told_apart(chosen)
        for partner in list(self.partners):
            if partner is not chosen:
                command = self._adopt(partner, command)
        return command

    def resume(self) -> None:
        """Carry on a run whose roar was killed: who told its processes apart is known by a file."""
        for partner in self.partners:
            is_able = isinstance(partner.offer.value, ProcessBackend)
            if is_able and (partner.run.folder / PROCESSES).exists():
                self.subtrees = self._told_apart(partner)

    def _told_apart(self, partner: Partner) -> Subtrees:
        from roar_core.run.subtrees import Subtrees

        return Subtrees(partner, self._shortfall)

    def claims(self, paths: Iterable[str]) -> Callable[[str], bool]:
        """Whether a path is a platform's own traffic; about all of `paths` is asked at once."""
        self._ask({path for path in paths if path not in self._claimed})

        def is_claimed(path: str) -> bool:
            if path not in self._claimed:
                self._ask({path})
            return self._claimed[path]

        return is_claimed

    def serves(self, pid: int, words: Sequence[str]) -> bool:
        """Whether a process that outlives the command is a platform's own server."""
        for partner in self.partners:
            if not isinstance(partner.offer.value, ServingBackend):
                continue
            try:
                if partner.call("claiming a process", _serves, partner, pid, words):
                    return True
            except PluginError as error:
                self._shortfall.note("backend", error)
        return False

    def collect(self, partner: Partner, keep: Keep) -> tuple[list[CoverageReason], bool]:
        """Bring back what tasks have reported; return what is missing, and whether that is all.

        What a backend gave before it failed is kept.
        """
        backend: ExecutionBackend = partner.offer.value
        try:
            fragments = partner.each("collecting tasks", lambda: checked_fragments(partner))
            keep.merge(partner.name, fragments)
            coverage = partner.call("counting tasks", _coverage, backend, partner)
        except PluginError as error:
            self._shortfall.note("backend", error)
            return [], False
        reasons = [_of_ours(reason) for reason in coverage.reasons]
        keep.note_needs(partner.name, coverage.needs)
        missing = (coverage.known or 0) - keep.count(partner.name)
        if missing > 0:
            words = f"of {coverage.known} tasks of {partner.name} not reported"
            reasons.append(CoverageReason("tasks", missing, words))
        unmet = keep.count_unmet(partner.name)
        if unmet > 0:
            words = f"tasks of {partner.name} not reported whose results were used"
            reasons.append(CoverageReason("results", unmet, words))
        return reasons, coverage.is_final

    def finalise(self, partner: Partner) -> None:
        """Let a backend let go of the run; its folder stays for another try when it fails."""
        backend: ExecutionBackend = partner.offer.value
        try:
            partner.call("finalising the run", backend.finalise, partner.run)
        except PluginError as error:
            self._shortfall.note("backend", error)
        else:
            partner.forget()

    def _named(self, wanted: str) -> Partner:
        for partner in self.partners:
            if partner.name == wanted:
                return partner
        known = ", ".join(partner.name for partner in self.partners) or "none"
        raise RefusedError(f"there is no backend {wanted!r}; installed: {known}")

    def _surest(self, command: Planned) -> Partner | None:
        best: tuple[int, Partner] | None = None
        for partner in list(self.partners):
            match = self._before(partner, "looking at the command", _detect, command)
            # Partners stand in the order of their priorities: of equals the first is taken.
            if match is not None and (best is None or match.confidence > best[0]):
                best = match.confidence, partner
        return None if best is None else best[1]

    def _plan(self, partner: Partner, command: Planned) -> Planned:
        return self._before(partner, "planning the run", _plan, command) or command

    def _adopt(self, partner: Partner, command: Planned) -> Planned:
        return self._before(partner, "adopting the run", _adopt, command) or command

    def _before(
        self, partner: Partner, doing: str, ask: Callable[[Partner, Planned], T], command: Planned
    ) -> T | None:
        """Ask a backend something before the start; when it fails, the run goes on without it."""
        try:
            return partner.call(doing, ask, partner, command)
        except PluginError as error:
            self._shortfall.note("backend", error)
            self.partners.remove(partner)
            partner.forget()
            return None

    def _ask(self, paths: set[str]) -> None:
        self._claimed.update(dict.fromkeys(paths, False))
        rest, answering = iter(paths), list(self.partners)
        while answering and (some := list(islice(rest, _ASKED_AT_ONCE))):
            # pathlib takes microseconds for each path, so all backends are given the same.
            asked = [(path, PurePath(path)) for path in some]
            for partner in list(answering):
                try:
                    found = partner.call("claiming files", _claimed, partner, asked)
                except PluginError as error:
                    answering.remove(partner)
                    self._shortfall.note("backend", error)
                else:
                    self._claimed.update(dict.fromkeys(found, True))


def checked_fragments(partner: Partner) -> Iterable[TaskFragment]:
    """What a backend's `collect` gives; raises TypeError or ValueError when that is none."""
    for fragment in partner.offer.value.collect(partner.run):
        # Of most runs nothing comes, and what it would be like need not be known.
        from roar_core.fragment_checks import checked
        from roar_core.model.fragment import TaskFragment

        if not isinstance(fragment, TaskFragment):
            raise TypeError(f"collect gave {fragment!r}, expected a TaskFragment")
        yield checked(fragment)


def _of_ours(reason: CoverageReason) -> CoverageReason:
    """A reason that can be told from a tracer's, for it is found out afresh at every collection."""
    if reason.code in CODES:
        return reason
    words = f"{reason.code}: {reason.detail}" if reason.detail else reason.code
    return CoverageReason("backend", reason.count, words)


# Each of these is called in a backend's thread: what it raises is the backend's failure.


def _detect(partner: Partner, command: Planned) -> Match | None:
    found = partner.offer.value.detect(command.argv, command.environ, partner.run.cwd)
    if found is not None and not isinstance(found, Match):
        raise TypeError(f"detect gave {found!r}, expected a Match or None")
    return found


def _plan(partner: Partner, command: Planned) -> Planned:
    plan = partner.offer.value.plan(partner.run, command.environ)
    argv, environ = checked_words(plan.argv), checked_variables(plan.environ)
    is_the_same = argv[0] == command.argv[0]
    program = command.program if is_the_same else find_program(argv[0], environ.get("PATH"))
    return Planned(program, argv, environ)


def _adopt(partner: Partner, command: Planned) -> Planned:
    added = checked_variables(partner.offer.value.adopt(partner.run, command.environ))
    return command._replace(environ={**command.environ, **added})


def _coverage(backend: ExecutionBackend, partner: Partner) -> TaskCoverage:
    found = backend.coverage(partner.run)
    if not isinstance(found, TaskCoverage):
        raise TypeError(f"coverage gave {found!r}, expected a TaskCoverage")
    return found


def _serves(partner: Partner, pid: int, words: Sequence[str]) -> bool:
    found = partner.offer.value.serves(partner.run, pid, words)
    if not isinstance(found, bool):
        raise TypeError(f"serves gave {found!r}, expected True or False")
    return found


def _claimed(partner: Partner, paths: Sequence[tuple[str, PurePath]]) -> list[str]:
    backend: ExecutionBackend = partner.offer.value
    return [path for path, pure in paths if backend.claims(partner.run, pure)]
