"""A contract kit fails a plugin that breaks a promise, by the test that is named for it.

The plugins are those that `roar plugins new` writes, each with one line made wrong.
"""

from __future__ import annotations

import pytest

from roar_core.scaffold.kinds import kind_called
from roar_core.scaffold.naming import checked_name
from roar_core.scaffold.packages import package_files

pytest_plugins = ["pytester"]

# kind -> what its module has, what stands there instead, and a word of the test that must fail.
WRONG = {
    "analyzer": [
        ('("logbook/",)', '("*",)', "nothing_ordinary"),
        ('("logbook/",)', '("my-book/",)', "what_its_tool_writes"),
        ("in run.written", "in run.read | run.written", "wrote_nothing"),
    ],
    "backend": [
        ("if PurePath(argv[0]).name", "if True or argv[0]", "no_ordinary_one"),
        ("if PurePath(argv[0]).name", "if open(argv[0]) and argv[0]", "detecting_is_pure"),
        ("return False  # the", "return True  # the", "no_ordinary_file"),
        ("BackendPlan(run.command", "BackendPlan(run.command[1:]", "keeps_the_command"),
        ("return {REPORT: ", "return {'PATH': '', REPORT: ", "adds_only_what_it_declares"),
        (
            "Reports(run.folder).coverage()",
            "TaskCoverage(0, is_final=False)",
            "without_tasks_is_complete",
        ),
    ],
    "storage-proxy": [
        ("return {}", 'return {STORE: "http://127.0.0.1:9"}', "uses_no_store"),
    ],
    "composite": [
        ("folder.has(MARKER)", "True", "ordinary_folder"),
        ("folder.has(MARKER)", "not folder.leads_to", "is_recognised"),
        ("folder.has(MARKER)", 'folder.has("dataset") or folder.has(MARKER)', "holds_a"),
        ("relative == MARKER or", "", "all_its_files_are_members"),
    ],
    "exporter": [
        ('    format = "logbook"', '    format = "Log Book"', "with_a_format"),
        ('b"}\\n"', 'b"%d\\n" % __import__("time").perf_counter_ns()', "same_bytes"),
        ('target.write(b"}', 'target.close(); target.write(b"}', "stays_open"),
        ('in graph["jobs"]:', 'in graph.pop("jobs"):  # type: ignore', "as_it_is"),
    ],
    "tracer": [
        ("return Preflight(False, f", "return Preflight(False, '' and f", "gives_a_reason"),
        ("found = shutil", "os.system('true'); found = shutil", "starts_no_process"),
    ],
    "transfer": [
        ("key=lambda each: each.url)", "key=lambda each: each.url)[::-1]", "order_of_urls"),
        ("CHUNK = 1 << 20", "CHUNK = 1 << 24", "pieces_are_small"),
        ("if source.version not in", "if False and source.version in", "another_version"),
        ("if not found:", "if False:", "what_is_not_there"),
        ("stream.seek(start)", "pass", "ranges_can"),
        ("draft.replace(path)", "path.write_bytes(b'')", "what_is_there_is_what"),
        ("draft.unlink(missing_ok=True)", "path.unlink()", "what_is_there_is_what"),
        ("if upload.replace", "if True", "not_replaced_unasked"),
        ("upload.advance(len(piece))", "pass", "adds_up"),
        ("if target.tell() != upload.size", "if False", "cannot_be_put"),
        ("quote(str(path))", "str(path)", "names_survive"),
    ],
}


@pytest.mark.parametrize("word", WRONG)
def test_what_is_wrong_fails_the_test_named_for_it(pytester: pytest.Pytester, word: str) -> None:
    name = checked_name(kind_called(word), "logbook")
    files = package_files(name)
    [sound] = [text for file, text in files.items() if file.endswith("/__init__.py")]
    [tests] = [text for file, text in files.items() if file.startswith("tests/test_")]
    (pytester.path / "conftest.py").write_text(files["tests/conftest.py"])
    for number, (old, new, _) in enumerate(WRONG[word]):
        assert old in sound
        module = f"wrong_{name.kind.prefix}_{number}"
        (pytester.path / f"{module}.py").write_text(sound.replace(old, new))
        test = tests.replace(name.module, module)
        (pytester.path / f"test_{number}.py").write_text(test)
    pytester.syspathinsert()
    # Not those that run real commands under the plugin: it is not installed.
    result = pytester.runpytest_inprocess("-k", "not seen_and_left_alone", "-q", "-rf")
    failed = [line.removeprefix("FAILED ") for line in result.outlines if line[:7] == "FAILED "]
    for number, (_, new, word_of_test) in enumerate(WRONG[word]):
        named = [f for f in failed if f.startswith(f"test_{number}.py::") and word_of_test in f]
        assert named, f"{new!r} passed {word_of_test}; failed: {failed}"
