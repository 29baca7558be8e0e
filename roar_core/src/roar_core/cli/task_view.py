"""The tasks below a job, told to a person: grouped by name, and each attempt when all is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.lineage.tasks import task_groups

if TYPE_CHECKING:
    from roar_core.lineage.tasks import Family, TaskGroup, TaskRow


def family_facts(family: Family, steps: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Which task a job is, and whose; `steps` names its driver. Nothing for other jobs."""
    if family.task is None:
        return
    row = family.task
    where = f" on {row.where}" if row.where else ""
    yield "task", f"{row.task} of {row.backend}, attempt {row.attempt}{where}"
    if family.parent:
        yield "part of", steps.get(family.parent) or wording.short_uid(family.parent)


def print_tasks(tasks: Sequence[TaskRow], limit: int | None) -> None:
    """A line for each name, with counts and states; `limit` None lists every attempt below it."""
    groups = task_groups(tasks)
    total = sum(group.number for group in groups)
    output.line(f"  {output.style('tasks', 'dim')}  {total:,}")
    shown = groups if limit is None or len(groups) <= limit + 1 else groups[:limit]
    for group in shown:
        output.line(f"    {group_line(group)}")
        for row in group.rows if limit is None else ():
            output.line(f"      {_attempt(row)}")
    if len(shown) < len(groups):
        left = len(groups) - len(shown)
        output.line(f"    {output.symbol('…', '...')} and {left:,} more names: --all")


def group_line(group: TaskGroup) -> str:
    """`✓ work ×12  10 succeeded, 2 failed  3 retries`."""
    times = output.symbol("×", "x")
    name = output.printable(group.name)
    mark = wording.mark(worst_state(group))
    return f"{mark} {name} {times}{group.number:,}  {group_states(group)}"


def group_states(group: TaskGroup) -> str:
    """`10 succeeded, 2 failed  3 retries`."""
    states = ", ".join(f"{number:,} {state}" for state, number in sorted(group.states.items()))
    retries = group.attempts - group.number
    return states + (f"  {wording.count(retries, 'retry', 'retries')}" if retries else "")


def worst_state(group: TaskGroup) -> str:
    """The state that a reader must not miss: failed, else interrupted, else any."""
    return next(s for s in ("failed", "interrupted", *group.states) if s in group.states)


def _attempt(row: TaskRow) -> str:
    job = row.job
    place = f"  {row.where}" if row.where else ""
    lasted = "" if job.duration_s is None else f"  {wording.duration(job.duration_s)}"
    again = f"  attempt {row.attempt}" if row.attempt > 1 else ""
    ended = wording.ending(job.state, job.exit_code, job.signal)
    uid = output.style(wording.short_uid(job.uid), "dim")
    task = output.printable(f"{row.task}{again}{place}")
    return f"{wording.mark(job.state)} {uid}  {task}{lasted}  {ended}"
