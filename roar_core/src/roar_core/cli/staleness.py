"""Which steps are stale, for the commands that tell it: how far they look, and in which words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from roar_core.cli import output, wording
from roar_core.lineage.stale import Limits, Reason, Unchecked, Verdict, judge_steps

if TYPE_CHECKING:
    import sqlite3

    from roar_core.cli.documents import Document
    from roar_core.composites.grouping import Grouping
    from roar_core.lineage.dag import Node
    from roar_core.lineage.present import Learnt
    from roar_core.lineage.present_datasets import DatasetLook
    from roar_core.project import Project
    from roar_core.store.stat_cache import StatCache

# What `status` and `dag` look at unasked: about 20 ms of stats, and a tenth of a second's reading.
QUICK_STEPS = 200
QUICK = Limits(QUICK_STEPS, inputs=5_000, read_bytes=64 << 20)
WHOLE = Limits()
_QUICK_MEMBERS = 5_000
# What was read is kept for the next time when reading it again would be noticed.
_WORTH_KEEPING_BYTES = 1 << 20

_UNCHECKED_WORDS = {
    "running": "still running",
    "too_many": "more files than are looked at unasked",
    "unread": "cannot be read, or would take long to read",
    "unknown_hash": "its hash is not known",
    "object": "an object elsewhere",
    "dataset": "a dataset that cannot be compared, or not unasked",
    "code": "recorded before roar noted down which code a job read",
    "upstream": "itself not fully checked",
}


class Stale(NamedTuple):
    """The verdicts by job, and what was read from the disk to reach them."""

    verdicts: Mapping[int, Verdict]
    learnt: Sequence[Learnt]


def look_for_stale(
    store: StatCache,
    db: sqlite3.Connection,
    nodes: Sequence[Node],
    project: Project,
    limits: Limits,
) -> Stale:
    """Judge the steps of a graph."""
    from roar_core.lineage.present import Recording

    cache = Recording(store)

    def look_at_datasets() -> DatasetLook:
        from roar_core.lineage.present_datasets import DatasetLook

        return DatasetLook(
            cache,
            partial(_grouping, project),
            members_at_most=None if limits == WHOLE else _QUICK_MEMBERS,
            read_at_most=limits.read_bytes,
        )

    return Stale(judge_steps(db, nodes, cache, limits, look_at_datasets), cache.rows)


def keep_learnt(project: Project, learnt: Sequence[Learnt]) -> None:
    """Have large files that were read unasked be known by a stat the next time, where one may."""
    if sum(row[0].size for row in learnt) < _WORTH_KEEPING_BYTES:
        return
    if not os.access(project.database, os.W_OK):
        return
    from roar_core.errors import RoarError
    from roar_core.store.stat_cache import StatCache

    try:
        with StatCache.open(project.roar_dir) as store:
            store.remember(learnt)
    except RoarError as error:  # a full disk: the answer stands, it only takes as long again
        output.warn(f"what was read is not remembered: {error}")


def reason_words(reason: Reason, project: Project) -> str:
    """`data.csv changed`, `@1 was run again with another result` …"""
    path = reason.path and (project.relative(reason.path) or reason.path)
    words = {
        "input_changed": f"{path} changed",
        "input_missing": f"{path} is missing",
        "code_changed": f"its code {path} changed",
        "code_missing": f"its code {path} is missing",
        "upstream_rerun": f"{reason.step} was run again with another result",
        "upstream_undone": f"{reason.step}, which it read from, was undone",
        "upstream_stale": f"{reason.step} is stale",
    }[reason.code]
    return output.printable(f"{words}: {reason.detail}" if reason.detail else words)


def reasons_line(reasons: Sequence[Reason], project: Project, limit: int = 2) -> str:
    """The first reasons, and how many more there are."""
    shown = reasons if len(reasons) <= limit + 1 else reasons[:limit]
    more = f"; and {len(reasons) - len(shown):,} more" if len(shown) < len(reasons) else ""
    return "; ".join(reason_words(reason, project) for reason in shown) + more


def stale_remark(reasons: Sequence[Reason], project: Project) -> str:
    """What a step's line ends with when it is stale."""
    if not reasons:
        return ""
    # That a step was run again is told by what the line says of its sources.
    told = [
        reason for reason in reasons if reason.code not in ("upstream_rerun", "upstream_undone")
    ]
    words = f"stale: {reasons_line(told, project, limit=1)}" if told else "stale"
    return f"  {output.style(words, 'yellow')}"


def tell_open(nodes: Sequence[Node], verdicts: Mapping[int, Verdict], project: Project) -> None:
    """Say on stderr what of these steps could not be checked, if anything."""
    words = open_words(nodes, verdicts, project)
    if words:
        output.note(f"not checked: {words}")


def unchecked_words(unchecked: Unchecked, project: Project) -> str:
    """`data.zarr: a dataset that …`."""
    subject = unchecked.subject
    place = subject and (project.relative(subject) or subject)
    words = _UNCHECKED_WORDS[unchecked.code]
    return output.printable(f"{place}: {words}" if place else words)


def stale_lines(
    nodes: Sequence[Node], verdicts: Mapping[int, Verdict], project: Project, limit: int
) -> list[str]:
    """`@2 train.py: data.csv changed` for each stale step, as far as `limit`."""
    stale = [node for node in nodes if verdicts[node.shown.id].is_stale]
    shown = stale if len(stale) <= limit + 1 else stale[:limit]
    lines = [
        f"{node.shown.place} {wording.fit(_title(node), 40)}: "
        f"{reasons_line(verdicts[node.shown.id].reasons, project)}"
        for node in shown
    ]
    if len(shown) < len(stale):
        left = len(stale) - len(shown)
        lines.append(f"{output.symbol('…', '...')} and {left:,} more: roar dag --stale-only")
    return lines


def open_words(
    nodes: Sequence[Node], verdicts: Mapping[int, Verdict], project: Project
) -> str | None:
    """What was not checked, in one phrase; None when everything was."""
    first = next(
        (
            (node, verdict.unchecked[0])
            for node in nodes
            if (verdict := verdicts[node.shown.id]).unchecked
        ),
        None,
    )
    if first is None:
        return None
    number = sum(bool(verdicts[node.shown.id].unchecked) for node in nodes)
    node, unchecked = first
    return (
        f"{wording.count(number, 'step')} in full; {node.shown.place}: "
        f"{unchecked_words(unchecked, project)}"
    )


def verdict_fields(verdict: Verdict | None, project: Project) -> Document:
    """`stale`, `stale_reasons` and `unchecked` of a step; None: it was not looked at at all."""
    from roar_core.cli.documents import path_fields, text

    def reason_document(reason: Reason) -> Document:
        return {
            "code": reason.code,
            "file": reason.path and path_fields(reason.path, project),
            "step": reason.step,
            "recorded": reason.recorded,
            "now": reason.now,
            "detail": reason.detail and text(reason.detail),
        }

    if verdict is None:
        verdict = Verdict(unchecked=(Unchecked("too_many"),))
    return {
        "stale": verdict.is_stale,
        "stale_reasons": [reason_document(reason) for reason in verdict.reasons],
        "unchecked": [
            {"code": each.code, "subject": each.subject and text(each.subject)}
            for each in verdict.unchecked
        ],
    }


def _title(node: Node) -> str:
    return wording.title(node.shown.name, node.shown.command)


def _grouping(project: Project, paths: list[str]) -> Grouping | None:
    from roar_core.config.layers import load
    from roar_core.run.layouts import Layouts

    layouts = Layouts.prepare(project, load(project.root, project.roar_dir, os.environ))
    return None if layouts is None else layouts.grouping(paths)
