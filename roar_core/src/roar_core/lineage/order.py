"""In which order steps of a session are to be run again: whoever makes bytes before who reads them.

Pure, and indifferent to cycles: two steps that read each other's files go in the order of their
numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from heapq import heapify, heappop, heappush

from roar_core.lineage.dag import Node

# (is_step, number): builds before steps, as `Place` orders them.
StepKey = tuple[bool, int]


def key_of(node: Node) -> StepKey:
    """What the attempts of a node's step have in common."""
    assert node.shown.place is not None
    return node.shown.place.step


def downstream_of(graph: Iterable[Node], steps: Collection[StepKey]) -> set[StepKey]:
    """`steps` and every step that reads, directly or not, what they made."""
    readers: dict[StepKey, list[StepKey]] = defaultdict(list)
    for node in graph:
        for source in node.sources:
            if source.place is not None:
                readers[source.place.step].append(key_of(node))
    found, waiting = set(steps), list(steps)
    while waiting:
        for reader in readers[waiting.pop()]:
            if reader not in found:
                found.add(reader)
                waiting.append(reader)
    return found


def in_order(graph: Iterable[Node], steps: Collection[StepKey]) -> list[StepKey]:
    """`steps` so that none comes before one whose bytes it reads, directly or through others.

    Of those that may go next the one with the smallest number does, builds first.
    """
    nodes = {key_of(node): node for node in graph}
    # All are put in order, not just `steps`: what is not run may stand between two that are.
    before = {step: _sources(nodes, step) for step in nodes}
    readers: dict[StepKey, list[StepKey]] = defaultdict(list)
    for step, sources in before.items():
        for source in sources:
            readers[source].append(step)
    ready = [step for step, sources in before.items() if not sources]
    heapify(ready)
    by_number = iter(sorted(before))
    order: list[StepKey] = []
    while before:
        # Where nothing is ready there is a cycle: it begins at its smallest number.
        step = heappop(ready) if ready else next(step for step in by_number if step in before)
        del before[step]
        order.append(step)
        for reader in readers[step]:
            if reader in before:
                before[reader].discard(step)
                if not before[reader]:
                    heappush(ready, reader)
    wanted = set(steps)
    return [step for step in order if step in wanted]


def _sources(nodes: dict[StepKey, Node], step: StepKey) -> set[StepKey]:
    return {
        source.place.step
        for source in nodes[step].sources
        if source.place is not None and source.place.step in nodes
    } - {step}
