"""Which steps of a session are stale, and why: run again, they might give something else.

A step is stale when a file it consumed holds other bytes now or is gone, when a step it read from
has been run again since with another result, when a source file it read has changed, or when it
read from a stale step. What cannot be told is said: a step of which something was not checked is
*unknown*, not current.

Not compared are inputs that the job itself changed after it had read them (a file updated in
place): no later run could read those bytes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from roar_core.lineage.present import Held, look_at
from roar_core.lineage.session import uid_of
from roar_core.lineage.stale_facts import Consumed, Facts, count_inputs, read_facts

if TYPE_CHECKING:
    import sqlite3

    from roar_core.hashing.cache import StatCache
    from roar_core.lineage.dag import Node, Source
    from roar_core.lineage.present_datasets import DatasetLook

Code = Literal[
    "input_changed",
    "input_missing",
    "upstream_rerun",
    "upstream_undone",
    "code_changed",
    "code_missing",
    "upstream_stale",
]


class Reason(NamedTuple):
    """Why a step is stale. `path` is absolute, `step` a step it read from, hashes are names."""

    code: Code
    path: str | None = None
    step: str | None = None
    recorded: str | None = None
    now: str | None = None
    detail: str | None = None


UncheckedCode = Literal[
    "running", "too_many", "unread", "unknown_hash", "object", "dataset", "code", "upstream"
]


class Unchecked(NamedTuple):
    """What could not be told of a step: `code` for programs, `subject` a path or a step."""

    code: UncheckedCode
    subject: str | None = None


_TOO_MANY = Unchecked("too_many")


class Verdict(NamedTuple):
    """How a step stands. `unchecked` may leave open whether there are further reasons."""

    reasons: tuple[Reason, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()

    @property
    def is_stale(self) -> bool | None:
        """None when nothing was found, but not everything could be looked at."""
        if self.reasons:
            return True
        return None if self.unchecked else False


class Limits(NamedTuple):
    """How far a look goes: so many of the newest steps, so many inputs in all, so many bytes read
    where a stat does not tell; None: any."""

    steps: int | None = None
    inputs: int | None = None
    read_bytes: int | None = None


def judge_steps(
    db: sqlite3.Connection,
    nodes: Sequence[Node],
    cache: StatCache,
    limits: Limits,
    look_at_datasets: Callable[[], DatasetLook] | None = None,
) -> dict[int, Verdict]:
    """The verdict on each node, by the id of the job that stands for it.

    Sources that are no nodes, of another session or before the first node, are not looked at.
    `look_at_datasets` is asked once, when there is a folder of many files to be compared; without
    it those stay unchecked.
    """
    # The newest come first: what the limits leave out are the oldest.
    newest_first = [node.shown.id for node in reversed(nodes)][: limits.steps]
    looked_at = _within(newest_first, count_inputs(db, newest_first), limits.inputs)
    facts = read_facts(db, looked_at)
    held = look_at(_wanted(facts[job] for job in looked_at), cache, read_at_most=limits.read_bytes)
    has_datasets = any(c.kind == "composite" for each in facts.values() for c in each.inputs)
    datasets = look_at_datasets() if look_at_datasets and has_datasets else None
    judged = {node.shown.id: _Judged(node) for node in nodes}
    for job, each in judged.items():
        each.judge_sources(db, judged.keys())
        if each.node.shown.state == "running":
            each.leave_open("running")
        elif job not in looked_at:
            each.unchecked.append(_TOO_MANY)
        else:
            each.judge_inputs(db, facts[job], held, datasets)
            each.judge_code(facts[job], held)
    _spread(judged)
    return {job: Verdict(tuple(j.reasons), tuple(j.unchecked)) for job, j in judged.items()}


def stale_nodes(nodes: Iterable[Node], verdicts: Mapping[int, Verdict]) -> list[Node]:
    """Those of the nodes that are stale, in their order."""
    return [node for node in nodes if verdicts[node.shown.id].is_stale]


class _Judged:
    """One step while it is judged."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.reasons: list[Reason] = []
        self.unchecked: list[Unchecked] = []

    @property
    def label(self) -> str:
        return str(self.node.shown.place)

    def leave_open(self, code: UncheckedCode, subject: str | None = None) -> None:
        """Say what was not looked at."""
        self.unchecked.append(Unchecked(code, subject))

    def judge_sources(self, db: sqlite3.Connection, nodes: Collection[int]) -> None:
        """Whether the steps it read from still give what it read."""
        for source in self.node.sources:
            if source.is_superseded:
                self.reasons.append(_superseded(db, source))
            elif source.job not in nodes:
                place = source.place
                self.leave_open("upstream", str(place) if place else uid_of(db, source.job)[:8])

    def judge_inputs(
        self,
        db: sqlite3.Connection,
        facts: Facts,
        held: Mapping[str, Held],
        datasets: DatasetLook | None,
    ) -> None:
        """Whether the files it read still hold what it read."""
        superseded = {source.job for source in self.node.sources if source.is_superseded}
        for consumed in facts.inputs:
            if consumed.hash_state == "before_change" or consumed.producer in superseded:
                continue
            if consumed.hash_state == "unknown":
                self.leave_open("unknown_hash", consumed.path)
            elif consumed.kind == "object":
                self.leave_open("object", consumed.path)
            elif consumed.kind == "composite":
                self._judge_dataset(db, consumed, datasets)
            elif consumed.digest is not None:
                self._compare(held[consumed.path], consumed.path, consumed.digest, consumed.size)

    def judge_code(self, facts: Facts, held: Mapping[str, Held]) -> None:
        """Whether the source files it read are still the same."""
        if facts.sources is None:
            self.leave_open("code")
            return
        for path, digest in facts.sources.items():
            if digest is None:
                self.leave_open("unknown_hash", path)
            else:
                self._compare(held[path], path, digest, None, is_code=True)

    def _compare(
        self, now: Held, path: str, digest: str, size: int | None, *, is_code: bool = False
    ) -> None:
        if not now.is_known_against(size):
            self.leave_open("unread", path)
        elif not now.exists:
            code: Code = "code_missing" if is_code else "input_missing"
            self.reasons.append(Reason(code, path, recorded=f"blake3:{digest}"))
        elif now.digest != digest:
            code = "code_changed" if is_code else "input_changed"
            name = None if now.digest is None else f"blake3:{now.digest}"
            self.reasons.append(Reason(code, path, recorded=f"blake3:{digest}", now=name))

    def _judge_dataset(
        self, db: sqlite3.Connection, consumed: Consumed, datasets: DatasetLook | None
    ) -> None:
        look = None if datasets is None else datasets.look(db, consumed)
        if look is None or look.is_open:
            self.leave_open("dataset", consumed.path)
        if look is not None and look.is_missing:
            self.reasons.append(Reason("input_missing", consumed.path))
        elif look is not None and look.difference:
            self.reasons.append(Reason("input_changed", consumed.path, detail=look.difference))


def _within(jobs: Iterable[int], inputs: Mapping[int, int], most: int | None) -> frozenset[int]:
    """The first of `jobs` that have no more than `most` inputs among them."""
    chosen: set[int] = set()
    count = 0
    for job in jobs:
        count += inputs[job]
        if most is not None and count > most:
            break
        chosen.add(job)
    return frozenset(chosen)


def _wanted(facts: Iterable[Facts]) -> dict[str, frozenset[int]]:
    """The paths to look at with the sizes recorded there; without any where one is not known."""
    sizes: dict[str, set[int]] = defaultdict(set)
    unsized: set[str] = set()
    for each in facts:
        for consumed in each.inputs:
            if consumed.kind == "file" and consumed.digest is not None:
                sizes[consumed.path].add(consumed.size)
        unsized.update(each.sources or ())
    return {path: frozenset() for path in unsized} | {
        path: frozenset(known) for path, known in sizes.items() if path not in unsized
    }


def _superseded(db: sqlite3.Connection, source: Source) -> Reason:
    row = db.execute("SELECT undone_at_ns FROM job WHERE id = ?", (source.job,)).fetchone()
    code: Code = "upstream_rerun" if row is None or row[0] is None else "upstream_undone"
    return Reason(code, step=str(source.place))


def _spread(judged: Mapping[int, _Judged]) -> None:
    """Pass it on: who read from a stale step is stale, who read from an unknown one is unknown."""
    readers: dict[int, list[_Judged]] = defaultdict(list)
    for each in judged.values():
        for source in each.node.sources:
            if not source.is_superseded and source.job in judged:
                readers[source.job].append(each)
    stale = [each for each in judged.values() if each.reasons]
    seen = {each.node.shown.id for each in stale}
    while stale:
        maker = stale.pop()
        for reader in readers[maker.node.shown.id]:
            reader.reasons.append(Reason("upstream_stale", step=maker.label))
            if reader.node.shown.id not in seen:
                seen.add(reader.node.shown.id)
                stale.append(reader)
    unknown = [each for each in judged.values() if each.unchecked and not each.reasons]
    reached = {each.node.shown.id for each in judged.values() if each.unchecked}
    while unknown:
        maker = unknown.pop()
        for reader in readers[maker.node.shown.id]:
            if _TOO_MANY not in reader.unchecked:  # that says it already
                reader.leave_open("upstream", maker.label)
            if reader.node.shown.id not in reached:
                reached.add(reader.node.shown.id)
                unknown.append(reader)
