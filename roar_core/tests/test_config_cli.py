"""`roar config`, `filter`, `tracer`, `plugins` and `completion`, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import roar_core
from roar_core.testing.projects import ProjectUnderTest

SCHEMA = Path(roar_core.__file__).parent / "schemas" / "documents.json"

TRACER = """\
import attrs
from roar_core.hookspecs import Preflight, TracerAbilities, hookimpl

@attrs.define
class Sample:
    name: str
    priority: int
    result: object
    abilities: TracerAbilities = TracerAbilities(sees_static=False, cost="nothing")

    def preflight(self):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def launch(self, plan):
        raise NotImplementedError

@hookimpl
def roar_tracers():
    checks = (("kernel", True, "6.1"), ("library", False, ""))
    return [
        Sample("absent", -3, Preflight(False, "the library is missing", "make it", checks)),
        Sample("works", -2, Preflight(True)),
        Sample("raises", -1, ValueError("surprise")),
    ]
"""


@pytest.fixture
def traced(project: ProjectUnderTest) -> ProjectUnderTest:
    project.plugins("sample", TRACER, group="roar.tracers")
    return project


def test_set_get_and_unset_round_the_checkouts_own_file(project: ProjectUnderTest) -> None:
    done = project.roar("config", "set", "git.snapshot_max", "64 MiB")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "git.snapshot_max set in .roar/config.toml" in done.stderr
    assert project.read(".roar/config.toml") == '[git]\nsnapshot_max = "64 MiB"\n'
    assert project.roar("config", "get", "git.snapshot_max").stdout == "64 MiB\n"
    assert project.roar("config", "unset", "git.snapshot_max").exit_code == 0
    assert project.roar("config", "get", "git.snapshot_max").stdout == "10 MiB\n"
    assert project.roar("config", "unset", "git.snapshot_max").exit_code == 1


def test_a_list_takes_several_values_or_toml(project: ProjectUnderTest) -> None:
    for values in (["sha256", "md5"], ['["sha256", "md5"]']):
        assert project.roar("config", "set", "hash.algorithms", *values).exit_code == 0
        assert project.json("config", "get", "hash.algorithms")["value"] == ["sha256", "md5"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run.grace", "fast"], "run.grace: expected a number of seconds, got 'fast'"),
        (["run.grace", "1", "2"], "run.grace takes one value, 2 were given"),
        (["run.grase", "1"], "no setting is called 'run.grase', did you mean run.grace?"),
        (["hash.algorithms", "sha1"], "expected a list of sha256, sha512, md5, got ['sha1']"),
    ],
)
def test_what_cannot_be_set_is_one_sentence_and_writes_nothing(
    project: ProjectUnderTest, arguments: list[str], message: str
) -> None:
    done = project.roar("config", "set", *arguments)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (project.root / ".roar/config.toml").exists()


def test_setting_what_a_higher_layer_overrules_says_so(project: ProjectUnderTest) -> None:
    done = project.roar("config", "set", "run.grace", "1", environ={"ROAR_RUN__GRACE": "2"})
    assert "it does not hold here: environment ROAR_RUN__GRACE sets run.grace too" in done.stderr


def test_a_setting_for_all_projects_lies_in_the_users_own_file(project: ProjectUnderTest) -> None:
    assert project.roar("config", "set", "--global", "run.grace", "2").exit_code == 0
    file = project.home / ".config/roar/global.toml"
    assert file.read_text() == "[run]\ngrace = 2\n"
    assert project.json("config", "get", "run.grace")["origin"] == str(file)


def test_the_list_says_where_each_value_comes_from(project: ProjectUnderTest) -> None:
    project.write("roar.toml", "[hash]\nworkers = 3\n[absent]\nx = 1\n")
    done = project.roar("config", "list", "--origin")
    assert ["hash.workers", "roar.toml", "3"] in [line.split() for line in done.stdout.splitlines()]
    assert "roar.toml: [absent] belongs to no plugin in use" in done.stderr
    document = project.json("config", "list")
    assert (document["schema"], document["type"]) == (1, "config")
    [workers] = [s for s in document["settings"] if s["name"] == "hash.workers"]
    assert workers | {"help": ""} == {
        "name": "hash.workers",
        "value": 3,
        "origin": "roar.toml",
        "kind": "count",
        "default": 0,
        "help": "",
    }
    assert document["warnings"] == ["roar.toml: [absent] belongs to no plugin in use"]


def test_a_wrong_file_is_told_and_can_be_repaired_by_hand_or_unset(
    project: ProjectUnderTest,
) -> None:
    project.write(".roar/config.toml", "[run]\ngrace = 'fast'\n")
    done = project.roar("config", "list")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "roar: .roar/config.toml: run.grace: expected a number of seconds, got 'fast'\n"
    )
    assert project.roar("plugins").exit_code == 0
    assert project.roar("config", "unset", "run.grace").exit_code == 0
    assert project.roar("config", "list").exit_code == 0


def test_filters_are_added_listed_and_removed(project: ProjectUnderTest) -> None:
    project.write("roar.toml", "[filters]\nignore = ['from-the-team']\n")
    assert project.roar("filter", "add", "logs/**", "*.tmp").exit_code == 0
    assert project.json("filter", "list")["ignore"] == ["from-the-team", "logs/**", "*.tmp"]
    assert project.roar("filter", "remove", "logs/**").exit_code == 0
    assert project.json("filter", "list")["ignore"] == ["from-the-team", "*.tmp"]
    gone = project.roar("filter", "remove", "logs/**")
    assert gone.exit_code == 1
    assert "no such pattern: 'logs/**'" in gone.stderr
    assert "there already" in project.roar("filter", "add", "*.tmp").stderr
    assert project.roar("filter", "add", "").exit_code == 2


def test_the_tracer_table_says_what_works_and_which_one_auto_takes(
    traced: ProjectUnderTest,
) -> None:
    rows = [line.split() for line in traced.roar("tracer").stdout.splitlines()]
    assert rows[1][:8] == ["absent", "the", "library", "is", "missing", "all", "but", "static"]
    assert rows[2][:3] == ["*", "works", "usable"]
    document = traced.json("tracer")
    assert (document["type"], document["configured"], document["chosen"]) == (
        "tracers",
        "auto",
        "works",
    )
    by_name = {row["name"]: row for row in document["tracers"]}
    assert by_name["works"]["abilities"]["sees_static"] is False
    assert by_name["raises"]["usable"] is False
    assert "ValueError: surprise" in by_name["raises"]["reason"]


def test_a_check_shows_every_finding_and_the_remedy(traced: ProjectUnderTest) -> None:
    done = traced.roar("tracer", "check", "absent")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "absent: unusable",
        "  ok  kernel: 6.1",
        "  no  library",
        "  because the library is missing",
        "  remedy: make it",
    ]
    assert traced.roar("tracer", "check").exit_code == 0
    document = traced.json("tracer", "check", "works")
    assert document["type"] == "tracer_check"
    unknown = traced.roar("tracer", "check", "nope")
    assert unknown.exit_code == 1
    assert "no tracer is called 'nope'; installed: " in unknown.stderr


def test_a_tracer_is_chosen_by_name(traced: ProjectUnderTest) -> None:
    done = traced.roar("tracer", "use", "absent")
    assert done.exit_code == 0
    assert "absent does not work here now: the library is missing; make it" in done.stderr
    assert traced.json("tracer")["chosen"] is None
    assert traced.roar("tracer", "use", "nope").exit_code == 1
    assert traced.roar("tracer", "use", "auto").exit_code == 0
    assert traced.json("tracer")["configured"] == "auto"


def test_without_a_tracer_the_way_to_one_is_told(project: ProjectUnderTest) -> None:
    done = project.roar("tracer", environ={"ROAR_DISABLE_PLUGINS": "all"})
    assert done.stdout == ""
    assert "pip install ./plugins/tracer_preload" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "config list",
        "config get run.grace",
        "config get filters.source_suffixes",
        "filter list",
        "tracer",
        "tracer check works",
        "plugins",
    ],
)
def test_documents_are_as_the_schema_says(traced: ProjectUnderTest, command: str) -> None:
    traced.plugins("unimportable", "import no_such_thing", group="roar.analyzers")
    traced.write("roar.toml", "[absent]\nx = 1\n")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(traced.json(*command.split()))


def test_plugins_are_listed_for_people_and_programs(traced: ProjectUnderTest) -> None:
    traced.plugins("unimportable", "import no_such_thing", group="roar.analyzers")
    lines = traced.roar("plugins").stdout.splitlines()
    assert lines[0].split() == ["kind", "name", "distribution", "version", "state", "reason"]
    assert ["tracer", "sample", "sample", "1.0", "ok"] in [line.split() for line in lines]
    document = traced.json("plugins")
    assert (document["schema"], document["type"]) == (1, "plugins")
    [row] = [r for r in document["plugins"] if r["name"] == "unimportable"]
    assert row == {
        "kind": "analyzer",
        "name": "unimportable",
        "distribution": "unimportable",
        "version": "1.0",
        "state": "broken",
        "reason": "ModuleNotFoundError: No module named 'no_such_thing'",
    }


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_names_the_variable_roar_answers_to(
    project: ProjectUnderTest, shell: str
) -> None:
    done = project.roar("completion", shell)
    assert done.exit_code == 0
    assert f"_ROAR_COMPLETE={shell}_complete" in done.stdout


def test_bash_completes_a_command_by_the_script(project: ProjectUnderTest) -> None:
    script = project.write("roar.bash", project.roar("completion", "bash").stdout)
    program = (
        f"source {script}; COMP_WORDS=(roar conf); COMP_CWORD=1;"
        " _roar_completion roar; echo ${COMPREPLY[@]}"
    )
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", program],
        cwd=project.root,
        env={"PATH": path, "HOME": str(project.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "config\n", done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "config",
        "config list",
        "config get",
        "config set",
        "config unset",
        "filter",
        "filter list",
        "filter add",
        "filter remove",
        "tracer",
        "tracer use",
        "tracer check",
        "plugins",
        "completion",
    ],
)
def test_every_help_has_an_example(project: ProjectUnderTest, command: str) -> None:
    done = project.roar(*command.split(), "--help")
    assert done.exit_code == 0
    assert "Example: " in done.stdout
