"""Layers decide in order, a value is replaced whole, and what is wrong is named with its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.config.layers import Config, load
from roar_core.config.schema import SECTIONS
from roar_core.config.values import checked, from_text, plain, shown
from roar_core.errors import ConfigError
from roar_core.hookspecs import ConfigKey, ConfigSection

PRELOAD = ConfigSection(
    "tracer.preload",
    (
        ConfigKey("slots", 65536, "How many.", "count"),
        ConfigKey("library", None, "Where it lies.", "text"),
    ),
)


class Layout:
    """A project, its checkout's and the user's own files, and the environment."""

    def __init__(self, root: Path) -> None:
        self.project = root / "project"
        self.roar_dir = self.project / ".roar"
        self.roar_dir.mkdir(parents=True)
        self.environ = {"HOME": str(root / "home")}
        self.user = root / "home/.config/roar/global.toml"
        self.user.parent.mkdir(parents=True)

    def load(self, sections: tuple[ConfigSection, ...] = (), **flags: Any) -> Config:
        named = {name.replace("__", "."): value for name, value in flags.items()}
        return load(self.project, self.roar_dir, self.environ, named, sections)

    def write(self, text: str | bytes, name: str = ".roar/config.toml") -> None:
        (self.project / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def error(self, **flags: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            self.load(**flags)
        return str(caught.value)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def test_without_any_file_the_built_in_values_hold(layout: Layout) -> None:
    config = layout.load()
    assert config.get("hash.preimage_max") == 64 << 20
    assert {setting.origin for setting in config.items()} == {"built-in"}
    assert config.section("run") == {
        "backend": "auto",
        "fallback": True,
        "grace": 0.25,
        "patience": 10.0,
        "proxies": True,
        "tracer": "auto",
    }
    assert config.section("nobody") == {}


def test_each_layer_overrules_the_one_below(layout: Layout) -> None:
    seen = []

    def look(**flags: Any) -> None:
        config = layout.load(**flags)
        seen.append((config.get("run.grace"), config.origin("run.grace")))

    layout.user.write_text("run.grace = 1")
    look()
    layout.write("[tool.roar.run]\ngrace = 2\n", "pyproject.toml")
    look()
    layout.write("[run]\ngrace = 3\n")
    look()
    layout.environ["ROAR_RUN__GRACE"] = "4"
    look()
    look(run__grace=5)
    look(run__grace=None)
    assert seen == [
        (1.0, str(layout.user)),
        (2.0, "pyproject.toml [tool.roar]"),
        (3.0, ".roar/config.toml"),
        (4.0, "environment ROAR_RUN__GRACE"),
        (5.0, "flag"),
        (4.0, "environment ROAR_RUN__GRACE"),
    ]


def test_the_registry_of_the_client_that_came_before_holds(layout: Layout) -> None:
    layout.write('registry.url = "https://one.example.org"')
    layout.environ["GLAAS_URL"] = "https://two.example.org"
    setting = layout.load().setting("registry.url")
    assert setting.value == "https://two.example.org"
    assert setting.origin == "environment GLAAS_URL"
    layout.environ["ROAR_REGISTRY__URL"] = "https://three.example.org"
    assert layout.load().get("registry.url") == "https://three.example.org"


def test_roar_toml_is_the_committed_layer_too(layout: Layout) -> None:
    layout.write("[git]\ndirty = 'refuse'\n", "roar.toml")
    assert layout.load().origin("git.dirty") == "roar.toml"


def test_two_committed_files_are_an_error(layout: Layout) -> None:
    layout.write("", "roar.toml")
    layout.write("[tool.roar]\n", "pyproject.toml")
    assert layout.error() == (
        "roar.toml and [tool.roar] of pyproject.toml both configure this project; keep one"
    )


def test_a_foreign_pyproject_is_left_alone(layout: Layout) -> None:
    layout.write("not toml at [all", "pyproject.toml")
    layout.write("", "roar.toml")
    assert layout.load().get("run.tracer") == "auto"


def test_a_value_is_replaced_whole(layout: Layout) -> None:
    layout.write("[filters]\nignore = ['a', 'b']\n", "roar.toml")
    layout.write("[filters]\nignore = ['c']\n")
    assert layout.load().get("filters.ignore") == ("c",)


def test_a_relative_xdg_config_home_is_ignored(layout: Layout) -> None:
    layout.environ["XDG_CONFIG_HOME"] = "relative"
    layout.user.write_text("run.grace = 1")
    assert layout.load().get("run.grace") == 1.0
    layout.environ = {"XDG_CONFIG_HOME": str(layout.user.parent.parent)}
    assert layout.load().get("run.grace") == 1.0
    layout.environ = {}
    assert layout.load().get("run.grace") == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run.grace = 'fast'", "run.grace: expected a number of seconds, got 'fast'"),
        ("run.grace = true", "run.grace: expected a number of seconds, got True"),
        ("run.grace = -1", "run.grace: expected a number of seconds, got -1"),
        ("run.grace = nan", "run.grace: expected a number of seconds, got nan"),
        ("run.grace = 1e300", "run.grace: expected a number of seconds, got 1e+300"),
        ("run.grace = inf", "run.grace: expected a number of seconds, got inf"),
        ("hash.workers = 1.5", "hash.workers: expected a whole number from 0, got 1.5"),
        (
            "git.dirty = 'maybe'",
            "git.dirty: expected one of snapshot, allow, refuse, got 'maybe'",
        ),
        (
            "hash.algorithms = ['sha1']",
            "hash.algorithms: expected a list of sha256, sha512, md5, got ['sha1']",
        ),
        ("filters.ignore = 'x'", "filters.ignore: expected a list of text, got 'x'"),
        ("filters.ignore = [1]", "filters.ignore: expected a list of text, got [1]"),
        ("filters.system = 1", "filters.system: expected true or false, got 1"),
        (
            "hash.preimage_max = '64 miles'",
            "hash.preimage_max: expected a size such as 1048576 or '64 MiB', got '64 miles'",
        ),
        (
            "analyzers.experiment_trackers = {wandb = 'no'}",
            "analyzers.experiment_trackers: expected true, false or a table of them by name, "
            "got {'wandb': 'no'}",
        ),
        ("hash.worker = 1", "unknown setting hash.worker, did you mean hash.workers?"),
        ("hash.quick = 1", "unknown setting hash.quick"),
        ("run.tracer.name = 'x'", "run.tracer: expected text, got {'name': 'x'}"),
        ("[run.deep]\nx = 1", "unknown setting run.deep"),
        ("[filter]\nignore = []", "unknown section [filter], did you mean [filters]?"),
        ("run = 3", "run: expected a section, such as [run]"),
        (r'"\u001b[2Jrun" = 1', r"\x1b[2Jrun: expected a section, such as [run]"),
        (r'run."\u001b[2J" = 1', r"unknown setting run.\x1b[2J"),
        ("tracer = 'ebpf'", "tracer: expected a section, such as [run]"),
    ],
)
def test_a_wrong_setting_names_file_key_and_what_was_expected(
    layout: Layout, text: str, message: str
) -> None:
    layout.write(text)
    assert layout.error() == f".roar/config.toml: {message}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[run", "not valid TOML: "),
        (b"a = 1\na = 2", "not valid TOML: "),
        (b"\xff = 1", "not UTF-8 at byte 0"),
        (b"x = " + b"[" * 100_000, "not valid TOML: nested too deeply"),
        (b"x = " + b"9" * 5000, "not valid TOML: "),
        (b"#" * (4 << 20) + b"##", "larger than 4 MiB, too large to be settings"),
    ],
)
def test_a_file_that_cannot_be_settings_is_named(layout: Layout, data: bytes, message: str) -> None:
    layout.write(data)
    assert message in layout.error()
    assert ".roar/config.toml: " in layout.error()


def test_what_is_no_file_is_named_and_nobody_waits_for_it(layout: Layout) -> None:
    (layout.roar_dir / "config.toml").mkdir()
    assert layout.error() == f"{layout.roar_dir}/config.toml: not a regular file"
    (layout.roar_dir / "config.toml").rmdir()
    os.mkfifo(layout.roar_dir / "config.toml")
    assert layout.error() == f"{layout.roar_dir}/config.toml: not a regular file"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("HASH__ALGORITHMS", '["md5"]', ("md5",)),
        ("HASH__PREIMAGE_MAX", "1 GiB", 1 << 30),
        ("HASH__PREIMAGE_MAX", "1048576", 1 << 20),
        ("RUN__TRACER", "007", "007"),
        ("RUN__TRACER", "'ebpf'", "ebpf"),
        ("FILTERS__CACHES", "false", False),
        ("RUN__GRACE", "1e1", 10.0),
        ("ANALYZERS__EXPERIMENT_TRACKERS", "{wandb = false}", {"wandb": False}),
    ],
)
def test_a_variable_is_toml_or_text(layout: Layout, name: str, text: str, expected: object) -> None:
    layout.environ[f"ROAR_{name}"] = text
    assert layout.load().get(name.lower().replace("__", ".")) == expected


def test_a_wrong_variable_is_named(layout: Layout) -> None:
    layout.environ["ROAR_RUN__GRACE"] = "[1"
    assert layout.error() == (
        "environment ROAR_RUN__GRACE: run.grace: expected a number of seconds, got '[1'"
    )
    layout.environ = {"ROAR_HASH__WORKER": "1"}
    assert layout.error() == (
        "environment ROAR_HASH__WORKER: unknown setting hash.worker, did you mean hash.workers?"
    )


def test_variables_of_other_kinds_are_no_settings(layout: Layout) -> None:
    others = ["ROAR", "ROAR_NO_TELEMETRY", "ROAR__X", "ROAR___", "ROAR_", "ROAR_X__", "OTHER__X"]
    layout.environ |= dict.fromkeys(others, "1")
    assert layout.load().warnings == ()


def test_a_plugins_section_is_checked_like_ours(layout: Layout) -> None:
    layout.write("[tracer.preload]\nslots = 8\n")
    config = layout.load((PRELOAD,))
    assert config.section("tracer.preload") == {"slots": 8, "library": None}
    assert config.origin("tracer.preload.slots") == ".roar/config.toml"
    layout.write("[tracer.preload]\nslot = 8\n")
    with pytest.raises(ConfigError, match=r"unknown setting tracer\.preload\.slot, did you mean"):
        layout.load((PRELOAD,))


def test_the_section_of_a_plugin_not_in_use_is_kept_and_told(layout: Layout) -> None:
    layout.write("[tracer.ebpf]\nring = 8\n[swanlab]\ndepth = {a = 1}\n")
    layout.environ["ROAR_SWANLAB__DEPTH"] = "2"
    told = (
        ".roar/config.toml: [tracer.ebpf] belongs to no plugin in use",
        ".roar/config.toml: [swanlab] belongs to no plugin in use",
        "environment ROAR_SWANLAB__DEPTH: [swanlab] belongs to no plugin in use",
    )
    assert layout.load((PRELOAD,)).warnings == told
    assert layout.load().warnings[1:] == told[1:]


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        (ConfigSection("hash", ()), "it is, or looks like, roar's own [hash]"),
        (ConfigSection("filter", ()), "it is, or looks like, roar's own [filters]"),
        (ConfigSection("run.mine", ()), "it is, or looks like, roar's own [run]"),
        (ConfigSection("a b", ()), "'a b' is no name for a setting"),
        (ConfigSection("x", (ConfigKey("a.b", 1, ""),)), "'a.b' is no name for a setting"),
        (PRELOAD, "another plugin has one of that name"),
        (ConfigSection("x", (ConfigKey("a", None, ""),)), "a: 'NoneType' is no known kind"),
        (ConfigSection("x", (ConfigKey("a", 1, "", "colour"),)), "a: 'colour' is no known kind"),
        (ConfigSection("x", (ConfigKey("a", "b", "", choices=("c",)),)), "expected one of c"),
    ],
)
def test_a_plugins_unsound_section_is_left_out_and_told(
    layout: Layout, section: ConfigSection, reason: str
) -> None:
    config = layout.load((PRELOAD, section))
    assert reason in " ".join(config.warnings)
    assert config.get("tracer.preload.slots") == 65536


def test_an_unknown_name_is_answered_with_the_nearest(layout: Layout) -> None:
    with pytest.raises(ConfigError, match=r"no setting is called 'run\.grase', did you mean run"):
        layout.load().get("run.grase")


def test_every_setting_says_what_it_is_for_and_its_default_is_valid() -> None:
    for section in SECTIONS:
        assert section.help.endswith(".")
        for key in section.keys:
            assert key.help.endswith("."), key.name
            assert checked(key, plain(key.default)) == checked(key, key.default)


KEYS = [key for section in SECTIONS for key in section.keys]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3)
)


@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_is_refused_or_taken_once_and_for_all(key: ConfigKey, value: object) -> None:
    try:
        taken = checked(key, value)
    except ConfigError:
        return
    assert checked(key, plain(taken)) == taken


@given(key=st.sampled_from(KEYS), text=st.text(max_size=30))
def test_any_text_is_read(key: ConfigKey, text: str) -> None:
    from_text(key, text)


@given(key=st.sampled_from(KEYS), value=VALUES)
def test_what_is_shown_can_be_typed_again(key: ConfigKey, value: object) -> None:
    try:
        taken = checked(key, value)
    except ConfigError:
        return
    if not (isinstance(taken, str) and taken[:1] in {'"', "'"}):
        assert checked(key, from_text(key, shown(key, taken))) == taken


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("ROAR_RUN_TRACER", "ROAR_RUN__TRACER"),
        ("ROAR_TRACER_PRELOAD_SLOTS", "ROAR_TRACER__PRELOAD__SLOTS"),
        ("ROAR_FALLBACK", "ROAR_RUN__FALLBACK"),
        ("ROAR_TOKN", "ROAR_TOKEN"),
        ("ROAR_PRELOAD_FILE", "ROAR_PRELOAD_FILES"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_right_one(
    layout: Layout, variable: str, meant: str
) -> None:
    layout.environ[variable] = "x"
    section = attrs.evolve(PRELOAD, variables=("ROAR_PRELOAD_FILES",))
    told = f"{variable} does nothing, did you mean {meant}?"
    config = layout.load((section,))
    assert (config.mistakes, config.warnings) == ((told,), (told,))


def test_variables_of_roars_own_and_of_others_are_no_mistakes(layout: Layout) -> None:
    names = ("TOKEN", "SSH_KEY", "NO_TELEMETRY", "DEBUG", "TRACE", "PROJECT", "DATA_DIR", "")
    layout.environ |= {f"ROAR_{name}": "x" for name in names}
    assert layout.load().mistakes == ()


def test_a_section_that_is_nearly_a_plugins_is_a_mistake(layout: Layout) -> None:
    layout.write("[tracer.prelod]\nslots = 1\n")
    [told] = layout.load((PRELOAD,)).mistakes
    assert told.endswith(
        "[tracer.prelod] belongs to no plugin in use, did you mean [tracer.preload]?"
    )
