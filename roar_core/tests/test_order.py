"""Whoever makes bytes comes before who reads them; a cycle changes nothing but the order in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roar_core.lineage.dag import Node, Source
from roar_core.lineage.order import StepKey, downstream_of, in_order
from roar_core.lineage.session import JobRow, Place


def graph(reads: dict[int, set[int]]) -> list[Node]:
    """Steps by number, and the steps that each reads from."""

    def job(number: int) -> JobRow:
        return JobRow(
            number, f"{number:032x}", None, 1, Place(True, number, 1), "run", None, '["x"]',
            "succeeded", 0, None, 0, 1.0, True, 0, 0, True, True,
        )  # fmt: skip

    return [
        Node(
            job(number),
            job(number),
            1,
            tuple(Source(other, Place(True, other, 1), 1, False) for other in sorted(sources)),
        )
        for number, sources in sorted(reads.items())
    ]


def steps(*numbers: int) -> list[StepKey]:
    return [(True, number) for number in numbers]


def test_a_step_between_counts_though_it_is_not_run() -> None:
    nodes = graph({1: {2}, 2: {3}, 3: set()})
    assert in_order(nodes, steps(1, 3)) == steps(3, 1)


def test_downstream_goes_all_the_way() -> None:
    nodes = graph({1: set(), 2: {1}, 3: {2}, 4: set()})
    assert downstream_of(nodes, steps(1)) == {*steps(1, 2, 3)}


def test_ten_thousand_steps_in_a_chain() -> None:
    nodes = graph({number: {number + 1} for number in range(10_000)} | {10_000: set()})
    assert in_order(nodes, steps(0, 10_000)) == steps(10_000, 0)
    assert in_order(nodes, steps(*range(10_001))) == steps(*reversed(range(10_001)))
    assert len(downstream_of(nodes, steps(10_000))) == 10_001


SIZE = 7


@given(
    st.dictionaries(
        st.integers(0, SIZE - 1), st.sets(st.integers(0, SIZE - 1)), min_size=SIZE, max_size=SIZE
    ),
    st.sets(st.integers(0, SIZE - 1)),
)
def test_every_wanted_step_comes_once_and_after_its_sources(
    reads: dict[int, set[int]], wanted: set[int]
) -> None:
    nodes = graph(reads)
    order = in_order(nodes, steps(*wanted))
    assert sorted(order) == sorted(steps(*wanted))
    acyclic = graph({number: {n for n in reads[number] if n > number} for number in reads})
    order = in_order(acyclic, steps(*wanted))
    for place, step in enumerate(order):
        assert not set(order[place + 1 :]) & _upstream(acyclic, step)


def _upstream(nodes: list[Node], step: StepKey) -> set[StepKey]:
    return {
        other.shown.place.step
        for other in nodes
        if other.shown.place
        and other.shown.place.step != step
        and step in downstream_of(nodes, [other.shown.place.step])
    }
