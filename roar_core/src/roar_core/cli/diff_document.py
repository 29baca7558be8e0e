"""What differs as a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roar_core.cli.documents import Document, document, edge_document, text

if TYPE_CHECKING:
    from roar_core.cli.diff_findings import Findings, Values
    from roar_core.lineage.changes import Change
    from roar_core.lineage.sides import Side
    from roar_core.model.job import Job

_VALUES_MAX = 500


def diff_document(findings: Findings) -> Document:
    """Everything that `roar diff` found."""
    diff = findings.diff
    return document(
        "diff",
        a=_side(findings.sides[0]),
        b=_side(findings.sides[1]),
        identical=diff.is_identical
        and not findings.results
        and findings.sides[0].target.hash == findings.sides[1].target.hash,
        shared=findings.sides[0].shared,
        changes=[_change(findings, change, rate) for change, rate in diff.changes],
        steps=[
            *(
                _step(findings, "same" if pair.is_equal else "changed", pair.before, pair.after)
                for pair in diff.pairs
            ),
            *(_step(findings, "removed", job, None) for job in diff.removed),
            *(_step(findings, "added", None, job) for job in diff.added),
        ],
        outputs=[
            {
                "step": _names(findings, result.pair.before, result.pair.after),
                "a": result.match.before and edge_document(result.match.before, findings.project),
                "b": result.match.after and edge_document(result.match.after, findings.project),
                **_values(result.values),
            }
            for result in findings.results
        ],
    )


def _side(side: Side) -> Document:
    target = side.target
    return {"kind": target.kind, "name": text(target.name), "hash": target.hash}


def _change(findings: Findings, change: Change, rate: float) -> Document:
    before, after = change.before, change.after
    commits: list[Document] = []
    if change.category == "code":
        commits = [
            {
                "a": pair[0],
                "b": pair[1],
                "files": [{"status": status, "path": text(path)} for status, path in known.files],
                "problem": known.problem,
            }
            for pair, known in findings.commits.items()
            if any(
                (findings.sides[0].jobs[old].git.commit, findings.sides[1].jobs[new].git.commit)
                == pair
                for old, new in change.steps
                if old is not None and new is not None
            )
        ]
    edges = change.edges or (None, None)
    return {
        "category": change.category,
        "code": change.code,
        "subject": text(change.subject),
        "before": before and text(before),
        "after": after and text(after),
        "likelihood": round(rate, 4),
        "effect": change.effect,
        "level": change.level,
        "steps": [_names(findings, old, new) for old, new in change.steps],
        "a": edges[0] and edge_document(edges[0], findings.project),
        "b": edges[1] and edge_document(edges[1], findings.project),
        "files": [text(name) for name in change.files],
        "commits": commits,
        **_values(findings.values.get(id(change))),
    }


def _names(findings: Findings, old: int | None, new: int | None) -> Document:
    return {"a": findings.label(0, old) or None, "b": findings.label(1, new) or None}


def _step(findings: Findings, verdict: str, old: int | None, new: int | None) -> Document:
    jobs = [
        None if job is None else side.jobs[job]
        for side, job in zip(findings.sides, (old, new), strict=True)
    ]
    return {"verdict": verdict, "a": _job(findings, jobs[0]), "b": _job(findings, jobs[1])}


def _job(findings: Findings, job: Job | None) -> Document | None:
    if job is None:
        return None
    return {
        "reference": findings.call(job.uid),
        "uid": job.uid,
        "hash": job.hash,
        "command": [text(argument) for argument in job.command],
        "state": job.state,
        "exit_code": job.exit_code,
        "signal": job.signal,
        "duration_s": job.duration_s,
    }


def _values(values: Values | None) -> Document:
    changes = values.changes if values else ()
    return {
        "values": [
            {
                "where": text(change.where),
                "before": change.before and text(change.before),
                "after": change.after and text(change.after),
            }
            for change in changes[:_VALUES_MAX]
        ],
        "values_note": values.note if values else None,
    }
