"""The graph of a session: which attempt stands for a step, and whose bytes it read."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from roar_core.lineage.dag import Node, session_graph
from roar_core.lineage.session import JobRow, Link, Place


def row(
    job: int, number: int | None, attempt: int = 1, state: str = "succeeded", *, build: bool = False
) -> JobRow:
    return JobRow(
        id=job,
        uid=f"{job:032x}",
        hash=None,
        session=1,
        place=None if number is None else Place(not build, number, attempt),
        kind="build" if build else "run",
        raw_name=None,
        raw_command='["true"]',
        state=state,
        exit_code=0,
        signal=None,
        started_at_ns=job,
        duration_s=1.0,
        is_complete=True,
        inputs=0,
        outputs=0,
        is_newest=True,
        is_active=True,
    )


def graph(
    rows: list[JobRow], links: list[Link], written: dict[int, set[int]] | None = None
) -> dict[str, Node]:
    def written_by(job: int) -> Collection[int]:
        return (written or {}).get(job, set())

    return {str(node.shown.place): node for node in session_graph(rows, links, written_by)}


def test_a_step_shows_its_newest_succeeded_attempt() -> None:
    rows = [row(1, 1, 1), row(2, 1, 2), row(3, 1, 3, "failed")]
    node = graph(rows, [])["@1"]
    assert (node.shown.id, node.newest.id, node.attempts) == (2, 3, 3)


def test_a_step_that_never_succeeded_shows_its_newest_attempt() -> None:
    rows = [row(2, 1, 2, "interrupted"), row(1, 1, 1, "failed")]
    assert graph(rows, [])["@1"].shown.id == 2


def test_builds_come_first_and_numbers_order_the_rest() -> None:
    rows = [row(number, number) for number in (10, 2, 1)] + [row(11, 1, build=True)]
    assert list(graph(rows, [])) == ["@B1", "@1", "@2", "@10"]


def test_an_undone_attempt_is_no_node() -> None:
    nodes = graph([row(1, 1), row(2, 1, 2, "undone"), row(3, 2, 1, "undone")], [])
    assert list(nodes) == ["@1"]
    assert nodes["@1"].attempts == 1


def test_a_source_is_the_job_whose_bytes_were_read() -> None:
    (source,) = graph([row(1, 1), row(2, 2)], [(2, 1, 7), (2, 1, 8)])["@2"].sources
    assert (source.job, str(source.place), source.artifacts) == (1, "@1", 2)
    assert not source.is_superseded


def test_a_rerun_with_the_same_bytes_supersedes_nothing() -> None:
    rows = [row(1, 1, 1), row(2, 1, 2), row(3, 2)]
    (source,) = graph(rows, [(3, 1, 7)], {2: {7}})["@2"].sources
    assert (source.job, source.is_superseded) == (2, False)


def test_a_rerun_with_other_bytes_supersedes_what_was_read() -> None:
    rows = [row(1, 1, 1), row(2, 1, 2), row(3, 2)]
    (source,) = graph(rows, [(3, 1, 7)], {2: {8}})["@2"].sources
    assert (source.job, source.is_superseded) == (1, True)


def test_bytes_of_an_undone_job_are_superseded() -> None:
    (source,) = graph([row(1, 1, 1, "undone"), row(2, 2)], [(2, 1, 7)])["@2"].sources
    assert source.is_superseded


def test_a_job_of_another_session_is_a_source_without_a_place() -> None:
    (source,) = graph([row(2, 1)], [(2, 99, 7)])["@1"].sources
    assert (source.job, source.place, source.is_superseded) == (99, None, False)


def test_a_step_that_reads_what_its_older_attempt_wrote_is_no_source_of_itself() -> None:
    (source,) = graph([row(1, 1, 1), row(2, 1, 2)], [(2, 1, 7)], {2: {7}})["@1"].sources
    assert source.job == 1


def test_jobs_without_a_step_are_no_nodes() -> None:
    assert graph([row(1, None)], [(1, 2, 1)]) == {}


_ROWS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(1, 4),
        st.sampled_from(["succeeded", "failed", "interrupted", "running", "undone"]),
    ),
    max_size=12,
)
_LINKS = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14), st.integers(0, 3)), max_size=30)


@given(_ROWS, _LINKS)
def test_every_step_that_stands_is_one_node_and_no_node_reads_itself(
    steps: list[tuple[bool, int, str]], links: list[Link]
) -> None:
    attempts: dict[tuple[bool, int], int] = {}
    rows = []
    for job, (build, number, state) in enumerate(steps):
        attempt = attempts[build, number] = attempts.get((build, number), 0) + 1
        rows.append(row(job, number, attempt, state, build=build))
    nodes = session_graph(rows, links, lambda job: {0})
    standing = {job.place.step for job in rows if job.place and job.state != "undone"}
    assert len(nodes) == len(standing)
    for node in nodes:
        assert node.shown.state != "undone"
        assert node.shown.id not in {source.job for source in node.sources}
        read = sum(1 for reader, maker, _ in links if reader == node.shown.id != maker)
        assert sum(source.artifacts for source in node.sources) == read


def expanded(
    rows: list[JobRow], links: list[Link], written: dict[int, set[int]] | None = None
) -> dict[str, Node]:
    def written_by(job: int) -> Collection[int]:
        return (written or {}).get(job, set())

    nodes = session_graph(rows, links, written_by, expanded=True)
    return {node.shown.place.exact: node for node in nodes if node.shown.place}


def test_expanded_every_attempt_is_a_node_in_order() -> None:
    rows = [row(4, 2), row(3, 1, 3, "failed"), row(1, 1, 1), row(2, 1, 2), row(5, 1, 4, "undone")]
    nodes = expanded(rows, [])
    assert list(nodes) == ["@1.1", "@1.2", "@1.3", "@2.1"]
    assert [nodes["@1.1"].attempts, nodes["@1.1"].newest.id] == [3, 3]


def test_expanded_a_source_is_the_attempt_that_was_really_read() -> None:
    rows = [row(1, 1, 1), row(2, 1, 2), row(3, 2, 1), row(4, 2, 2)]
    nodes = expanded(rows, [(3, 1, 7), (4, 2, 7)], {1: {7}, 2: {7}})
    assert [source.job for source in nodes["@2.1"].sources] == [1]
    assert [source.job for source in nodes["@2.2"].sources] == [2]
    assert not nodes["@2.1"].sources[0].is_superseded


def test_expanded_bytes_that_a_rerun_changed_are_superseded() -> None:
    rows = [row(1, 1, 1), row(2, 1, 2), row(3, 2)]
    (source,) = expanded(rows, [(3, 1, 7)], {1: {7}, 2: {8}})["@2.1"].sources
    assert (source.job, source.is_superseded) == (1, True)


def test_expanded_a_source_outside_of_the_session_supersedes_nothing() -> None:
    (source,) = expanded([row(2, 1)], [(2, 1, 7)])["@1.1"].sources
    assert (source.job, source.place, source.is_superseded) == (1, None, False)
