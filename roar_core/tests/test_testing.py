"""The fixtures that plugin authors rely on."""

from __future__ import annotations

from pathlib import Path

import pytest

from roar_core.testing.needs import missing
from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

pytest_plugins = ["pytester"]

LEAKS = {
    "variables": "import os\ndef test_it(): os.environ['LEAKED'] = '1'",
    "descriptors": "import os\ndef test_it(): os.open('/', os.O_RDONLY)",
    "log handlers": "import logging as l\ndef test_it(): l.getLogger().addHandler(l.Handler())",
}


@pytest.mark.parametrize("what", LEAKS)
def test_a_test_that_leaks_is_named(what: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(LEAKS[what])
    result = pytester.runpytest_subprocess("-p", "roar_core.testing.fixtures")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*changed the process's {what} and did not restore them*"])


NEEDS_THE_UNHEARD_OF = """
import pytest
@pytest.mark.needs("unheard-of")
def test_it(): pass
"""


def test_a_need_nobody_described_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(NEEDS_THE_UNHEARD_OF)
    result = pytester.runpytest_subprocess("-p", "roar_core.testing.fixtures")
    result.assert_outcomes(errors=1)


def test_a_missing_program_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing("git") == "needs git; apt install git"


def test_an_unmet_need_skips_and_fails_where_nothing_may_be_skipped(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile('import pytest\n@pytest.mark.needs("go")\ndef test_it(): pass')
    monkeypatch.setenv("PATH", str(pytester.path))
    monkeypatch.delenv("ROAR_TEST_EVERYTHING", raising=False)
    plugin = ("-p", "roar_core.testing.fixtures")
    pytester.runpytest_inprocess(*plugin).assert_outcomes(skipped=1)
    monkeypatch.setenv("ROAR_TEST_EVERYTHING", "1")
    pytester.runpytest_inprocess(*plugin).assert_outcomes(errors=1)


def test_a_run_tells_what_was_read_and_written(project: ProjectUnderTest) -> None:
    project.write("a.txt", "hello")
    result = project.run("cp", "a.txt", "b.txt")
    assert result.exit_code == 0
    assert (result.reads, result.writes) == ({"a.txt"}, {"b.txt"})
    assert project.read("b.txt") == "hello"


def test_an_installed_plugin_is_found_by_the_commands_of_its_project(
    project: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    name = install_plugin("roar-analyzer-nothing", "", group="roar.analyzers")
    plugins = project.json("plugins")["plugins"]
    assert name in {plugin["distribution"] for plugin in plugins}
