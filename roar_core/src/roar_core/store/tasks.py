"""Child jobs: what a backend brought back of a run, merged once however often it is collected."""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import attrs

from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.environment import Packages
from roar_core.model.job import Edge, Job
from roar_core.store.children import insert_children, replace_child
from roar_core.store.edges import resolve_in_family
from roar_core.store.inserting import insert_rows
from roar_core.store.jobs import full_jobs
from roar_core.store.needs import insert_needs, resolve_named
from roar_core.store.rows import JOB_COLUMNS, coverage_json, job_from_row, to_sql
from roar_core.store.writer import Store, row_of


class PartKey(NamedTuple):
    """What makes a part of an attempt that part, within one run."""

    backend: str
    task: str
    attempt: int
    part: str


class TaskPart(NamedTuple):
    """A part of an attempt, judged and hashed: `job` is the attempt as far as this part knows it.

    `where` is the host or node it ran on, empty when that is not known; `needs` are the tasks whose
    results it got; `role`, `group` and `declared` are those of its fragment.
    """

    key: PartKey
    job: Job
    where: str = ""
    needs: tuple[str, ...] = ()
    role: str = "task"
    group: str = ""
    declared: bool = False


def merged_parts(store: Store, driver: str) -> set[PartKey]:
    """Return the parts of this job's tasks that are in the database."""
    with store.reading() as db:
        rows = db.execute(
            "SELECT task.backend, task.task, task.attempt, task_part.part "
            "FROM task JOIN task_part ON task_part.job = task.job "
            "WHERE task.driver = (SELECT id FROM job WHERE uid = ?)",
            (driver,),
        )
        return {PartKey(*row) for row in rows}


def count_tasks(store: Store, driver: str, backend: str) -> int:
    """Return how many tasks of one backend have reported, however many attempts each took."""
    with store.reading() as db:
        (number,) = db.execute(
            "SELECT count(DISTINCT task) FROM task "
            "WHERE driver = (SELECT id FROM job WHERE uid = ?) AND backend = ?",
            (driver, backend),
        ).fetchone()
    return int(number)


def merge_parts(store: Store, driver: str, parts: Iterable[TaskPart]) -> int:
    """Merge parts into the child jobs of `driver`, in one transaction; return how many were new.

    An attempt's first part makes its job; every other one adds to it. A part that is there already
    changes nothing. Raises NotFoundError when there is no such driver.
    """
    with store.writing() as db:
        driver_id, _ = row_of(db, driver)
        return _Merge(db, driver_id).merge(parts)


def settle_tasks(store: Store, driver: str) -> None:
    """Tie the edges of a run's jobs to each other, once all that came together is merged."""
    with store.writing() as db:
        driver_id, _ = row_of(db, driver)
        resolve_in_family(db, driver_id)


def replace_reasons(
    store: Store, uid: str, codes: Collection[str], reasons: Sequence[CoverageReason]
) -> None:
    """Let a job's coverage say `reasons` in the place of those with one of `codes`."""
    with store.writing() as db:
        [job] = full_jobs(db, "job.uid = ?", uid)
        kept = tuple(reason for reason in job.coverage.reasons if reason.code not in codes)
        text = coverage_json(Coverage((*kept, *reasons)))
        db.execute("UPDATE job SET coverage = ? WHERE uid = ?", (text, uid))


Attempt = tuple[str, str, int]

_NO_PACKAGES = Packages()


class _Merge:
    """One merging of parts of a driver's tasks, inside one transaction.

    Ten thousand tasks come at once: what is new goes in together, a statement for all of it.
    """

    def __init__(self, db: sqlite3.Connection, driver: int) -> None:
        self._db = db
        self._driver = driver

    def merge(self, parts: Iterable[TaskPart]) -> int:
        parts = list(parts)
        jobs, merged = self._known({part.key.task for part in parts})
        new: dict[Attempt, TaskPart] = {}
        names: dict[Attempt, list[str]] = {}
        more: dict[int, list[TaskPart]] = {}
        for part in parts:
            attempt = part.key[:3]
            job = jobs.get(attempt)
            if job is not None:
                if (job, part.key.part) not in merged:
                    merged.add((job, part.key.part))
                    more.setdefault(job, []).append(part)
            elif attempt not in new:
                new[attempt], names[attempt] = part, [part.key.part]
            elif part.key.part not in names[attempt]:
                new[attempt] = joined(new[attempt], part)
                names[attempt].append(part.key.part)
        self._insert(list(new.values()), list(names.values()))
        self._add(more)
        further = [part for parts in more.values() for part in parts]
        touched = [*new.values(), *further]
        self._link_attempts(touched, jobs)
        self._tie_needs(touched)
        return sum(map(len, names.values())) + len(further)

    def _known(self, tasks: Collection[str]) -> tuple[dict[Attempt, int], set[tuple[int, str]]]:
        """The attempts at these tasks that are merged, with their jobs' ids, and their parts."""
        jobs = {
            (backend, task, attempt): job
            for backend, task, attempt, job in self._db.execute(
                "SELECT task.backend, task.task, task.attempt, task.job FROM task "
                "WHERE driver = ? AND task.task IN (SELECT value FROM json_each(?))",
                (self._driver, json.dumps(list(tasks))),
            )
        }
        if not jobs:
            return {}, set()
        parts = self._db.execute(
            "SELECT job, part FROM task_part WHERE job IN (SELECT value FROM json_each(?))",
            (json.dumps(list(jobs.values())),),
        )
        return jobs, set(parts)

    def _insert(self, parts: Sequence[TaskPart], names: Sequence[Sequence[str]]) -> None:
        if not parts:
            return
        ids = insert_children(self._db, self._driver, [part.job for part in parts])
        insert_rows(
            self._db,
            "task (job, driver, backend, task, attempt, place, role, grouped, is_declared)",
            [
                (job, self._driver, *part.key[:3], *_traits(part))
                for job, part in zip(ids, parts, strict=True)
            ],
        )
        insert_rows(
            self._db,
            "task_part (job, part)",
            [(job, name) for job, each in zip(ids, names, strict=True) for name in each],
        )
        self._add_needs(zip(ids, parts, strict=True))

    def _add(self, more: Mapping[int, Sequence[TaskPart]]) -> None:
        """Let the jobs of attempts, of which other parts are merged, say what is now known."""
        if not more:
            return
        parts = [(job, part) for job, each in more.items() for part in each]
        for job, stored in self._stored(self._told_more_of(more)):
            whole = functools.reduce(joined, more[job], stored)
            # A part may tell only whose results an attempt got: then there is nothing to replace.
            if whole.job != stored.job or whole.declared != stored.declared:
                [full] = full_jobs(self._db, "job.id = ?", job)
                whole = functools.reduce(joined, more[job], stored._replace(job=full))
                replace_child(self._db, job, whole.job)
            if _traits(whole) != _traits(stored):
                self._db.execute(
                    "UPDATE task SET place = ?, role = ?, grouped = ?, is_declared = ? "
                    "WHERE job = ?",
                    (*_traits(whole), job),
                )
        insert_rows(
            self._db, "task_part (job, part)", [(job, part.key.part) for job, part in parts]
        )
        self._add_needs(parts)

    def _told_more_of(
        self, more: Mapping[int, Sequence[TaskPart]]
    ) -> dict[int, Sequence[TaskPart]]:
        """Those of which the parts tell more than their rows do: most add only what was needed."""
        rows = self._db.execute(
            "SELECT job, state, exit_code, signal, name, tracer, started_at_ns, duration_s, "
            "place, role, grouped, is_declared FROM task JOIN job ON job.id = task.job "
            "WHERE task.job IN (SELECT value FROM json_each(?))",
            (json.dumps(list(more)),),
        )
        known = {job: tuple(told) for job, *told in rows}
        return {
            job: parts
            for job, parts in more.items()
            if any(_touches(part.job) or _told(part) != known[job] for part in parts)
        }

    def _stored(self, more: Mapping[int, Sequence[TaskPart]]) -> list[tuple[int, TaskPart]]:
        """What is known of attempts, by their jobs' ids, but for what other tables hold."""
        rows = self._db.execute(
            "SELECT job.id, place, role, grouped, is_declared, "  # noqa: S608 (constants)
            f"{JOB_COLUMNS} FROM task JOIN job ON job.id = task.job "
            "WHERE job.id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(more)),),
        )
        found = []
        for job, place, role, group, is_declared, *row in rows:
            stored = job_from_row(tuple(row))
            key = more[job][0].key
            part = TaskPart(key, stored, place, (), role, group, bool(is_declared))
            found.append((job, part))
        return found

    def _add_needs(self, parts: Iterable[tuple[int, TaskPart]]) -> None:
        insert_needs(
            self._db,
            [
                (job, part.key.backend, task)
                for job, part in parts
                for task in part.needs
                if task != part.key.task
            ],
        )

    def _tie_needs(self, parts: Iterable[TaskPart]) -> None:
        """Find who gave what these tasks got, and who got what they gave."""
        tasks: dict[str, set[str]] = {}
        for part in parts:
            tasks.setdefault(part.key.backend, set()).update((part.key.task, *part.needs))
        for backend, names in tasks.items():
            resolve_named(self._db, self._driver, backend, names)

    def _link_attempts(self, parts: Iterable[TaskPart], known: Iterable[Attempt]) -> None:
        """Let each attempt at a task be a rerun of the one before it, whatever came first."""
        attempts: dict[tuple[str, str], set[int]] = {}
        for backend, task, attempt in (*known, *(part.key[:3] for part in parts)):
            attempts.setdefault((backend, task), set()).add(attempt)
        self._db.executemany(
            "UPDATE job SET rerun_of = (SELECT before.uid FROM task mine "
            "JOIN task earlier ON earlier.driver = mine.driver AND earlier.backend = mine.backend "
            "AND earlier.task = mine.task AND earlier.attempt < mine.attempt "
            "JOIN job before ON before.id = earlier.job "
            "WHERE mine.job = job.id ORDER BY earlier.attempt DESC LIMIT 1) "
            "WHERE id IN (SELECT job FROM task WHERE driver = ? AND backend = ? AND task = ?)",
            [(self._driver, *task) for task, numbers in attempts.items() if len(numbers) > 1],
        )


def _touches(job: Job) -> bool:
    """Whether anything is told of a job that its own row does not hold."""
    seen = (job.inputs, job.outputs, job.coverage.reasons, job.environment)
    return any(seen) or job.packages != _NO_PACKAGES


def _told(part: TaskPart) -> tuple[object, ...]:
    """What a part tells of an attempt itself, as rows hold it."""
    job = part.job
    ended = (job.state, job.exit_code, job.signal, to_sql(job.name), job.tracer)
    return (*ended, job.started_at_ns, job.duration_s, *_traits(part))


def _traits(part: TaskPart) -> tuple[str, str, str, bool]:
    return part.where, part.role, part.group, part.declared


def joined(before: TaskPart, part: TaskPart) -> TaskPart:
    """Return an attempt of which two parts are known; `before` is what came first.

    What was observed takes the place of what was only declared.
    """
    if before.declared == part.declared:
        job = united(before.job, part.job)
    elif part.declared:
        job = before.job
    else:
        nothing = attrs.evolve(
            before.job, state="interrupted", inputs=(), outputs=(), coverage=Coverage()
        )
        job = united(nothing, part.job)
    return before._replace(
        job=job,
        where=before.where or part.where,
        needs=tuple(dict.fromkeys((*before.needs, *part.needs))),
        role=before.role if before.role != "task" else part.role,
        group=before.group or part.group,
        declared=bool(before.declared and part.declared),
    )


def united(stored: Job, part: Job) -> Job:
    """Return an attempt of which two parts are known; `stored` is what came before."""
    ended = part if stored.state == "interrupted" else stored
    started = min(stored.started_at_ns, part.started_at_ns)
    ends = [
        job.started_at_ns + round(job.duration_s * 1e9)
        for job in (stored, part)
        if job.duration_s is not None
    ]
    packages = stored.packages
    return attrs.evolve(
        stored,
        state=ended.state,
        exit_code=ended.exit_code,
        signal=ended.signal,
        name=stored.name or part.name,
        tracer=stored.tracer or part.tracer,
        started_at_ns=started,
        duration_s=(max(ends) - started) / 1e9 if ends else None,
        inputs=_distinct((*stored.inputs, *part.inputs)),
        outputs=_distinct((*stored.outputs, *part.outputs)),
        coverage=Coverage(tuple(dict.fromkeys((*stored.coverage.reasons, *part.coverage.reasons)))),
        packages=attrs.evolve(
            packages,
            python={**packages.python, **part.packages.python},
            system={**packages.system, **part.packages.system},
        ),
        environment=stored.environment or part.environment,
    )


def _distinct(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    return tuple({(edge.path, edge.hash): edge for edge in edges}.values())
