"""A plan, its requirements, and what came of it, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from roar_core.cli import output, wording

if TYPE_CHECKING:
    from roar_core.reproduce.compare import Compared
    from roar_core.reproduce.plan import Plan, PlannedInput, PlannedStep
    from roar_core.reproduce.replay import Reproduction

_MOST = 20
_VERDICTS = {
    "identical": ("succeeded", "identical"),
    "differs": ("failed", "differs"),
    "missing": ("failed", "missing"),
    "unknown": ("interrupted", "unknown"),
    "not_run": ("interrupted", "not run"),
}


def print_plan(plan: Plan, objects: str, say: Callable[[str], None]) -> None:
    """The whole plan, by `say` line by line: what is needed, and every command that would run."""
    for text in _plan_lines(plan, objects):
        say(output.printable(text))


def print_requirements(plan: Plan) -> None:
    """Interpreters, packages and inputs that somebody has to have."""
    for environment in plan.environments:
        output.line(output.printable(f"{environment.name}  {environment.interpreter}"))
        for name in sorted(environment.packages):
            local = environment.local.get(name)
            what = f"  ({local})" if local else ""
            output.line(output.printable(f"  {name}=={environment.packages[name]}{what}"))
    system = system_packages(plan)
    if system:
        output.line("system packages")
        for name in sorted(system):
            output.line(output.printable(f"  {name} {system[name]}"))
    needed = outside_inputs(plan)
    if needed:
        output.line("inputs")
        for planned in needed:
            output.line(output.printable(f"  {_input(planned)}"))


def system_packages(plan: Plan) -> dict[str, str]:
    """The system packages that the recorded programs used."""
    found: dict[str, str] = {}
    for step in plan.steps:
        found.update(step.job.packages.system)
    return found


def outside_inputs(plan: Plan) -> list[PlannedInput]:
    """Inputs that neither a step nor the code brings, each once."""
    found = {
        (planned.path, planned.hash): planned
        for step in plan.steps
        for planned in step.inputs
        if planned.origin not in ("step", "commit", "snapshot") or planned.lacking
    }
    return list(found.values())


def print_reproduction(done: Reproduction) -> None:
    """A verdict for every artifact, those that were asked for last."""
    every = [compared for result in done.steps for compared in result.artifacts]
    for compared in (*(c for c in every if not c.output.is_asked), *done.asked):
        _print_verdict(compared)
    for result in done.steps:
        for deviation in result.deviations[:_MOST]:
            output.line(output.printable(f"  {result.step.label} {deviation}"))
    same = sum(result.is_as_recorded for result in done.steps)
    identical = sum(compared.verdict == "identical" for compared in done.asked)
    output.line(
        f"{identical} of {wording.count(len(done.asked), 'artifact')} asked for identical;"
        f" {same} of {wording.count(len(done.steps), 'job hash', 'job hashes')} as recorded"
    )
    output.tell(f"the reproduction is in {done.plan.target}")


def _print_verdict(compared: Compared) -> None:
    state, word = _VERDICTS[compared.verdict]
    shown = compared.output
    name = output.printable(shown.relative or shown.path)
    about = output.style(f"{compared.step} {wording.short_hash(shown.hash)}", "dim")
    output.line(f"{wording.mark(state)} {word:<9}  {name}  {about}")
    for detail in compared.details:
        output.line(output.printable(f"               {detail}"))


def _plan_lines(plan: Plan, objects: str) -> Iterator[str]:
    from roar_core.reproduce import commands

    steps = wording.count(len(plan.steps), "step")
    yield f"reproduce {plan.ref}: {steps} in {plan.target}"
    for text in plan.told_by:
        yield f"  not recorded here: {text}"
    for environment in plan.environments:
        packages = (
            wording.versions(environment.packages, 8) if environment.packages else "no packages"
        )
        yield f"  {environment.name}  {environment.interpreter}, {packages}"
    needed = outside_inputs(plan)
    if needed:
        yield "inputs"
        for planned in needed[:_MOST]:
            yield f"  {_input(planned)}"
        if len(needed) > _MOST:
            yield f"  … and {len(needed) - _MOST} more (--list-requirements)"
    yield f"commands, in {plan.target_project}"
    for command in commands.preparations(plan):
        yield f"  {commands.shell_line(command)}"
    code = None
    for step in plan.steps:
        if commands.is_code_changed(step, code):
            for command in commands.code_commands(plan, step.code, objects):
                yield f"  {commands.shell_line(command)}"
            code = step.code
        yield from _step(plan, step)
    for text in plan.notes:
        yield f"note: {text}"
    for text in plan.problems:
        yield f"problem: {text}"


def _step(plan: Plan, step: PlannedStep) -> Iterator[str]:
    from roar_core.reproduce import commands

    command = commands.step_command(plan, step)
    line = commands.shell_line(command._replace(cwd=None, environment=None))
    where = [] if step.cwd == "." else [f"in {step.cwd}"]
    if step.environment:
        where.append(f"with {step.environment}")
    about = f"   ({', '.join(where)})" if where else ""
    yield f"  {step.label}  {line}{about}"
    for change in step.rewritten:
        yield f"      {change}"
    asked = [o.relative or o.path for o in step.outputs if o.is_asked]
    if asked:
        more = f" … and {len(asked) - 5} more" if len(asked) > 5 else ""
        yield f"      compared: {', '.join(asked[:5])}{more}"


def _input(planned: PlannedInput) -> str:
    name = planned.relative or planned.path
    where = {
        "copy": "found in the project",
        "outside": "used where it is",
        "unverified": "its recorded digest is unknown",
        "missing": "NOT FOUND",
        "step": "made by a step",
    }.get(planned.origin, planned.origin)
    if planned.origin == "copy" and planned.found and not planned.found.endswith(f"/{name}"):
        where = f"found as {planned.found}"
    if planned.lacking:
        where = f"{wording.count(len(planned.lacking), 'member')} NOT FOUND"
    if planned.source and planned.origin in ("missing", "commit"):
        where += f"; it was fetched from {planned.source}"
    return f"{name}  {wording.size(planned.size)}  {wording.short_hash(planned.hash)}  {where}"
