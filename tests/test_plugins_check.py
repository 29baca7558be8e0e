"""`roar plugins check` tells the author of a faulty plugin what is wrong, and nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

ANALYZER = """
from roar_core.hookspecs import ConfigKey, ConfigSection, hookimpl

class Tally:
    name, title, patterns = {name!r}, "Tally", ("tally/",)
    def references(self, run):
        return []

@hookimpl
def roar_analyzers(config):
    return [Tally()]
"""
TRACER = """
import subprocess
from roar_core.hookspecs import Preflight, TracerAbilities, hookimpl

class Tracer:
    name, priority, abilities = {name!r}, 50, TracerAbilities()
    def preflight(self):
        return Preflight(False, "it is made up", "install it")
    def launch(self, plan): ...

@hookimpl
def roar_tracers():
    return [Tracer()]
"""
COMMAND = """
import click

@click.command()
def {name}():
    "Say hello."
"""
SETTINGS = """
@hookimpl
def roar_config_sections():
    return [ConfigSection({section!r}, (ConfigKey("depth", {default!r}, "How deep."),))]
"""

# group, code before, what is replaced by what, and what `check` says of it: problem, remedy.
FAULTS: dict[str, tuple[str, str, str, str, str, str]] = {
    "unimportable": (
        *("analyzers", ANALYZER, "class", "import nowhere\nclass"),
        *("No module named 'nowhere'", "python -c 'import unimportable'"),
    ),
    "leaving": (
        *("analyzers", ANALYZER, "class", "raise SystemExit(3)\nclass"),
        *("SystemExit: 3", "python -c 'import leaving'"),
    ),
    "talking": (
        *("analyzers", ANALYZER, "class", "print('Welcome!')\nclass"),
        *("it prints 'Welcome!'", "return what is to be told"),
    ),
    "bare": (
        *("analyzers", ANALYZER, "@hookimpl", ""),
        *("bare implements no roar_analyzers", "decorated with @hookimpl"),
    ),
    "foreign": (
        *("analyzers", ANALYZER, "(config)", "(colour)"),
        *("{'colour'}", "docs/hooks.md has roar_analyzers"),
    ),
    "misfit": (
        *("analyzers", ANALYZER, "title, ", "heading, "),
        *("TypeError: Tally lacks title", "see docs/hooks.md"),
    ),
    "raising": (
        *("analyzers", ANALYZER, "return [T", "raise OSError('no luck')\n    return [T"),
        *("OSError: no luck", "raising.py, line 11"),
    ),
    "starting": (
        *("tracers", TRACER, "return [T", "subprocess.run(['/bin/true'])\n    return [T"),
        *("roar_tracers() calls subprocess.Popen", "start nothing"),
    ),
    "spoken": (
        *("tracers", TRACER, "return [T", "print('hook')\n    return [T"),
        *("roar_tracers() prints 'hook'", "return what is to be told"),
    ),
    "probing": (
        *("tracers", TRACER, "return P", "subprocess.run(['/bin/true'])\n        return P"),
        *("preflight() calls subprocess.Popen", "start nothing"),
    ),
    "mute": (
        *("tracers", TRACER, ', "install it"', ""),
        *("says no without a reason or a remedy", "say why"),
    ),
    "greedy": (
        *("analyzers", ANALYZER, '"tally/"', '"*.csv"'),
        *("its patterns take data.csv", "name what only the tracker writes"),
    ),
    "inventive": (
        *("analyzers", ANALYZER, "return []", "return ['a run']"),
        *("names 'a run' in a run without files", "name only what this run wrote"),
    ),
    "spaced": (
        *("analyzers", ANALYZER, "'spaced'", "'my tally'"),
        *("it is called 'my tally'", "use letters"),
    ),
    "section": (
        *("analyzers", ANALYZER + SETTINGS.format(section="filter", default=3), "", ""),
        *("roar's own [filters]", "docs/hooks.md, ConfigSection"),
    ),
    "default": (
        *("analyzers", ANALYZER + SETTINGS.format(section="default", default={}), "", ""),
        *("depth: 'dict' is no known kind", "docs/hooks.md, ConfigSection"),
    ),
    "negative": (
        *("analyzers", ANALYZER + SETTINGS.format(section="negative", default=-1), "", ""),
        *(
            "the default of depth: expected a whole number from 0, got -1",
            "docs/hooks.md, ConfigSection",
        ),
    ),
    "capable": (
        "analyzers",
        ANALYZER + "\n@hookimpl\ndef roar_capabilities():\n    return {'fast': 'yes'}",
        *("", "", "its capability 'fast' is 'yes'", "True or False"),
    ),
    "show": (
        *("commands", COMMAND.replace("import click", "import click as c; click = c"), "", ""),
        *("`roar show` is roar's own", "rename the entry point"),
    ),
    "plain": ("commands", COMMAND, "click.command()", "str", "no click command", "with @click"),
    "misplaced": ("trackers", ANALYZER, "", "", "no plugin group 'roar.trackers'", "roar.tracers"),
    "future": (
        *("analyzers", "roar_api_version = 99\n" + ANALYZER, "", ""),
        *("needs plugin API 99", "docs/plugins.md"),
    ),
}
SOUND = {
    "tally": ("analyzers", ANALYZER),
    "made-up": ("tracers", TRACER),
    "hi": ("commands", COMMAND),
}


def filled(code: str, name: str) -> str:
    return code.replace("{name!r}", repr(name)).replace("{name}", name)


@pytest.mark.slow
def test_each_fault_is_told_with_a_remedy(
    project: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    for name, (group, code, old, new, _, _) in FAULTS.items():
        broken = filled(code, name)
        assert old in broken
        install_plugin(name, broken.replace(old, new, 1), group=f"roar.{group}")
    for name, (group, code) in SOUND.items():
        install_plugin(name, filled(code, name), group=f"roar.{group}")
    for name in ("hi", "show", "plain"):
        point_at_function(install_plugin, name)
    result = project.roar("plugins", "check", "--json")
    assert result.exit_code == 1
    reports = {report["name"]: report for report in json.loads(result.stdout)["plugins"]}
    for name, (*_, problem, remedy) in FAULTS.items():
        assert not reports[name]["sound"], name
        told = complaints(reports[name])
        assert len(told) == 1, told
        [complaint] = told
        assert problem in complaint["problem"], name
        assert remedy in complaint["remedy"], name
    for name in SOUND:
        assert (reports[name]["sound"], complaints(reports[name])) == (True, []), name


def point_at_function(installed: InstalledPlugins, name: str) -> None:
    """Have the entry point of the command `name` be the function of its name."""
    [file] = installed.folder.glob(f"{name}-*.dist-info/entry_points.txt")
    file.write_text(file.read_text().replace(f"= {name}", f"= {name}:{name}"))


def complaints(report: dict[str, Any]) -> list[dict[str, str]]:
    return [
        complaint
        for promise in report["promises"]
        if not promise["advice"]
        for complaint in promise["complaints"]
    ]


def test_a_sound_plugin_is_one_line_and_a_faulty_one_says_what_to_do(
    project: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    install_plugin("tally", filled(ANALYZER, "tally"), group="roar.analyzers")
    install_plugin(
        "mute", filled(TRACER, "mute").replace(', "install it"', ""), group="roar.tracers"
    )
    sound = project.roar("plugins", "check", "tally")
    assert (sound.exit_code, sound.stderr) == (0, "")
    assert sound.stdout.startswith("analyzer tally (tally 1.0): sound, ")
    assert sound.stdout.count("\n") == 1
    faulty = project.roar("plugins", "check", "mute")
    assert faulty.exit_code == 1
    assert "  broken  mute: preflight() says why not and what to do" in faulty.stdout
    assert "          -> say why, and what to type\n" in faulty.stdout


def test_of_two_with_one_name_both_are_told_whose_the_other_is(
    project: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    for name in ("left", "right"):
        install_plugin(name, filled(ANALYZER, "same"), group="roar.analyzers")
    for name, other in (("left", "right"), ("right", "left")):
        result = project.roar("plugins", "check", name)
        assert result.exit_code == 1
        assert f"{other} has the name too, so that roar uses neither" in result.stdout


def test_a_disabled_plugin_is_not_imported(
    project: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    code = "open('imported.txt', 'w')\n" + filled(ANALYZER, "tally")
    install_plugin("tally", code, group="roar.analyzers")
    result = project.roar("plugins", "check", "tally", environ={"ROAR_DISABLE_PLUGINS": "tally"})
    assert result.exit_code == 0
    assert "it was not looked at: disabled by ROAR_DISABLE_PLUGINS" in result.stdout
    assert not (project.root / "imported.txt").exists()


def test_an_unknown_name_is_one_sentence_with_those_there_are(project: ProjectUnderTest) -> None:
    result = project.roar("plugins", "check", "no-such")
    assert result.exit_code == 1
    assert result.stderr.startswith("roar: no plugin is called 'no-such'; installed: ")
    assert result.stderr.count("\n") == 1
