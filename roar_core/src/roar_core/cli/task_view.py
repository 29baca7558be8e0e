"""The tasks below a job, told to a person: grouped by name, and each attempt when all is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording

if TYPE_CHECKING:
    from roar_core.lineage.tasks import Family, TaskGroup, TaskRow

# Names below a step of `roar dag`, and labels of what belongs together, that are told unasked.
NAMES_LIMIT = 6
_GROUPS_LIMIT = 3
_RESULTS_LIMIT = 4
# The digits of a platform's long identifier, such as a node's of Ray, that tell nobody anything.
_SURPLUS = re.compile("(?<=^[0-9a-f]{12})[0-9a-f]{20,}$")
_NUMBER = re.compile("[0-9a-f]{32,}")
_GOOD = ("succeeded", "running")


def family_facts(family: Family, steps: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Which task a job is, and whose; what it got of others. `steps` names its driver."""
    if family.task is not None:
        row = family.task
        yield "task", f"{row.task} of {row.backend}, {', '.join(_traits(row))}"
        if family.parent:
            yield "part of", steps.get(family.parent) or wording.short_uid(family.parent)
    if family.results:
        yield "results", f"of {results_words(family.results)}, without a file"


def results_words(results: Sequence[tuple[str | None, int]]) -> str:
    """`load ×12, work ×3 and 2 tasks that have not reported`."""
    times = output.symbol("×", "x")
    known = [f"{name} {times}{number:,}" for name, number in results if name is not None]
    words = ", ".join(known[:_RESULTS_LIMIT])
    if len(known) > _RESULTS_LIMIT:
        words += f" and {len(known) - _RESULTS_LIMIT:,} more names"
    unknown = sum(number for name, number in results if name is None)
    if not unknown:
        return words
    told = f"{wording.count(unknown, 'task')} that {'has' if unknown == 1 else 'have'} not reported"
    return f"{words} and {told}" if words else told


def print_tasks(family: Family, limit: int | None, *, expanded: bool) -> None:
    """How many tasks there are below a job, and how many files they used.

    Then a line for each name, with counts and states; `expanded` lists every attempt below it.

    Names beyond `limit` are counted, and so are, unless `expanded`, the platform's own.
    """
    total = sum(group.number for group in family.groups if not group.is_hidden)
    files = ""
    if family.read or family.written:
        files = f"  {wording.count(family.read, 'file')} read, {family.written:,} written"
    output.line(f"  {output.style('tasks', 'dim')}  {total:,}{files}")
    for line in group_lines(family.groups, limit, expanded=expanded):
        output.line(f"    {line}")


def group_lines(
    groups: Sequence[TaskGroup],
    limit: int | None,
    *,
    expanded: bool = False,
    most: int | None = None,
) -> Iterator[str]:
    """The lines of `print_tasks` without its heading; `most` attempts are listed of a name."""
    visible = [group for group in groups if expanded or not group.is_hidden]
    shown = visible if limit is None or len(visible) <= limit + 1 else visible[:limit]
    for group in shown:
        yield group_line(group)
        if expanded:
            yield from (f"  {line}" for line in _attempts(group, most))
    dots = output.symbol("…", "...")
    if len(shown) < len(visible):
        yield f"{dots} and {len(visible) - len(shown):,} more names: --all"
    hidden = sum(group.number for group in groups if group.is_hidden)
    if hidden and not expanded:
        yield output.style(
            f"{dots} and {wording.count(hidden, 'task')} of the platform itself: --expanded", "dim"
        )


def group_line(group: TaskGroup) -> str:
    """`✓ work ×12  10 succeeded, 2 failed  15 attempts: 3 failed  rank 0, rank 1`."""
    times = output.symbol("×", "x")
    name = output.printable(group.name)
    mark = wording.mark(worst_state(group))
    return f"{mark} {name} {times}{group.number:,}  {group_words(group)}"


def group_words(group: TaskGroup) -> str:
    """All that a line says of a group but for its name and number."""
    parts = [group_states(group)]
    if group.groups:
        parts.append(output.printable(_together(group.groups)))
    python = group.tracers.get("python", 0)
    if python:
        parts.append("python only" if python == group.attempts else f"{python:,} python only")
    if group.declared:
        is_all = group.declared == group.attempts
        parts.append("declared" if is_all else f"{group.declared:,} declared")
    if group.is_hidden:
        parts.append("of the platform itself")
    return "  ".join(parts)


def group_states(group: TaskGroup) -> str:
    """`10 succeeded, 2 failed  15 attempts: 5 failed`."""
    states = ", ".join(f"{number:,} {state}" for state, number in sorted(group.states.items()))
    if group.attempts == group.number:
        return states
    bad = [
        f"{number:,} {state}" for state, number in sorted(group.ended.items()) if state not in _GOOD
    ]
    tries = f"{group.attempts:,} attempts" + (f": {', '.join(bad)}" if bad else "")
    return f"{states}  {tries}"


def worst_state(group: TaskGroup) -> str:
    """The state that a reader must not miss: failed, else interrupted, else any."""
    return next(s for s in ("failed", "interrupted", *group.states) if s in group.states)


def _together(groups: Sequence[str]) -> str:
    """`rank 0, rank 1`; of many the first, the last, and how many there are."""
    names = sorted(groups, key=wording.natural)
    if len(names) <= _GROUPS_LIMIT:
        return ", ".join(names)
    return f"{names[0]} {output.symbol('…', '...')} {names[-1]}, {len(names):,} in all"


def _attempts(group: TaskGroup, most: int | None) -> Iterator[str]:
    """The attempts of a group, those that belong together below a line of their own."""
    parts: dict[str, list[TaskRow]] = {}
    for row in sorted(group.rows, key=lambda row: wording.natural(row.group)):
        parts.setdefault(row.group, []).append(row)
    if most is not None and len(group.rows) > most:
        parts = _worst_first(parts)
    listed = 0
    for name, rows in parts.items():
        if name:
            yield f"{output.printable(name)}"
        for row in rows:
            if listed == most:
                dots = output.symbol("…", "...")
                yield f"{dots} and {len(group.rows) - listed:,} more attempts: --all"
                return
            listed += 1
            yield f"{'  ' if name else ''}{_attempt(row)}"


def _worst_first(parts: Mapping[str, Sequence[TaskRow]]) -> dict[str, list[TaskRow]]:
    """What a reader must not miss of many attempts, where not all are listed."""
    sorted_ = {
        name: sorted(rows, key=lambda row: row.job.state in _GOOD) for name, rows in parts.items()
    }
    return dict(sorted(sorted_.items(), key=lambda part: part[1][0].job.state in _GOOD))


def _attempt(row: TaskRow) -> str:
    job = row.job
    lasted = "" if job.duration_s is None else f"  {wording.duration(job.duration_s)}"
    ended = wording.ending(job.state, job.exit_code, job.signal)
    uid = output.style(wording.short_uid(job.uid), "dim")
    where, tracer = _SURPLUS.sub("", row.where), row.tracer if row.tracer == "python" else None
    traits = _traits(row._replace(group="", where=where, tracer=tracer))
    # The uid says which it is; a platform's long number says nothing more.
    named = () if _NUMBER.fullmatch(row.task) else (row.task,)
    task = output.printable("  ".join((*named, *traits)))
    return f"{wording.mark(job.state)} {uid}  {task}{lasted}  {ended}"


def _traits(row: TaskRow) -> list[str]:
    """What there is to say of an attempt besides how it ended."""
    words = [f"attempt {row.attempt}"]
    if row.where:
        words[0] += f" on {row.where}"
    if row.group:
        words.append(row.group)
    if row.tracer:
        words.append("python only" if row.tracer == "python" else f"by {row.tracer}")
    if row.role != "task":
        words.append("of the platform itself")
    if row.is_declared:
        words.append("declared")
    return words
