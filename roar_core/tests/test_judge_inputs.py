"""What a run read, rules 1 and 4 of judgement, by the smallest run that shows it."""

from __future__ import annotations

import pytest
from judged import inputs, observe, only_input, outputs

from roar_core.journal import Intent, Kind
from roar_core.model.observation import InputFile
from roar_core.testing.traces import ModelTree

# --- rule 1: inputs ------------------------------------------------------------------------------


def test_a_file_read_is_an_input_with_the_version_read(tree: ModelTree) -> None:
    version = tree.outside_create("/p/a").fingerprint
    tree.read("/p/a")
    assert only_input(tree) == InputFile("/p/a", version)
    assert outputs(tree) == []


def test_reading_twice_is_one_input(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.read("/p/a")
    tree.read("/p/a")
    assert inputs(tree) == ["/p/a"]


def test_two_versions_changed_by_somebody_else_are_two_inputs(tree: ModelTree) -> None:
    first = tree.outside_create("/p/a").fingerprint
    tree.read("/p/a")
    tree.outside_change("/p/a")
    second = tree.files["/p/a"].fingerprint
    tree.read("/p/a")
    assert [file.fingerprint for file in observe(tree).inputs] == [first, second]
    assert not any(file.changed for file in observe(tree).inputs)


def test_an_open_proved_unused_is_no_input(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    offset = tree.read("/p/a")
    tree.report(Kind.UNUSED, value=offset)
    assert inputs(tree) == []


def test_one_unused_open_does_not_hide_another(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.report(Kind.UNUSED, value=tree.read("/p/a"))
    tree.read("/p/a")
    assert inputs(tree) == ["/p/a"]


def test_an_open_proved_unwritten_is_no_output_whatever_the_times_say(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    offset = tree.open("/p/a", "a")
    tree.outside_change("/p/a")
    assert outputs(tree) == ["/p/a"]
    tree.report(Kind.UNWRITTEN, value=offset)
    assert outputs(tree) == []


def test_proof_of_use_outweighs_proof_of_disuse(tree: ModelTree) -> None:
    file = tree.outside_create("/p/a")
    offset = tree.read("/p/a")
    tree.report(Kind.UNUSED, value=offset)
    tree.report(Kind.USED, value=offset, fingerprints=(file.fingerprint,))
    assert inputs(tree) == ["/p/a"]


def test_a_file_proven_read_without_an_open_for_reading_is_an_input(tree: ModelTree) -> None:
    file = tree.outside_create("/p/a")
    tree.open("/p/a", "a")
    tree.report(Kind.USED, fingerprints=(file.fingerprint,))
    assert inputs(tree) == ["/p/a"]


def test_what_the_tree_emptied_and_read_is_no_input(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.write("/p/a")
    tree.read("/p/a")
    assert (inputs(tree), outputs(tree)) == ([], ["/p/a"])


def test_what_the_tree_appended_to_and_read_is_an_input_as_it_was_before(tree: ModelTree) -> None:
    version = tree.outside_create("/p/log").fingerprint
    tree.write("/p/log", "a")
    tree.read("/p/log")
    assert only_input(tree) == InputFile("/p/log", version, changed=True)


def test_opening_for_reading_and_writing_reads_the_old_bytes(tree: ModelTree) -> None:
    version = tree.outside_create("/p/db").fingerprint
    tree.write("/p/db", "r+")
    assert only_input(tree) == InputFile("/p/db", version, changed=True)
    assert outputs(tree) == ["/p/db"]


def test_opening_for_reading_and_writing_and_changing_nothing_is_an_input_only(
    tree: ModelTree,
) -> None:
    version = tree.outside_create("/p/db").fingerprint
    tree.open("/p/db", "r+")
    assert only_input(tree) == InputFile("/p/db", version, changed=False)
    assert outputs(tree) == []


def test_an_executed_project_file_is_an_input_and_code(tree: ModelTree) -> None:
    program = tree.outside_create("/p/tool")
    tree.report(Kind.START, strings=("/p/tool", "/p"), fingerprints=(program.fingerprint,), pid=101)
    assert inputs(tree) == ["/p/tool"]
    assert "/p/tool" in observe(tree).code


def test_a_script_is_code_under_the_name_its_interpreter_opened(tree: ModelTree) -> None:
    script = tree.outside_create("/p/real/run.sh")
    tree.report(
        Kind.EXEC, strings=("/p/link/../run.sh", "run.sh"), fingerprints=(script.fingerprint,)
    )
    tree.report(Kind.START, strings=("/usr/bin/dash", "/p"))
    tree.read("/p/real/run.sh")
    assert inputs(tree) == ["/p/real/run.sh"]
    assert "/p/real/run.sh" in observe(tree).code


def test_a_program_that_was_built_and_run_is_no_input(tree: ModelTree) -> None:
    tree.write("/p/a.out")
    tree.report(
        Kind.START, strings=("/p/a.out", "/p"), fingerprints=(tree.files["/p/a.out"].fingerprint,)
    )
    assert (inputs(tree), outputs(tree)) == ([], ["/p/a.out"])


def test_a_failed_exec_is_no_input(tree: ModelTree) -> None:
    program = tree.outside_create("/p/broken")
    tree.report(Kind.EXEC, strings=("/p/broken", "broken"), fingerprints=(program.fingerprint,))
    tree.report(Kind.EXEC_FAILED, value=8)
    assert inputs(tree) == []
    assert observe(tree).coverage.state == "complete"


def test_a_module_imported_from_its_compiled_form_is_an_input(tree: ModelTree) -> None:
    tree.outside_create("/p/model.py")
    tree.outside_create("/p/__pycache__/model.cpython-311.opt-1.pyc")
    tree.read("/p/__pycache__/model.cpython-311.opt-1.pyc")
    assert inputs(tree) == ["/p/model.py"]
    assert "/p/model.py" in observe(tree).code


def test_an_inherited_standard_input_is_an_input(tree: ModelTree) -> None:
    tree.outside_create("/p/in")
    tree.open("/p/in", "r", extra=Intent.INHERITED)
    assert inputs(tree) == ["/p/in"]


# --- rule 4: read, then changed ------------------------------------------------------------------


@pytest.mark.parametrize("change", ["overwrite", "replace", "delete", "truncate"])
def test_read_then_changed_is_an_input_with_the_version_read(tree: ModelTree, change: str) -> None:
    version = tree.outside_create("/p/a").fingerprint
    tree.read("/p/a")
    if change == "overwrite":
        tree.write("/p/a")
    elif change == "replace":
        tree.write("/p/a.tmp")
        tree.rename("/p/a.tmp", "/p/a")
    elif change == "delete":
        tree.unlink("/p/a")
    else:
        tree.truncate("/p/a", 0)
    assert only_input(tree) == InputFile("/p/a", version, changed=True)


def test_a_file_removed_by_somebody_else_was_not_changed_by_the_run(tree: ModelTree) -> None:
    tree.outside_create("/p/a")
    tree.read("/p/a")
    tree.outside_remove("/p/a")
    assert only_input(tree).changed is False


def test_changed_permissions_change_no_content(tree: ModelTree) -> None:
    file = tree.outside_create("/p/a")
    tree.read("/p/a")
    file.ctime_ns += 5
    tree.read("/p/a")
    assert only_input(tree).changed is False
