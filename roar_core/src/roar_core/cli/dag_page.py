"""The page of `roar dag --html`: its data, and the file that it becomes.

A page is made to be passed on, so the variables of a job's environment are left out of it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roar_core.cli import output, wording
from roar_core.cli.dag_graph import (
    Artifacts,
    artifacts_graph,
    drawn_jobs,
    gather,
    group_id,
    job_id,
    shown_groups,
    steps_graph,
)
from roar_core.cli.edge_view import composite_words, read_words
from roar_core.cli.job_view import facts, how_it_ended
from roar_core.cli.task_view import group_words
from roar_core.errors import RefusedError
from roar_core.lineage.page.document import page

if TYPE_CHECKING:
    from roar_core.cli.dag_reading import View
    from roar_core.lineage.graph import Graph
    from roar_core.lineage.session import JobRow
    from roar_core.lineage.tasks import TaskGroup
    from roar_core.model.job import Edge, Job
    from roar_core.project import Project

# Facts of `roar show` that the page tells otherwise, or does not tell.
_LEFT_OUT = ("job", "tracker", "variable")
_ATTEMPTS_LIMIT = 200  # of tasks of one name
_REMARKS = {"before_change": "as it was before the job changed it", "unknown": "hash unknown"}


class _Words:
    """Texts, each kept once: a thousand jobs have the same packages and the same machine."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.texts.setdefault(output.printable(text), len(self.texts))


def page_of(view: View, *, with_artifacts: bool) -> str:
    """The page; its data are described in lineage/page/page.js. `with_artifacts`: at first."""
    assert view.session is not None
    began = wording.local_time(view.session.started_at_ns)
    title = _title(view)
    artifacts = gather((*view.jobs.values(), *view.task_jobs.values()))
    ids = drawn_jobs(view)
    words = _Words()
    full = artifacts_graph(view)
    data = {
        "title": output.printable(title),
        "subtitle": f"begun {began}; {wording.count(len(view.nodes), view.noun)}",
        "with_artifacts": with_artifacts,
        "nodes": [[n.id, n.kind, n.state, *map(output.printable, n.lines)] for n in full.nodes],
        "steps": _ties(steps_graph(view)),
        "artifacts": _ties(full),
        "jobs": dict(_jobs(view, artifacts, words)),
        "bytes": {
            name: _artifact(name, edge, artifacts, ids, view, words)
            for name, edge in artifacts.known.items()
        },
    }
    return page(f"{title} · roar", data | {"texts": list(words.texts)})


def _title(view: View) -> str:
    """The project and its session; of a session that a registry told, which and where."""
    assert view.session is not None
    origins = [node.shown.origin for node in view.nodes if not view.is_before(node)]
    registry = wording.registry_in(origins[0]) if origins else ""
    if registry:
        return f"session {(origins[0] or '').rpartition('/')[2][:8]} at {registry}"
    return f"{view.project.root.name}, session {view.session.number}"


def write_whole(target: str, text: str) -> None:
    """Write a file, or leave what was there as it is; raises `RefusedError`."""
    path = Path(target)
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")  # /dev/stdout, a pipe
            return
        # Beside it, so that the file is there whole or not at all; through a link, to its end.
        path = path.resolve() if path.is_symlink() else path
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".roar-", encoding="utf-8", delete=False
        ) as new:
            try:
                new.write(text)
                new.flush()
                os.fchmod(new.fileno(), _mode_of(path))
                os.replace(new.name, path)  # noqa: PTH105 - a name, not a path
            except BaseException:
                os.unlink(new.name)  # noqa: PTH108
                raise
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RefusedError(
            f"{target!r} cannot be written ({reason}); name a file in a folder that you may write"
        ) from error


def _mode_of(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask


def _ties(graph: Graph) -> list[list[Any]]:
    return [[e.source, e.target, e.label, int(e.is_superseded)] for e in graph.edges]


def _jobs(view: View, artifacts: Artifacts, words: _Words) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in view.others.values():
        yield job_id(row), _other(row, words)
    for node in view.nodes:
        driver = job_id(node.shown)
        job = view.jobs[node.shown.uid]
        yield driver, _job(job, view.project, node.shown.origin, artifacts, words)
        for index, group in shown_groups(view, node.shown.uid):
            tasks = [view.task_jobs[row.job.uid] for row in group.rows]
            yield group_id(driver, index), _group(group, tasks, view.project, artifacts, words)


def _job(
    job: Job, project: Project, origin: str | None, artifacts: Artifacts, words: _Words
) -> dict[str, Any]:
    step = f"{job.step}, attempt {job.step.attempt}" if job.step else ""
    told: list[tuple[str, str]] = [("step", step), ("state", how_it_ended(job))]
    known = facts(job, project, origin, everything=True)
    told += [fact for fact in known if fact[0] not in _LEFT_OUT]
    told += [("coverage", job.coverage.state), ("uid", job.uid), ("hash", job.hash or "")]
    told += [(f"label {name}", str(value)) for name, value in job.labels.items()]
    return {
        "title": words(wording.title(job.name, job.command)),
        "facts": _facts(told, words),
        "links": [*_links(job, words)],
        "inputs": _edges(job, job.inputs, project, artifacts, words),
        "outputs": _edges(job, job.outputs, project, artifacts, words),
    }


def _group(
    group: TaskGroup, tasks: Sequence[Job], project: Project, artifacts: Artifacts, words: _Words
) -> dict[str, Any]:
    told = [("tasks", f"{group.number:,}"), ("states", group_words(group))]
    told += [
        (
            wording.short_uid(row.job.uid),
            f"{row.task}, attempt {row.attempt}: {how_it_ended(job)}"
            + (f" on {row.where}" if row.where else ""),
        )
        for row, job in list(zip(group.rows, tasks, strict=True))[:_ATTEMPTS_LIMIT]
    ]
    if len(tasks) > _ATTEMPTS_LIMIT:
        told.append(("more", f"{len(tasks) - _ATTEMPTS_LIMIT:,} attempts: roar show --expanded"))

    def rows(side: str) -> list[list[Any]]:
        """What any of them touched, each artifact once."""
        touched = [
            row
            for job in tasks
            for row in _edges(job, getattr(job, side), project, artifacts, words)
        ]
        return list({(row[0], row[1]): row for row in touched}.values())

    return {
        "title": words(f"{group.name} ×{group.number:,}"),
        "facts": _facts(told, words),
        "links": [],
        "inputs": rows("inputs"),
        "outputs": rows("outputs"),
    }


def _other(row: JobRow, words: _Words) -> dict[str, Any]:
    told = [
        ("step", f"{row.place.exact} of session {row.session}" if row.place else ""),
        ("state", wording.ending(row.state, row.exit_code, row.signal)),
        ("command", wording.command_line(row.command)),
        ("when", wording.local_time(row.started_at_ns)),
        ("uid", row.uid),
        ("hash", f"blake3:{row.hash.hex()}" if row.hash else ""),
    ]
    return {
        "title": words(wording.title(row.name, row.command)),
        "facts": _facts(told, words),
        "links": [],
        "inputs": [],
        "outputs": [],
    }


def _artifact(
    name: str, edge: Edge, artifacts: Artifacts, ids: dict[str, str], view: View, words: _Words
) -> dict[str, Any]:
    paths = artifacts.paths[name]
    told = [("path", view.project.relative(path) or path) for path in paths]
    told += [("size", f"{wording.size(edge.size)} ({edge.size:,} bytes)")]
    if edge.composite:
        told += [("dataset", composite_words(edge.composite))]
    told += [("hash", edge.hash or ("" if edge.digests else "unknown"))]
    told += [(algorithm, value) for algorithm, value in edge.digests.items() if value]
    return {
        "title": words(view.project.relative(edge.path) or edge.path),
        "facts": _facts(_distinct(told, edge.hash), words),
        "writers": list(dict.fromkeys(ids[uid] for uid in artifacts.writers.get(name, ()))),
        "readers": list(dict.fromkeys(ids[uid] for uid in artifacts.readers.get(name, ()))),
    }


def _distinct(told: Sequence[tuple[str, str]], name: str | None) -> list[tuple[str, str]]:
    """Without the digest that `hash` is already."""
    return [(key, value) for key, value in told if key == "hash" or f"{key}:{value}" != name]


def _facts(told: Sequence[tuple[str, str]], words: _Words) -> list[int]:
    """Label, value, label, value … as numbers of texts; without those that say nothing."""
    return [words(text) for label, value in told if value for text in (label, value)]


def _links(job: Job, words: _Words) -> Iterator[list[int]]:
    """What a tracker is called and where it has the job; page.js opens http and https alone."""
    for reference in job.trackers:
        title = reference.title or reference.tracker
        if reference.url:
            yield [words(f"View in {title}"), words(reference.url)]
        else:
            named = filter(None, (reference.run_id, reference.name, reference.host))
            yield [words(title), words(" ".join(named))]


def _edges(
    job: Job, edges: Sequence[Edge], project: Project, artifacts: Artifacts, words: _Words
) -> list[list[Any]]:
    """For each edge the artifact's id, the path, a remark."""
    # What belongs to the project comes first: the rest is mostly the machine's.
    ordered = sorted(edges, key=lambda edge: (project.relative(edge.path) is None, edge.path))
    return [
        [
            artifacts.id_of(job, edge),
            words((project.relative(edge.path) or edge.path) + ("/" if edge.composite else "")),
            words(_remark(edge)),
        ]
        for edge in ordered
    ]


def _remark(edge: Edge) -> str:
    remarks = [composite_words(edge.composite)] if edge.composite else []
    remarks += filter(None, [read_words(edge), _REMARKS.get(edge.hash_state)])
    return "; ".join(remarks)
