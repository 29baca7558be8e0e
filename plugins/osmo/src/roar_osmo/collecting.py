"""One collection: ask what has become of a workflow, fetch what came back, settle the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from roar_core.errors import RoarError
from roar_core.hookspecs import RunContext
from roar_core.model.fragment import TaskFragment
from roar_osmo.client import Osmo, OsmoError
from roar_osmo.declared import declared, needs_of
from roar_osmo.envelope import Envelope, belongs_to, opened, placed
from roar_osmo.notes import Notes, Progress, Settled
from roar_osmo.returned import fetched, received
from roar_osmo.rewrite import Treatment, session_in, treatments_in
from roar_osmo.state import Attempt, State, state_of
from roar_osmo.workflow import Task, read_workflow, specification_in

# So often is tried to fetch what an ended workflow's task has sent, before it is given up.
_TRIES = 3
_NOTHING = "its launcher sent nothing: no roar-core in its image, or it was ended before it could"
_CUT = "what its launcher sent is cut short or damaged"

Key = tuple[str, int]


class Collecting:
    """One collection of one run. The folder's notes carry everything to the next one."""

    def __init__(self, run: RunContext, osmo: Osmo) -> None:
        self._run = run
        self._notes = Notes(run.folder)
        self._osmo = osmo
        self._workflow = ""
        self._tasks: dict[str, Task] = {}
        self._treatments: dict[str, Treatment] = {}
        self._sent: dict[str, Envelope] = {}
        self._problems: list[str] = []
        self._session = ""
        self._unreceived: str | None = None
        before = self._notes.progress
        self._settled = {} if before is None else {s.key: s for s in before.settled}
        self._failures = {} if before is None else dict(before.failures)
        # Which attempt sent what is decided once: another attempt may be known of later.
        self._owners: dict[str, Key] = {} if before is None else dict(before.owners)

    def fragments(self) -> Iterator[TaskFragment]:
        """What is known of every attempt that has ended, in an order that stays.

        Nothing when the workflow was submitted a moment ago: nobody is kept waiting for osmo to say
        that nothing has ended. Raises OsmoError when the workflow cannot be asked about.
        """
        if self._notes.has_begun and self._notes.progress is None and not self._notes.was_refused:
            self._notes.keep_progress(self._just_submitted())
            return
        workflow = self._find_workflow()
        if workflow is None:
            return
        self._workflow = workflow
        words = ("workflow", "query", workflow, "--verbose", "--format-type", "json")
        state = state_of(self._osmo.document("groups", *words))
        self._read_specification()
        for name, content in self._notes.envelopes():
            self._take(name, content)
        # In the specification's order, in which a task comes after those that it waits for.
        for name in dict.fromkeys([*self._tasks, *(each.task for each in state.attempts)]):
            mine = [attempt for attempt in state.attempts if attempt.task == name]
            if mine:
                self._bring(state, mine)
                yield from self._told(mine)
        self._keep(state)

    def _just_submitted(self) -> Progress:
        text = self._notes.specification
        count = 1 if text is None else len(read_workflow(text, "the specification").tasks)
        return Progress(status="", is_final=False, known=None, running=count)

    def _find_workflow(self) -> str | None:
        """The run's workflow; by its label when roar was killed before it knew the id."""
        notes = self._notes
        if notes.workflow is not None or notes.was_refused or not notes.has_begun:
            return notes.workflow
        words = ("workflow", "list", "--label", notes.label, "--format-type", "json")
        listed = self._osmo.document("workflows", *words)["workflows"]
        first = listed[0] if isinstance(listed, list) and listed else None
        found = first.get("name") if isinstance(first, dict) else None
        notes.submitted(found if isinstance(found, str) else None)
        return notes.workflow

    def _read_specification(self) -> None:
        source = f"the specification of {self._workflow}"
        try:
            text = self._notes.specification
            if text is None:
                printed = self._osmo.text("workflow", "spec", self._workflow)
                text = specification_in(printed, source).text()
                self._notes.keep_specification(text)
            read = read_workflow(text, source)
        except RoarError as error:
            self._problems.append(str(error))
            return
        self._tasks = {task.name: task for task in read.tasks}
        self._treatments = {each.task: each for each in treatments_in(read)}
        self._session = session_in(read)

    def _take(self, name: str, content: bytes) -> None:
        """Take in what a launcher has sent; what is no such thing is told and left."""
        try:
            envelope = opened(name, content)
        except ValueError as error:
            self._problems.append(f"what a launcher sent cannot be read: {error}")
            return
        if envelope.workflow == self._workflow:
            self._sent[name] = envelope

    def _bring(self, state: State, mine: list[Attempt]) -> None:
        """Fetch what a task's attempts have sent, and settle those that will send nothing."""
        if not self._open(mine):
            return
        name = mine[0].task
        treatment = self._treatments.get(name)
        is_over = state.has_ended
        if treatment is None:
            reason = "its specification is not known"
        elif not treatment.returned_by:
            reason, is_over = self._notes.why or treatment.reason, True
        else:
            try:
                reason = self._fetch(treatment, mine)
            except OsmoError as error:
                self._problems.append(str(error))
                self._failures[name] = self._failures.get(name, 0) + is_over
                reason = f"what its launcher may have sent cannot be fetched: {error}"
                is_over = self._failures[name] >= _TRIES
        if is_over:
            for attempt in self._open(mine):
                self._settled[attempt.key] = Settled(*attempt.key, reason)

    def _fetch(self, treatment: Treatment, mine: list[Attempt]) -> str:
        """Take in what a task's attempts have sent, by its log what could not go elsewhere.

        Returns why there is none of those that are open still. Raises OsmoError.
        """
        if treatment.returned_by == "registry":
            failure = self._receive()
            if not self._open(mine):
                return ""
        else:
            failure = ""
        incomplete: set[str] = set()
        for found, content in fetched(self._osmo, self._workflow, treatment, mine, incomplete):
            if found not in self._sent:
                self._notes.keep_envelope(found, content)
                self._take(found, content)
        if failure and self._open(mine):
            raise OsmoError(failure)
        return _CUT if incomplete - self._sent.keys() else _NOTHING

    def _receive(self) -> str:
        """Take in what a registry has, once in a collection; returns why that was not possible."""
        if self._unreceived is None:
            self._unreceived = ""
            try:
                for found, content in received(self._run, self._session):
                    if found not in self._sent:
                        self._notes.keep_envelope(found, content)
                        self._take(found, content)
            except RoarError as error:
                self._unreceived = str(error)
        return self._unreceived

    def _open(self, mine: Iterable[Attempt]) -> list[Attempt]:
        """Attempts that have ended, and of which nothing is known yet."""
        mine = list(mine)
        self._own(mine)
        owned = set(self._owners.values())
        return [a for a in mine if a.ran and a.key not in owned and a.key not in self._settled]

    def _own(self, mine: list[Attempt]) -> None:
        """Decide which of a task's attempts sent what, where that is not decided yet."""
        for name, envelope in self._sent.items():
            if name not in self._owners and envelope.task == mine[0].task:
                attempt = belongs_to(envelope, mine)
                if attempt is not None and attempt.has_ended:
                    self._owners[name] = attempt.key

    def _told(self, mine: list[Attempt]) -> Iterator[TaskFragment]:
        """The fragments of a task's attempts; an attempt that was given up stays that."""
        self._own(mine)
        task = self._tasks.get(mine[0].task)
        needs = self._unseen(task)
        for attempt in mine:
            settled = self._settled.get(attempt.key)
            if settled is not None:
                yield declared(attempt, task, self._workflow, settled.reason)
                continue
            for name in sorted(self._sent):
                if self._owners.get(name) == attempt.key and attempt.has_ended:
                    yield placed(self._sent[name], attempt, task, needs)

    def _unseen(self, task: Task | None) -> tuple[str, ...]:
        """The tasks whose output a task got, and of which no file is known that could tie them."""
        seen = {name for name, _ in self._owners.values()}
        needs = () if task is None else needs_of(task, self._workflow)
        return tuple(name for name in needs if name not in seen)

    def _keep(self, state: State) -> None:
        ran = {attempt.task for attempt in state.attempts if attempt.ran}
        going = {attempt.task for attempt in state.attempts if not attempt.has_ended}
        never = [a for a in state.attempts if a.never_ran and a.task not in ran]
        self._notes.keep_progress(
            Progress(
                status=state.status,
                is_final=state.has_ended and not self._open_in(state),
                known=len(ran),
                running=len(going),
                never_ran=tuple(f"{each.task} ({each.status})" for each in never),
                problems=tuple(dict.fromkeys(self._problems)),
                settled=tuple(self._settled.values()),
                failures=self._failures,
                owners=self._owners,
            )
        )

    def _open_in(self, state: State) -> bool:
        by_task: dict[str, list[Attempt]] = {}
        for attempt in state.attempts:
            by_task.setdefault(attempt.task, []).append(attempt)
        return any(self._open(mine) for mine in by_task.values())
