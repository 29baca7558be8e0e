"""The JSON documents of `roar reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from roar_core.cli.documents import Document, document, path_fields, text
from roar_core.cli.reproduce_view import outside_inputs, system_packages
from roar_core.project import Project

if TYPE_CHECKING:
    from roar_core.reproduce.compare import Compared
    from roar_core.reproduce.plan import (
        EnvironmentPlan,
        Plan,
        PlannedInput,
        PlannedOutput,
        PlannedStep,
    )
    from roar_core.reproduce.replay import Reproduction, StepResult


def plan_document(plan: Plan) -> Document:
    """A plan that was not carried out."""
    return _document(plan, "planned", 3 if plan.problems else 0, plan.problems, {})


def reproduction_document(done: Reproduction) -> Document:
    """A plan that was carried out, with its verdicts."""
    problems = (*done.plan.problems, *done.problems)
    results = {result.step.job.uid: result for result in done.steps}
    return _document(done.plan, "finished", done.exit_code, problems, results)


def requirements_document(plan: Plan) -> Document:
    """What somebody has to have."""
    return document(
        "requirements",
        ref=text(plan.ref),
        environments=[_environment(environment) for environment in plan.environments],
        system={text(k): text(v) for k, v in sorted(system_packages(plan).items())},
        inputs=[_input(planned, plan.project) for planned in outside_inputs(plan)],
        problems=[text(problem) for problem in plan.problems],
    )


def _document(
    plan: Plan,
    state: str,
    exit_code: int,
    problems: tuple[str, ...],
    results: dict[str, StepResult],
) -> Document:
    return document(
        "reproduction",
        ref=text(plan.ref),
        state=state,
        exit_code=exit_code,
        project=text(plan.project),
        target=text(plan.target),
        in_place=plan.in_place,
        told_by=[text(words) for words in plan.told_by],
        environments=[_environment(environment) for environment in plan.environments],
        steps=[_step(step, results.get(step.job.uid)) for step in plan.steps],
        problems=[text(problem) for problem in problems],
        notes=[text(note) for note in plan.notes],
    )


def _environment(environment: EnvironmentPlan) -> Document:
    return {
        "name": environment.name,
        "interpreter": environment.interpreter,
        "base": environment.base and text(environment.base),
        "base_version": environment.base_version,
        "packages": {text(k): text(v) for k, v in sorted(environment.packages.items())},
        "local": {text(k): text(v) for k, v in sorted(environment.local.items())},
    }


def _step(step: PlannedStep, result: StepResult | None) -> Document:
    job = None if result is None else result.job
    verdicts = {} if result is None else {c.output.path: c for c in result.artifacts}
    return {
        "step": step.label,
        "uid": step.job.uid,
        "hash": step.job.hash,
        "kind": step.job.kind,
        "command": [text(word) for word in step.command],
        "cwd": text(step.cwd),
        "commit": step.code.commit,
        "snapshot": step.code.snapshot,
        "environment": step.environment,
        "variables": {text(k): text(v) for k, v in sorted(step.variables.items())},
        "changes": [text(change) for change in step.rewritten],
        "refusal": step.refusal and text(step.refusal),
        "inputs": [_input(planned, step.job.project) for planned in step.inputs],
        "outputs": [
            _output(output, step.job.project, verdicts.get(output.path)) for output in step.outputs
        ],
        "replayed": job and job.uid,
        "replayed_hash": job and job.hash,
        "same_hash": None if result is None else result.is_as_recorded,
        "problems": [] if result is None else [text(problem) for problem in result.problems],
        "deviations": [] if result is None else [text(d) for d in result.deviations],
    }


def _input(planned: PlannedInput, project: str) -> Document:
    return _place(planned.path, planned.relative, project) | {
        "hash": planned.hash,
        "size": planned.size,
        "kind": planned.kind,
        "origin": planned.origin,
        "found": planned.found and text(planned.found),
        "producer": planned.producer,
        "source": planned.source and text(planned.source),
        "lacking": [text(name) for name in planned.lacking],
    }


def _output(output: PlannedOutput, project: str, compared: Compared | None) -> Document:
    return _place(output.path, output.relative, project) | {
        "hash": output.hash,
        "size": output.size,
        "kind": output.kind,
        "asked": output.is_asked,
        "verdict": compared and compared.verdict,
        "now": compared and compared.hash,
        "details": [] if compared is None else [text(detail) for detail in compared.details],
    }


def _place(path: str, relative: str | None, project: str) -> Document:
    fields = path_fields(path, Project(Path(project)))
    return fields | {"relative": relative and text(relative)}
