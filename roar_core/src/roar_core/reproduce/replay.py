"""Carry out a plan: every step under `roar run` in the target, so that it is itself recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import attrs

from roar_core.errors import RoarError, UnreproducibleError
from roar_core.model.job import Job
from roar_core.reproduce.calling import run_to_its_end
from roar_core.reproduce.checkout import SCRATCH, Target
from roar_core.reproduce.commands import roar_words
from roar_core.reproduce.compare import Compared, compare, place_of, stamp
from roar_core.reproduce.environments import Maker, activated, roar_command
from roar_core.reproduce.gets import place_in, words_of
from roar_core.reproduce.places import leads_outside
from roar_core.reproduce.placing import Placed
from roar_core.reproduce.plan import Plan, PlannedStep
from roar_core.store.queries import Queries

Tell = Callable[[str], None]


@attrs.frozen
class StepResult:
    """How one step went. `job` is the record of its replay, None when it was not run.

    `problems` say why not, or how it ended otherwise than recorded; `deviations` what of its
    environment is another.
    """

    step: PlannedStep
    job: Job | None
    problems: tuple[str, ...]
    deviations: tuple[str, ...]
    artifacts: tuple[Compared, ...]

    @property
    def is_as_recorded(self) -> bool:
        """Whether the job hash is the same: command, code, inputs, packages and outputs."""
        return (
            self.job is not None
            and self.job.hash is not None
            and self.job.hash == self.step.job.hash
        )


@attrs.frozen
class Reproduction:
    """What came of a plan. `problems` concern the whole: packages that are not to be had."""

    plan: Plan
    steps: tuple[StepResult, ...]
    problems: tuple[str, ...]

    @property
    def asked(self) -> list[Compared]:
        """The verdicts on what was asked for."""
        return [a for result in self.steps for a in result.artifacts if a.output.is_asked]

    @property
    def exit_code(self) -> int:
        """0: all that was asked for is identical; 3: it could not be run; 1: anything else."""
        verdicts = {compared.verdict for compared in self.asked}
        if not self.asked:
            # A step without outputs is reproduced when it ends as it did.
            last = self.steps[-1] if self.steps else None
            if last is None or last.job is None:
                return 3
            return 1 if last.problems else 0
        if "not_run" in verdicts:
            return 3
        return 0 if verdicts == {"identical"} else 1


class Settings(NamedTuple):
    """How to carry out a plan: `objects` is the project's `.roar/objects`."""

    objects: str
    environ: Mapping[str, str]
    keep_going: bool
    tell: Tell
    warn: Tell


def carry_out(plan: Plan, settings: Settings) -> Reproduction:
    """Make the target and run every step; raises `UnreproducibleError` when nothing can begin."""
    return _Replay(plan, settings).carry_out()


class _Replay:
    def __init__(self, plan: Plan, settings: Settings) -> None:
        self._plan = plan
        self._settings = settings
        self._target = Target(plan, settings.objects)
        self._placed = Placed(plan)
        self._maker = Maker(f"{plan.target}/{SCRATCH}", settings.environ, settings.warn)
        self._problems: list[str] = []

    def carry_out(self) -> Reproduction:
        plan, settings = self._plan, self._settings
        if not plan.in_place:
            settings.tell(f"making {plan.target}")
            self._target.create()
        for environment in plan.environments:
            settings.tell(f"making {environment.name}: {environment.interpreter}")
            self._problems += self._maker.make(environment)
        if self._problems and not settings.keep_going:
            raise UnreproducibleError(
                "; ".join(self._problems) + "; --keep-going goes on without them"
            )
        for problem in self._problems:
            settings.warn(problem)
        results: list[StepResult] = []
        is_stopped = False
        for number, step in enumerate(plan.steps, 1):
            if is_stopped:
                results.append(_not_run(step, ["a step before it failed"]))
                continue
            settings.tell(f"step {number} of {len(plan.steps)}: {step.label}")
            result = self._step(step)
            for problem in result.problems:
                settings.warn(f"{step.label}: {problem}")
            results.append(result)
            is_stopped = bool(result.problems) and not settings.keep_going
        return Reproduction(plan, tuple(results), tuple(self._problems))

    def _step(self, step: PlannedStep) -> StepResult:
        if step.refusal:
            return _not_run(step, [step.refusal])
        root = self._plan.target_project
        if not self._plan.in_place:
            try:
                self._target.switch(step.code, self._placed.code_of(step))
                self._target.prepare_project()
            except (RoarError, OSError) as error:
                return _not_run(step, [str(error)])
        problems = self._placed.place(step)
        cwd = root if step.cwd == "." else f"{root}/{step.cwd}"
        if self._plan.in_place and not os.path.isdir(cwd):  # noqa: PTH112
            problems.append(f"its working directory {cwd!r} is gone")
        if not self._plan.in_place:
            problems += _led_astray(step, root)
            if not problems:
                os.makedirs(cwd, exist_ok=True)  # noqa: PTH103
        if problems:
            return _not_run(step, problems)
        before = {output.path: stamp(place_of(output, root)) for output in step.outputs}
        job = self._run(step, cwd)
        if job is not None and _ending_problem(step.job, job) and self._make_folders(step, root):
            # The record does not say which empty directories there were, only where files came to
            # be; a step that makes them itself has just had its chance.
            self._settings.tell(f"{step.label} is run again, with the directories of its outputs")
            job = self._run(step, cwd)
        if job is None:
            return _not_run(step, ["roar run did not start it; see what it said"])
        artifacts = tuple(
            compare(step.label, output, root, before[output.path], job) for output in step.outputs
        )
        self._placed.data.update(
            dict.fromkeys(output.relative for output in step.outputs if output.relative)
            | dict.fromkeys(f"{o.relative}/{m.name}" for o in step.outputs for m in o.members)
        )
        problem = _ending_problem(step.job, job)
        strays = [] if self._plan.in_place else _strays(job, self._plan)
        return StepResult(
            step=step,
            job=job,
            problems=(*([problem] if problem else []), *strays),
            deviations=tuple(_deviations(step.job, job)),
            artifacts=artifacts,
        )

    def _make_folders(self, step: PlannedStep, root: str) -> bool:
        """Make the directories that outputs were written to; whether any was lacking."""
        if self._plan.in_place:
            return False
        lacking = {
            os.path.dirname(place_of(output, root))  # noqa: PTH120
            for output in step.outputs
        }
        lacking = {folder for folder in lacking if not os.path.isdir(folder)}  # noqa: PTH112
        for folder in lacking:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        return bool(lacking)

    def _run(self, step: PlannedStep, cwd: str) -> Job | None:
        """Run the step's command and return what was recorded of it; None when nothing was."""
        environment = next(
            (self._maker.place(e) for e in self._plan.environments if e.name == step.environment),
            None,
        )
        newest = self._newest()
        run_to_its_end(
            [*roar_command(), *roar_words(step)],
            cwd,
            activated(self._settings.environ, environment, step.variables),
        )
        now = self._newest()
        if now is None or now == newest:
            return None
        with Queries.open(Path(self._plan.target_project) / ".roar", read_only=True) as database:
            return database.job(now)

    def _newest(self) -> str | None:
        roar_dir = Path(self._plan.target_project) / ".roar"
        if not (roar_dir / "roar.db").exists():
            return None
        with Queries.open(roar_dir, read_only=True) as database, database.reading() as db:
            row = db.execute(
                "SELECT uid FROM job WHERE parent IS NULL ORDER BY id DESC LIMIT 1"
            ).fetchone()
        return None if row is None else str(row[0])


def _not_run(step: PlannedStep, problems: list[str]) -> StepResult:
    artifacts = tuple(Compared(step.label, output, "not_run") for output in step.outputs)
    return StepResult(step, None, tuple(problems), (), artifacts)


def _led_astray(step: PlannedStep, root: str) -> list[str]:
    """Outputs and the working directory that a symbolic link would take out of the target."""
    problems = [
        f"{output.relative!r} would be written through a link, outside"
        for output in step.outputs
        if output.relative is not None and leads_outside(root, output.relative)
    ]
    if step.cwd != "." and leads_outside(root, step.cwd):
        problems.append(f"its working directory {step.cwd!r} is a link that leads outside")
    words = words_of(step.command) if step.job.kind == "get" else None
    if words is not None and words.dest is not None:
        place = place_in(root, step.cwd, words.dest)
        if place is None or leads_outside(root, place):
            problems.append(f"it would fetch to {words.dest!r}, a link that leads outside")
    return problems


def _strays(job: Job, plan: Plan) -> list[str]:
    """What the replay wrote outside the target, of its own accord."""
    inside = os.path.realpath(plan.target) + "/"
    recorded = [edge.path for edge in job.outputs if not edge.path.startswith(inside)]
    return [f"it wrote {path!r}, outside the target" for path in recorded if path.startswith("/")]


def _ending_problem(recorded: Job, now: Job) -> str | None:
    if recorded.state not in ("succeeded", "failed", "undone"):
        return None
    if (now.exit_code, now.signal) == (recorded.exit_code, recorded.signal):
        return None
    return f"it ended with {_ending(now)}, recorded is {_ending(recorded)}"


def _ending(job: Job) -> str:
    if job.signal:
        return job.signal
    return "no exit code" if job.exit_code is None else f"exit code {job.exit_code}"


def _deviations(recorded: Job, now: Job) -> Iterator[str]:
    then = recorded.environment.interpreter if recorded.environment else None
    today = now.environment.interpreter if now.environment else None
    if then != today:
        yield f"ran on {today or 'no Python'}, recorded is {then or 'none'}"
    names = sorted({*recorded.packages.python, *now.packages.python})
    for name in names:
        old, new = recorded.packages.python.get(name), now.packages.python.get(name)
        if old != new:
            yield f"package {name}: {new or 'not used'}, recorded is {old or 'none'}"
