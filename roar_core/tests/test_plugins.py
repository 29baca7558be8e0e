"""Plugins are loaded one by one: what is wrong with one is said, and hurts no other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from roar_core import plugins
from roar_core.errors import PluginError
from roar_core.testing.projects import InstalledPlugins

Install = Callable[..., None]

IMPORTS = "from roar_core.hookspecs import *\nfrom roar_core.hookspecs import hookimpl\n"

ANALYZER = (
    IMPORTS
    + """
class Analyzer_:
    def __init__(self, name, priority=0):
        self.name, self.priority = name, priority
    title, patterns = "Tool", ("tool/",)
    def references(self, run):
        return ()
"""
)
GOOD = ANALYZER + "@hookimpl\ndef roar_analyzers(config):\n    return [Analyzer_('good')]\n"


@pytest.fixture
def install(install_plugin: InstalledPlugins, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts plugins on the path of this process, for one test, beside none of a checkout's own."""
    monkeypatch.syspath_prepend(str(install_plugin.folder))
    monkeypatch.setenv("ROAR_DISABLE_PLUGINS", "roar-analyzer-trackers")
    plugins._load.cache_clear()
    before = set(sys.modules)

    def put(name: str, code: str, group: str = "roar.analyzers", **more: str) -> None:
        install_plugin(name, code, group=group, **more)

    yield put
    for module in set(sys.modules) - before:
        if (install_plugin.folder / f"{module}.py").exists():
            del sys.modules[module]


def empty(_: str) -> Mapping[str, Any]:
    return {}


def analyzers() -> tuple[list[str], list[str]]:
    """Names of the usable analyzers that tests installed, and the sentences about the others."""
    found = plugins.offered("roar.analyzers", Path("/"), empty)
    return [offer.value.name for offer in found.offers], [str(f) for f in found.failures]


BAD = {
    "unimportable": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_mo"),
    "syntax": ("def (", "SyntaxError"),
    "raising": ("raise RuntimeError('first\\nsecond')", "RuntimeError: first second"),
    "exiting": ("raise SystemExit(3)", "SystemExit: 3"),
    "odd": ("class E(BaseException):\n  __str__ = None\nraise E", "E: its message cannot be shown"),
    "toonew": ("roar_api_version = 99", "needs plugin API 99, this roar-core has 1; upgrade"),
    "notanapi": ("roar_api_version = 'two'", "roar_api_version is 'two', expected a whole number"),
    "empty": ("", "empty implements no roar_analyzers"),
    "signature": (
        IMPORTS + "@hookimpl\ndef roar_analyzers(colour):\n    return []",
        "PluginValidationError",
    ),
    "misspelled": (
        IMPORTS + "@hookimpl\ndef roar_analyser(config):\n    return []",
        "unknown hook 'roar_analyser'",
    ),
    "hook": (IMPORTS + "@hookimpl\ndef roar_analyzers(config):\n    1 / 0", "ZeroDivisionError"),
    "nolist": (IMPORTS + "@hookimpl\ndef roar_analyzers(config):\n    return 5", "TypeError"),
    "misfit": (
        IMPORTS + "@hookimpl\ndef roar_analyzers(config):\n    return [object()]",
        "object lacks name, patterns, references, title, which every Analyzer has",
    ),
    "nameless": (
        ANALYZER + "@hookimpl\ndef roar_analyzers(config):\n    return [Analyzer_(None)]",
        "Analyzer_ has no text as its name",
    ),
    "unordered": (
        ANALYZER + "@hookimpl\ndef roar_analyzers(config):\n    return [Analyzer_('u', 'first')]",
        "Analyzer_ has a priority that is no whole number",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_plugin_hurts_only_itself_and_is_named(install: Install, name: str) -> None:
    code, reason = BAD[name]
    install(name, code)
    install("good", GOOD)
    usable, failures = analyzers()
    assert usable == ["good"]
    [sentence] = failures
    assert sentence.startswith(f"plugin {name} failed while "), sentence
    assert reason in sentence
    assert "\n" not in sentence


def test_a_bad_plugin_is_imported_and_told_once(install: Install) -> None:
    counter = "import sys\nsys.counted = getattr(sys, 'counted', 0) + 1\nraise OSError"
    install("counting", counter)
    first, second = analyzers(), analyzers()
    assert first == second
    assert sys.counted == 1  # type: ignore[attr-defined]
    del sys.counted  # type: ignore[attr-defined]


def test_ctrl_c_during_a_load_is_the_users(install: Install) -> None:
    install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        analyzers()


def test_of_two_plugins_of_one_name_neither_wins(install: Install) -> None:
    install("left", GOOD, entry="same")
    install("right", GOOD, entry="same", version="2.0")
    install("other", GOOD)
    usable, failures = analyzers()
    assert usable == ["good"]
    [sentence] = failures
    assert "left 1.0 and right 2.0 both offer analyzer 'same'" in sentence
    loaded = plugins.load("roar.analyzers")
    states = {p.ref.distribution: p.state for p in loaded.plugins}
    assert states["left"] == states["right"] == "duplicate"


def test_disabling_a_distribution_ends_a_clash_of_names(install: Install) -> None:
    install("keep", GOOD, entry="same")
    install("drop", GOOD, entry="same")
    loaded = plugins.load("roar.analyzers", environ={"ROAR_DISABLE_PLUGINS": "drop"})
    assert {p.ref.distribution: p.state for p in loaded.plugins if p.ref.name == "same"} == {
        "drop": "disabled",
        "keep": "ok",
    }


def test_of_two_objects_of_one_name_neither_wins(install: Install) -> None:
    install("good", GOOD)
    install("imitator", GOOD)
    usable, failures = analyzers()
    assert usable == []
    assert failures == [
        "plugin good and imitator failed while offering good: more than one analyzer is called "
        "'good'; none of them is used"
    ]


def test_a_disabled_plugin_is_not_imported(install: Install) -> None:
    install("unwanted", "raise RuntimeError('imported')")
    loaded = plugins.load("roar.analyzers", environ={"ROAR_DISABLE_PLUGINS": "unwanted"})
    [plugin] = [p for p in loaded.plugins if p.ref.name == "unwanted"]
    assert (plugin.state, plugin.reason) == ("disabled", "by ROAR_DISABLE_PLUGINS")
    assert not loaded.failures


def test_order_is_priority_then_name(install: Install) -> None:
    code = ANALYZER + (
        "@hookimpl\ndef roar_analyzers(config):\n"
        "    return [Analyzer_('late', 9), Analyzer_('b', 1), Analyzer_('a', 1)]\n"
    )
    install("several", code)
    assert analyzers() == (["a", "b", "late"], [])


def test_an_analyzer_gets_the_section_called_like_its_entry_point(install: Install) -> None:
    code = ANALYZER + (
        "@hookimpl\ndef roar_analyzers(config):\n"
        "    return [Analyzer_(f'{config.project}:{config.section[\"depth\"]}')]\n"
    )
    install("seeing", code, entry="wanda")
    found = plugins.offered("roar.analyzers", Path("/p"), {"wanda": {"depth": 3}}.__getitem__)
    assert [offer.value.name for offer in found.offers] == ["/p:3"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (True, ["good", "more"]),
        (False, []),
        ({"good": False}, ["more"]),
        ({"x": True}, ["good", "more"]),
    ],
)
def test_analyzers_take_part_as_the_setting_says(
    install: Install, wanted: Any, expected: list[str]
) -> None:
    install("good", GOOD)
    install("more", GOOD.replace("'good'", "'more'"))
    found = plugins.analyzers(Path("/"), empty, wanted)
    assert [offer.value.name for offer in found.offers] == expected


def test_configuration_sections_of_the_sound_plugins_are_kept(install: Install) -> None:
    section = "ConfigSection('{0}', (ConfigKey('depth', 3, 'How deep.'),))"
    offer = "@hookimpl\ndef roar_config_sections():\n    return [{}]\n"
    install("good", GOOD + offer.format(section.format("good")))
    install("liar", GOOD + offer.format("{'name': 'liar'}"))
    install("thrower", GOOD + offer.format("1 / 0"))
    install("muddler", GOOD + offer.format("ConfigSection(5, ())"))
    install("mixer", GOOD + offer.format("ConfigSection('m', (ConfigKey('a', 1, 2),))"))
    sections, failures = plugins.config_sections([plugins.load("roar.analyzers")])
    assert [s.name for s in sections] == ["good"]
    assert sorted(f.distribution for f in failures) == ["liar", "mixer", "muddler", "thrower"]


def test_capabilities_are_booleans_of_plugins_that_can_say_them(install: Install) -> None:
    offer = "@hookimpl\ndef roar_capabilities():\n    return {}\n"
    install("good", GOOD + offer.format("{'swan': True, 'size': 3}"))
    install("liar", GOOD + offer.format("7"))
    install("thrower", GOOD + offer.format("1 / 0"))
    assert plugins.capabilities([plugins.load("roar.analyzers")]) == {"swan": True}


def test_every_state_is_listed_with_its_reason(install: Install) -> None:
    install("good", GOOD)
    install("hook", BAD["hook"][0])
    install("toonew", BAD["toonew"][0])
    install("lost", "", group="roar.analysers")
    install("nocommand", "", group="roar.commands")
    listed = {
        p.ref.distribution: (p.state, p.reason)
        for p in plugins.all_plugins(Path("/"), empty, {"ROAR_DISABLE_PLUGINS": ""})
    }
    assert listed["good"] == ("ok", "")
    assert listed["hook"][0] == "broken"
    assert "ZeroDivisionError" in listed["hook"][1]
    assert listed["toonew"][0] == "too new"
    assert listed["lost"] == ("broken", "roar knows no plugin group 'roar.analysers'")
    assert listed["nocommand"] == ("broken", "nocommand is no click command")


COMMAND = "import click\n@click.command()\ndef hello():\n    '''Say hello.'''\n"


def test_a_command_is_loaded_by_its_name_alone(
    install_plugin: InstalledPlugins, install: Install
) -> None:
    install("bystander", "raise RuntimeError", group="roar.commands")
    install("hello_plugin", COMMAND, group="roar.commands", entry="hello")
    info = install_plugin.folder / "hello_plugin-1.0.dist-info" / "entry_points.txt"
    info.write_text("[roar.commands]\nhello = hello_plugin:hello\n")
    assert plugins.command("hello").name == "hello"
    assert plugins.command("absent") is None
    assert plugins.command("hello", {"ROAR_DISABLE_PLUGINS": "hello"}) is None


@pytest.mark.parametrize("code", ["raise OSError", "hello = 5"])
def test_a_command_that_cannot_be_used_says_so(install: Install, code: str) -> None:
    install("bad_command", code, group="roar.commands")
    with pytest.raises(PluginError, match="plugin bad_command failed while loading command"):
        plugins.command("bad_command")


def test_what_an_object_raises_names_its_plugin(install: Install) -> None:
    install("good", GOOD)
    [ref] = [p.ref for p in plugins.load("roar.analyzers").plugins if p.ref.name == "good"]

    def fail(word: str) -> None:
        raise ValueError(word)

    with pytest.raises(PluginError) as caught:
        plugins.call_object(ref, "naming runs", fail, "why")
    assert str(caught.value) == "plugin good failed while naming runs: ValueError: why"
    assert plugins.call_object(ref, "adding", sum, (1, 2)) == 3
