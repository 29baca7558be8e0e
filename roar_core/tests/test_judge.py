"""What a run made, and what is no artifact: each rule by the smallest run that shows it."""

from __future__ import annotations

import stat

import attrs
import pytest
from judged import FILTERS, inputs, observe, only_input, only_output, outputs

from roar_core.journal import Intent, Kind, RenameFlag
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.observation import InputFile, OutputFile
from roar_core.observe.filters import Filters
from roar_core.observe.judge import judge
from roar_core.testing.traces import SECOND, ModelTree

# --- rule 2: outputs -----------------------------------------------------------------------------


def test_a_created_file_is_an_output_with_its_last_version(tree: ModelTree) -> None:
    tree.write("/p/out")
    assert only_output(tree) == OutputFile("/p/out", tree.files["/p/out"].fingerprint)


def test_an_empty_created_file_is_an_output(tree: ModelTree) -> None:
    tree.open("/p/done", "w")
    assert outputs(tree) == ["/p/done"]


def test_a_file_rewritten_with_the_same_size_is_an_output(tree: ModelTree) -> None:
    tree.outside_create("/p/a", size=5)
    tree.write("/p/a", "w", size=5)
    assert only_output(tree).doubtful is None


def test_emptying_an_empty_file_again_is_an_output(tree: ModelTree) -> None:
    tree.outside_create("/p/done", size=0)
    tree.open("/p/done", "w")
    assert outputs(tree) == ["/p/done"]


def test_opening_for_writing_without_changing_is_no_output(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.open("/p/a", "a")
    assert (inputs(tree), outputs(tree)) == ([], [])


def test_a_proven_write_is_an_output_even_when_size_and_times_agree(tree: ModelTree) -> None:
    file = tree.outside_create("/p/a")
    offset = tree.open("/p/a", "a")
    tree.report(Kind.WRITTEN, value=offset, fingerprints=(file.fingerprint,))
    assert outputs(tree) == ["/p/a"]


def test_touch_leaves_it_to_the_digests(tree: ModelTree) -> None:
    before = tree.outside_create("/p/a").fingerprint
    tree.open("/p/a", "a")
    tree.files["/p/a"].mtime_ns = tree.now_ns
    assert only_output(tree).doubtful == before


def test_touching_an_empty_file_changes_nothing(tree: ModelTree) -> None:
    tree.outside_create("/p/a", size=0)
    tree.open("/p/a", "a")
    tree.files["/p/a"].mtime_ns = tree.now_ns
    assert outputs(tree) == []


@pytest.mark.parametrize(("age_ns", "is_doubtful"), [(9_000_000, True), (11_000_000, False)])
def test_a_file_younger_than_the_clocks_grain_leaves_it_to_the_digests(
    age_ns: int, is_doubtful: bool
) -> None:
    tree = ModelTree(clock_step_ns=age_ns)
    before = tree.outside_create("/p/a").fingerprint
    tree.open("/p/a", "r+")
    observation = observe(tree)
    assert [file.doubtful for file in observation.outputs] == ([before] if is_doubtful else [])
    assert observation.inputs[0].changed is is_doubtful


def test_the_wall_clock_decides_how_young_a_file_is(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.open("/p/a", "a")
    assert len(observe(tree, clock=-2_000_000_000).outputs) == 1
    assert len(observe(tree, clock=0).outputs) == 0


def test_a_file_mapped_writable_and_changed_is_an_output(tree: ModelTree) -> None:
    file = tree.outside_create("/p/a")
    tree.now_ns += SECOND
    tree.report(Kind.MAPPED, strings=("/p/a",), fingerprints=(file.fingerprint,))
    assert outputs(tree) == []
    tree.outside_change("/p/a", size=11)
    assert outputs(tree) == ["/p/a"]


def test_a_truncated_file_is_an_output_even_with_its_time_restored(tree: ModelTree) -> None:
    file = tree.outside_create("/p/a")
    mtime_ns = file.mtime_ns
    tree.write("/p/a", "w", size=file.size)
    file.mtime_ns = mtime_ns
    assert outputs(tree) == ["/p/a"]


def test_truncate_makes_an_output(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.truncate("/p/a", 3)
    assert outputs(tree) == ["/p/a"]


def test_replacing_by_rename_names_the_final_file_only(tree: ModelTree) -> None:
    tree.write("/p/a.tmp")
    tree.rename("/p/a.tmp", "/p/a")
    assert outputs(tree) == ["/p/a"]


def test_a_temporary_file_linked_into_place_is_an_output(tree: ModelTree) -> None:
    made = tree.outside_create("/p/out").fingerprint
    tree.report(
        Kind.OPEN,
        value=Intent.WRITE | Intent.TMPFILE,
        strings=("/p",),
        fingerprints=(made._replace(nlink=0),),
    )
    tree.report(Kind.LINK, strings=("/proc/self/fd/3", "/p/out"), fingerprints=(made,))
    assert (inputs(tree), outputs(tree)) == ([], ["/p/out"])


def test_a_redirection_made_before_the_run_is_an_output_once_something_was_written(
    tree: ModelTree,
) -> None:
    tree.outside_create("/p/out", size=0)
    fingerprint = tree.files["/p/out"].fingerprint
    intent = Intent.WRITE | Intent.INHERITED
    tree.report(Kind.OPEN, value=intent, strings=("/p/out",), fingerprints=(fingerprint,))
    assert outputs(tree) == []
    tree.outside_change("/p/out", size=3)
    assert outputs(tree) == ["/p/out"]


def test_a_moved_file_is_an_output_whose_bytes_came_from_the_old_name(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.rename("/p/a", "/p/b")
    assert outputs(tree) == ["/p/b"]
    now = tree.files["/p/b"].fingerprint
    assert only_input(tree) == InputFile("/p/a", now, changed=True, now_at="/p/b")


def test_a_moved_and_then_changed_file_is_an_input_as_it_was_moved(tree: ModelTree) -> None:
    version = tree.outside_create("/p/a").fingerprint
    tree.rename("/p/a", "/p/b")
    tree.write("/p/b", "a")
    found = only_input(tree)
    assert (found.path, found.changed, found.now_at) == ("/p/a", True, None)
    assert found.fingerprint[:4] == version[:4]


def test_a_file_moved_away_and_back_is_nothing(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.rename("/p/a", "/p/b")
    tree.rename("/p/b", "/p/a")
    assert (inputs(tree), outputs(tree)) == ([], [])


def test_a_further_name_is_an_output_and_the_first_is_not_changed(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.link("/p/a", "/p/b")
    assert outputs(tree) == ["/p/b"]
    assert (only_input(tree).path, only_input(tree).changed) == ("/p/a", False)


def test_a_moved_directory_takes_read_and_unread_files_with_it(tree: ModelTree) -> None:
    tree.outside_create("/p/d/read")
    tree.outside_create("/p/d/unread")
    tree.read("/p/d/read")
    tree.rename_directory("/p/d", "/p/e")
    assert outputs(tree) == ["/p/e/read", "/p/e/unread"]
    moved = [(file.path, file.now_at) for file in observe(tree).inputs]
    assert moved == [("/p/d/read", "/p/e/read"), ("/p/d/unread", "/p/e/unread")]


def test_a_directory_built_aside_and_moved_into_place_has_its_files_there(tree: ModelTree) -> None:
    tree.write("/p/.build/x")
    tree.rename_directory("/p/.build", "/p/build")
    assert (inputs(tree), outputs(tree)) == ([], ["/p/build/x"])


def test_exchanged_files_are_both_outputs_of_each_other(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.outside_create("/p/b")
    tree.exchange("/p/a", "/p/b")
    assert outputs(tree) == ["/p/a", "/p/b"]
    assert [(f.path, f.now_at) for f in observe(tree).inputs] == [
        ("/p/a", "/p/b"),
        ("/p/b", "/p/a"),
    ]


def test_renaming_one_name_of_a_file_onto_another_does_nothing(tree: ModelTree) -> None:
    file = tree.outside_create("/p/a")
    tree.files["/p/b"] = file
    file.nlink = 2
    tree.rename("/p/a", "/p/b")
    assert (inputs(tree), outputs(tree)) == ([], [])


def test_a_file_somebody_else_put_older_in_place_is_not_ours(tree: ModelTree) -> None:
    old = tree.outside_create("/q/old")
    tree.write("/p/a")
    tree.outside_remove("/p/a")
    tree.files["/p/a"] = old
    assert outputs(tree) == []
    assert observe(tree).scratch == 1


def test_a_file_system_that_renumbers_loses_no_output(tree: ModelTree) -> None:
    tree.write("/p/a")
    tree.files["/p/a"].ino = 4711
    assert outputs(tree) == ["/p/a"]


def test_an_overlay_copying_a_file_up_is_still_the_same_file(tree: ModelTree) -> None:
    file = tree.outside_create("/p/a")
    tree.read("/p/a")
    lower = file.fingerprint
    file.ino = 4711
    tree.report(
        Kind.OPEN, value=Intent.WRITE, strings=("/p/a",), fingerprints=(file.fingerprint, lower)
    )
    tree.outside_change("/p/a", size=99)
    assert only_input(tree) == InputFile("/p/a", lower, changed=True)
    assert outputs(tree) == ["/p/a"]


# --- rule 3: scratch -----------------------------------------------------------------------------


def test_created_and_gone_is_scratch(tree: ModelTree) -> None:
    tree.write("/p/tmp")
    tree.read("/p/tmp")
    tree.unlink("/p/tmp")
    observation = observe(tree)
    assert (observation.inputs, observation.outputs, observation.scratch) == ((), (), 1)


def test_a_claimed_file_is_told_to_its_analyzer_even_when_it_is_gone(tree: ModelTree) -> None:
    tree.write("/p/log/part")
    tree.rename("/p/log/part", "/p/log/run-1")
    tree.unlink("/p/log/run-1")
    tree.write("/p/tmp")
    tree.unlink("/p/tmp")
    claiming = Filters(attrs.evolve(FILTERS.policy, claims=lambda path: "/log/" in path))
    observation = judge(tree.records, tree.look, claiming, list_files=tree.list_files)
    assert observation.claimed_outputs == {"/p/log/run-1"}
    assert (observation.outputs, observation.scratch) == ((), 2)


def test_a_reused_inode_number_is_another_file(tree: ModelTree) -> None:
    tree.outside_create("/p/old")
    tree.read("/p/old")
    tree.outside_remove("/p/old")
    tree.write("/p/new")
    assert (inputs(tree), outputs(tree)) == (["/p/old"], ["/p/new"])


# --- rule 5: no artifacts ------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/proc/self/status", "/sys/kernel/x", "/memfd:jit", "/memfd:a b"])
def test_pseudo_files_are_no_artifacts(tree: ModelTree, path: str) -> None:
    tree.outside_create(path)
    tree.read(path)
    observation = observe(tree)
    assert observation.inputs == ()
    assert path not in {name for names in observation.filtered_paths.values() for name in names}
    assert observation.coverage.state == "complete"


@pytest.mark.parametrize("kind", [stat.S_IFDIR, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR])
def test_only_regular_files_are_artifacts(tree: ModelTree, kind: int) -> None:
    device = Fingerprint(7, 50, 1, 1, 1, kind | 0o600, 1)
    tree.report(Kind.OPEN, value=Intent.READ, strings=("/p/x",), fingerprints=(device,))
    assert inputs(tree) == []


def test_a_name_that_is_not_utf8_survives(tree: ModelTree) -> None:
    tree.outside_create("/p/\udcff")
    tree.read("/p/\udcff")
    assert inputs(tree) == ["/p/\udcff"]


# --- what was filtered ---------------------------------------------------------------------------


def test_filtered_files_are_counted_and_listed(tree: ModelTree) -> None:
    for path in ("/usr/lib/libc.so.6", "/p/venv/lib/python3.11/site-packages/a.py", "/p/in"):
        tree.outside_create(path)
        tree.read(path)
    tree.write("/p/__pycache__/in.cpython-311.pyc")
    observation = observe(tree)
    assert [file.path for file in observation.inputs] == ["/p/in"]
    assert observation.filtered == {"caches": 1, "packages": 1, "system": 2}
    assert observation.packages == {"/p/venv/lib/python3.11/site-packages/a.py"}
    assert "/usr/lib/libc.so.6" in observation.system


def test_the_environment_of_an_executed_python_is_packages(tree: ModelTree) -> None:
    tree.outside_create("/p/venv/lib/python3.11/encodings.py")
    tree.report(Kind.EXEC, strings=("/p/venv/bin/python", "python"))
    tree.report(Kind.START, strings=("/usr/bin/python3.11", "/p"))
    tree.read("/p/venv/lib/python3.11/encodings.py")
    assert observe(tree).packages == {"/p/venv/lib/python3.11/encodings.py"}


def test_records_out_of_order_are_judged_in_file_order(tree: ModelTree) -> None:
    tree.write("/p/a")
    tree.rename("/p/a", "/p/b")
    shuffled = judge(tree.records[::-1], tree.look, FILTERS)
    assert shuffled == observe(tree)


def test_a_rename_flagged_as_textual_is_straightened(tree: ModelTree) -> None:
    tree.write("/p/a")
    file = tree.files["/p/b"] = tree.files.pop("/p/a")
    tree.report(
        Kind.RENAME,
        value=RenameFlag.TEXTUAL,
        strings=("/p/./a", "/p/x/../b"),
        fingerprints=(file.fingerprint,),
    )
    assert outputs(tree) == ["/p/b"]
