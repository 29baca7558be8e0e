"""All that `roar diff` tells of two references, looked up before any of it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from roar_core.config.schema import SOURCE_SUFFIXES
from roar_core.environment.git_diff import ChangedFiles, changed_files
from roar_core.lineage.content import content_of
from roar_core.lineage.diff import Compared, Diff, compare, results
from roar_core.lineage.session import JobRow, jobs_by_uid
from roar_core.lineage.sides import Side, read_sides
from roar_core.lineage.values import COMPARED_BYTES_MAX, ValueChange, compare_contents

if TYPE_CHECKING:
    import sqlite3

    from roar_core.lineage.changes import Change
    from roar_core.lineage.pairing import Matched
    from roar_core.model.job import Edge, Job
    from roar_core.project import Project
    from roar_core.store.writer import Store

# Files that are worth a word when their content is gone.
_TEXT_SUFFIXES = frozenset(
    (".json", ".toml", ".csv", ".tsv", ".txt", ".yaml", ".yml", ".md", ".log", ".ini", ".cfg")
) | frozenset(SOURCE_SUFFIXES)
# More files than these nobody reads about, and each may ask git twice.
_FILES_MAX = 40


class Values(NamedTuple):
    """How two versions of a file differ by what they say; else `note` says why that is unknown."""

    changes: tuple[ValueChange, ...] = ()
    note: str | None = None


class Result(NamedTuple):
    """An output that differs."""

    pair: Compared
    match: Matched
    values: Values


class Findings(NamedTuple):
    """The answer. `rows` are jobs by uid, `values` those of the inputs of changes, by identity of
    the change; `commits` the files that differ between two commits."""

    project: Project
    sides: tuple[Side, Side]
    diff: Diff
    results: list[Result]
    rows: Mapping[str, JobRow]
    values: Mapping[int, Values]
    commits: Mapping[tuple[str, str], ChangedFiles]

    def call(self, uid: str | None) -> str:
        """What `roar show` calls a job."""
        row = None if uid is None else self.rows.get(uid)
        return (uid or "")[:8] if row is None else row.reference

    def label(self, side: int, job: int | None) -> str:
        """What a job of one side is called, "" for none."""
        return "" if job is None else self.call(self.sides[side].jobs[job].uid)


def find_differences(store: Store, refs: tuple[str, str], project: Project) -> Findings:
    """Compare what two references name. Raises NotFoundError when one names nothing."""
    sides = read_sides(store, refs, project)
    diff = compare(*sides)
    with store.reading() as db:
        left = _FILES_MAX
        told: list[Result] = []
        for pair, match in results(diff):
            jobs = sides[0].jobs[pair.before], sides[1].jobs[pair.after]
            values = Values()
            if left > 0:
                values = _values(db, project, jobs, (match.before, match.after))
                left -= bool(values.changes or values.note)
            told.append(Result(pair, match, values))
        values_of = {
            id(change): _values_of_change(db, project, sides, change)
            for change, _ in diff.changes[:_FILES_MAX]
            if change.code == "input_changed"
        }
        rows = jobs_by_uid(db, _named(sides, diff))
    return Findings(project, sides, diff, told, rows, values_of, _commits(sides, diff))


def _named(sides: tuple[Side, Side], diff: Diff) -> Iterable[str]:
    """The uids of all jobs that are mentioned."""
    for side in sides:
        yield from (job.uid for job in side.jobs.values())
    for change, _ in diff.changes:
        if change.code == "rewired":
            yield from filter(None, (change.before, change.after))


def _values_of_change(
    db: sqlite3.Connection, project: Project, sides: tuple[Side, Side], change: Change
) -> Values:
    old, new = change.steps[0] if change.steps else (None, None)
    if change.edges is None or old is None or new is None:
        return Values()
    return _values(db, project, (sides[0].jobs[old], sides[1].jobs[new]), change.edges)


def _values(
    db: sqlite3.Connection,
    project: Project,
    jobs: tuple[Job, Job],
    edges: tuple[Edge | None, Edge | None],
) -> Values:
    before, after = edges
    if before is None or after is None or before.kind != "file" or after.kind != "file":
        return Values()
    is_text = PurePosixPath(after.path).suffix.lower() in _TEXT_SUFFIXES
    if max(before.size, after.size) > COMPARED_BYTES_MAX:
        return Values(note="too large to be compared by value" if is_text else None)
    contents = [
        content_of(db, project, job, edge, COMPARED_BYTES_MAX)
        for job, edge in zip(jobs, (before, after), strict=True)
    ]
    old, new = contents
    if old is None or new is None:
        gone = f"the version of {'A' if old is None else 'B'} is"
        gone = "both versions are" if old is new else gone
        return Values(note=f"{gone} no longer here to be compared" if is_text else None)
    return Values(tuple(compare_contents(after.path, old, new) or ()))


def _commits(sides: tuple[Side, Side], diff: Diff) -> dict[tuple[str, str], ChangedFiles]:
    """What differs between the commits of jobs whose code differs; git is asked once for each."""
    found: dict[tuple[str, str], ChangedFiles] = {}
    for change, _ in diff.changes:
        if change.category != "code":
            continue
        for old, new in change.steps:
            if old is None or new is None:
                continue
            commits = sides[0].jobs[old].git.commit, sides[1].jobs[new].git.commit
            before, after = commits
            if before and after and before != after and (before, after) not in found:
                cwd = sides[1].jobs[new].project
                found[before, after] = changed_files(cwd, before, after)
    return found
