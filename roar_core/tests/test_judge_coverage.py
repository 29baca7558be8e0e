"""What is known to be missing of a run, rule 7 of judgement, by the smallest run that shows it."""

from __future__ import annotations

import pytest
from judged import FILTERS, observe

from roar_core.journal import Intent, Kind
from roar_core.observe.judge import judge
from roar_core.testing.traces import ModelTree

# --- rule 7: coverage ----------------------------------------------------------------------------


def reasons(tree: ModelTree, **known: int) -> list[tuple[str, int, str]]:
    return [(r.code, r.count, r.detail) for r in observe(tree, **known).coverage.reasons]


def test_a_run_without_holes_is_complete(tree: ModelTree) -> None:
    tree.report(Kind.EXEC, strings=("/usr/bin/ls", "ls"))
    tree.report(Kind.START, strings=("/usr/bin/ls", "/"))
    observation = observe(tree)
    assert observation.coverage.state == "complete"
    assert observation.processes == 2


def test_a_program_never_entered_is_a_gap_by_name(tree: ModelTree) -> None:
    tree.report(Kind.EXEC, strings=("/p/go-tool", "go-tool"), pid=200)
    tree.report(Kind.EXIT, pid=200)
    tree.report(Kind.EXEC, strings=("/p/go-tool", "go-tool"), pid=201)
    assert reasons(tree) == [("unentered", 2, "/p/go-tool")]


def test_an_explained_gap_is_told_once_with_its_count(tree: ModelTree) -> None:
    for pid in (200, 201, 202):
        tree.report(Kind.EXEC, strings=("/bin/busybox", "busybox"), pid=pid)
    tree.report(Kind.GAP, value=1, strings=("/bin/busybox",), pid=200)
    assert reasons(tree) == [("static", 3, "/bin/busybox")]


def test_a_gap_explains_the_program_under_its_other_names(tree: ModelTree) -> None:
    program = tree.outside_create("/bin/busybox").fingerprint
    tree.report(Kind.EXEC, strings=("/bin/busybox", "x"), fingerprints=(program,), pid=200)
    tree.report(Kind.GAP, value=1, strings=("/bin/busybox",), pid=200)
    tree.report(Kind.EXEC, strings=("/bin/sh", "sh"), fingerprints=(program,), pid=201)
    assert reasons(tree) == [("static", 2, "/bin/busybox")]


def test_a_spawn_reported_after_its_child_started_is_no_gap(tree: ModelTree) -> None:
    called_at_ns = tree.now_ns
    tree.now_ns += 5
    tree.report(Kind.START, strings=("/usr/bin/dash", "/"), pid=300)
    tree.now_ns = called_at_ns
    tree.report(Kind.EXEC, strings=("/p/x.sh", "x.sh"), pid=300)
    assert reasons(tree) == []


def test_a_spawn_reported_after_its_child_ended_is_no_gap(tree: ModelTree) -> None:
    tree.report(Kind.START, strings=("/usr/bin/true", "/"), pid=300)
    tree.report(Kind.EXIT, pid=300)
    tree.report(Kind.EXEC, strings=("/usr/bin/true", "true"), pid=300)
    assert reasons(tree) == []


def test_a_reason_can_be_written_anywhere_whatever_the_program_is_called(tree: ModelTree) -> None:
    tree.report(Kind.GAP, value=1, strings=("/p/\udcff",))
    assert reasons(tree) == [("static", 1, "/p/\\xff")]


def test_the_first_program_executing_a_static_one_is_a_gap(tree: ModelTree) -> None:
    tree.now_ns += 5
    tree.report(Kind.EXEC, strings=("/p/static", "static"))
    assert reasons(tree) == [("unentered", 1, "/p/static")]


def test_lost_records_and_unreadable_bytes_are_told(tree: ModelTree) -> None:
    tree.report(Kind.LOST, value=3)
    assert [r[:2] for r in reasons(tree, lost=2, unreadable=80)] == [
        ("lost", 5),
        ("unreadable", 80),
    ]


def test_an_unknown_gap_of_a_later_tracer_is_told_by_number(tree: ModelTree) -> None:
    tree.report(Kind.GAP, value=77, strings=("x",))
    assert reasons(tree) == [("gap_77", 1, "x")]


def test_a_journal_that_tells_nothing_is_no_complete_run() -> None:
    observation = judge([], lambda path: None, FILTERS)
    assert [reason.code for reason in observation.coverage.reasons] == ["unentered"]


@pytest.mark.parametrize("path", ["relative/x", "(unreachable)/x", "/p/nul\0byte", ""])
def test_a_path_that_cannot_be_placed_is_told(tree: ModelTree, path: str) -> None:
    fingerprint = tree.outside_create("/p/a").fingerprint
    tree.report(Kind.OPEN, value=Intent.READ, strings=(path,), fingerprints=(fingerprint,))
    assert reasons(tree) == [("unresolved", 1, path)]


def test_records_without_what_they_need_are_counted(tree: ModelTree) -> None:
    for kind in (Kind.OPEN, Kind.RENAME, Kind.LINK, Kind.UNLINK, Kind.TRUNCATE, Kind.MAPPED):
        tree.report(kind)
    assert [r[:2] for r in reasons(tree)] == [("unresolved", 6)]
