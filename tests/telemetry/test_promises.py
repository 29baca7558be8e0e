"""What docs/telemetry.md promises, sentence by sentence: what is counted, what never is, when."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roar_core import __version__
from roar_core.telemetry import payload, stats
from roar_core.telemetry.milestones import Use, reached
from roar_core.testing.projects import InstalledPlugins

if TYPE_CHECKING:
    from tests.telemetry.conftest import Machine


ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/telemetry.md").read_text(encoding="utf-8")
PREVIEW_AND_IDS = {"event_id", "trigger", "trigger_ts", "sequence"}


# --- what is collected ---------------------------------------------------------------------------


def test_the_payload_has_exactly_the_promised_top_level_fields(machine: Machine) -> None:
    machine.ok("init")
    assert set(machine.queued()[0]) == set(payload.TOP_LEVEL_FIELDS)
    in_page = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## When")[0], re.M)
    assert set(in_page) == set(payload.TOP_LEVEL_FIELDS)


def test_ids_are_random_and_the_sequence_only_grows(machine: Machine, tmp_path: Path) -> None:
    machine.ok("init")
    machine.ok("reset")
    events = machine.queued()
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert len({event["event_id"] for event in events}) == 3
    assert len({event["install_id"] for event in events}) == 1
    elsewhere = machine.environ | {"XDG_CACHE_HOME": str(tmp_path / "elsewhere")}
    machine.ok("init", **elsewhere)
    other = json.loads((tmp_path / "elsewhere/roar/telemetry/stats.json").read_text())
    assert other["install_id"] != events[0]["install_id"], "the same user on the same machine"


def test_times_versions_and_schema_versions_are_what_they_say(machine: Machine) -> None:
    machine.ok("status")
    event = machine.queued()[0]
    assert event["version"] == __version__
    assert (event["payload_schema_version"], event["stats_schema_version"]) == (1, 1)
    assert event["first_seen"] == event["trigger_ts"] == event["counters_as_of"]
    machine.ok("plugins")
    assert machine.stats["counters_as_of"] == event["counters_as_of"]
    machine.ok("init")
    later = machine.queued()[1]
    assert later["first_seen"] == event["first_seen"] < later["trigger_ts"]


def test_platform_is_a_class_of_system_and_an_architecture(machine: Machine) -> None:
    machine.ok("status")
    machines = {"x86_64": "x86_64", "aarch64": "arm64"}
    assert machine.queued()[0]["platform"] == {"os": "linux", "arch": machines[os.uname().machine]}


def test_only_allowed_subcommands_are_counted(machine: Machine) -> None:
    for words in (["status"], ["log"], ["status"], ["plugins"], ["tracer"], ["config", "list"]):
        machine.ok(*words)
    machine.roar("no-such-command")
    machine.ok("status", "--help")
    machine.roar("log", "--no-such-option")
    assert machine.stats["subcommand_counts"] == {"log": 1, "status": 2}


def test_outcomes_of_runs_are_counted(machine: Machine) -> None:
    machine.ok("run", "true")
    machine.roar("run", "false")
    machine.roar("run", "no-such-program-anywhere")
    machine.roar("run", "--tracer", "nonesuch", "true")
    machine.roar("run", "sh", "-c", "kill -INT $$")
    machine.ok("build", "true")
    assert machine.stats["subcommand_counts"] == {
        "build": 1,
        "run": 5,
        "run_success": 1,
        "run_failed_user_exit": 2,
        "run_failed_tracer_setup": 1,
        "run_failed_interrupted": 1,
    }


def test_a_refusal_for_uncommitted_changes_is_counted_as_such(machine: Machine) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (machine.project / "a.py").write_text("1\n")
    for words in (["init", "-q"], ["add", "a.py"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], cwd=machine.project, env=machine.environ, check=True)
    (machine.project / "a.py").write_text("2\n")
    assert machine.roar("run", "--dirty", "refuse", "true").returncode == 125
    assert machine.stats["subcommand_counts"] == {"run": 1, "run_failed_dirty": 1}


def test_the_tracer_that_ended_up_active_is_counted(machine: Machine) -> None:
    for tracer in ("preload", "ptrace"):
        machine.ok("run", "--tracer", tracer, "true")
    assert machine.stats["tracer_selections"] == {"preload": 1, "ptrace": 1}


@pytest.mark.parametrize("name", ["acme", "native"])
def test_a_third_partys_tracer_counts_as_unknown(
    machine: Machine, tmp_path: Path, name: str
) -> None:
    site = tmp_path / "site"
    InstalledPlugins(site)("acme-tracer", STRANGERS_TRACER.format(name=name), group="roar.tracers")
    machine.ok("run", "--tracer", name, "true", PYTHONPATH=str(site))
    assert machine.stats["tracer_selections"] == {"unknown": 1}


def test_capabilities_are_booleans_from_plugins_on_an_allowlist(
    machine: Machine, tmp_path: Path
) -> None:
    code = (
        "from roar_core.hookspecs import hookimpl\n\n"
        "@hookimpl\ndef roar_backends(config):\n    return []\n\n"
        "@hookimpl\ndef roar_capabilities():\n"
    )
    site = tmp_path / "site"
    InstalledPlugins(site)(
        "acme", code + "    return {'ray': True, 'acme': True, 'osmo': 'x'}", group="roar.backends"
    )
    machine.ok("run", "true", PYTHONPATH=str(site))
    found = machine.queued()[0]["feature_capabilities"]
    assert found["ray"] is True
    assert found["blake3"] is True
    assert found["preload"] is True
    assert found.keys() <= payload.CAPABILITIES


# --- what is not collected -----------------------------------------------------------------------

CANARY = st.text("abcdefghjkmnpqrtuvwxyz", min_size=9, max_size=14)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=st.lists(CANARY, min_size=6, max_size=6, unique=True))
def test_no_word_of_yours_is_in_a_payload(machine: Machine, words: list[str]) -> None:
    command, variable, folder, branch, remote, label = words
    project = machine.project / folder
    (project / ".roar").mkdir(parents=True, exist_ok=True)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for line in (
        ["init", "-q", "-b", branch],
        ["commit", "-q", "--allow-empty", "-m", label],
        ["remote", "add", "origin", f"https://{remote}.example/{remote}"],
    ):
        subprocess.run([*git, *line], cwd=project, env=machine.environ, check=True)
    (project / f"{folder}.py").write_text(f"print('{command}')\n")
    there = at(machine, project)
    environ = {variable.upper(): variable}
    there.ok("run", "-n", label, "python3", f"{folder}.py", command, **environ)
    there.ok("reset", **environ)
    kept = b"".join(path.read_bytes() for path in machine.folder.rglob("*") if path.is_file())
    kept += there.ok("telemetry", "--print", **environ).encode()
    told = [*words, socket.gethostname(), *map(str.upper, words), str(machine.home)]
    assert [word for word in told if word.encode() in kept] == []


def at(machine: Machine, project: Path) -> Machine:
    return type(machine)(machine.home, project, machine.environ)


FORM = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@given(field=st.sampled_from(payload.TOP_LEVEL_FIELDS) | st.text(max_size=12), value=FORM)
def test_the_allowlist_has_no_exception_path(field: str, value: object) -> None:
    now = "2026-01-01T00:00:00.000000Z"
    counted = stats.Stats()
    counted.first_seen = now
    event = payload.build(
        counted, trigger="init", event_id=stats.random_uuid(), now=now, version=__version__
    )
    assert payload.is_sendable(payload.encode(event))
    changed = payload.encode(event | {field: value})
    if payload.is_sendable(changed):
        strings = re.findall(rb'"([^"]*)"', changed)
        allowed = (payload.UUID, payload.TIMESTAMP, payload.VERSION)
        names = {*payload.TOP_LEVEL_FIELDS, *stats.COUNTERS, *stats.TRACERS, *payload.CAPABILITIES}
        names |= {*payload.UPLOAD_TRIGGERS, "os", "arch", *payload.SYSTEMS, *payload.ARCHITECTURES}
        for text in (string.decode() for string in strings):
            assert text in names or any(re.fullmatch(form, text) for form in allowed), text


@given(FORM)
def test_whatever_stats_json_holds_only_allowed_names_are_read(stated: object) -> None:
    for given_stats in (stated, {"subcommand_counts": stated, "versions": stated}):
        counted = stats.Stats(given_stats)
        assert counted.subcommand_counts.keys() <= stats.COUNTERS
        assert re.fullmatch(payload.UUID, counted.install_id) or not counted.is_new


# --- when telemetry uploads ----------------------------------------------------------------------


def test_milestones_fire_once_and_then_there_is_silence(machine: Machine) -> None:
    for _ in range(5):
        machine.ok("run", "true")
        machine.ok("status")
    assert machine.triggers() == [
        "first_seen_for_install_id",
        "first_successful_roar_run",
        "second_successful_roar_run",
        "third_successful_roar_run",
    ]


def test_a_failed_run_is_no_milestone(machine: Machine) -> None:
    machine.roar("run", "false")
    assert machine.triggers() == ["first_seen_for_install_id"]


def test_a_new_version_is_a_milestone_once(machine: Machine) -> None:
    machine.ok("status")
    told = machine.stats | {"versions": ["0.0.1"]}
    (machine.folder / "stats.json").write_text(json.dumps(told))
    machine.ok("status")
    machine.ok("status")
    assert machine.triggers() == ["first_seen_for_install_id", "first_seen_for_version"]


def test_init_and_reset_are_milestones_when_they_succeed(machine: Machine) -> None:
    machine.ok("init")
    machine.ok("reset")
    assert machine.roar("init", "--path", "/nowhere/at/all").returncode != 0
    assert machine.triggers() == ["first_seen_for_install_id", "init", "reset"]


@pytest.mark.parametrize("is_dry_run", [False, True])
def test_register_is_a_milestone_unless_it_is_a_dry_run(is_dry_run: bool) -> None:
    known = stats.Stats({"install_id": stats.random_uuid(), "versions": [__version__]})
    use = Use("register", succeeded=True, is_dry_run=is_dry_run)
    assert reached(known, use, __version__) == ([] if is_dry_run else ["register"])


def test_the_page_lists_every_trigger_counter_and_tracer() -> None:
    for name in (*payload.UPLOAD_TRIGGERS, *stats.COUNTERS, *stats.TRACERS, *payload.CAPABILITIES):
        assert f"`{name}`" in PAGE, name
    assert payload.PREVIEW not in payload.UPLOAD_TRIGGERS


# --- where state lives on disk, and inspecting it ------------------------------------------------


def test_state_lives_where_the_page_says_and_can_be_deleted_by_hand(machine: Machine) -> None:
    machine.ok("init")
    assert (machine.folder / "stats.json").is_file()
    assert len(list((machine.folder / "queue").glob("*.json"))) == 2
    assert stat.S_IMODE(machine.folder.stat().st_mode) == 0o700
    for path in machine.folder.rglob("*"):
        assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert path.is_dir() or path.unlink() is None
    machine.ok("status")
    assert machine.triggers() == ["first_seen_for_install_id"]


def test_print_is_the_payload_builders_own_bytes_and_queues_nothing(machine: Machine) -> None:
    machine.ok("run", "true")
    before = machine.stats, machine.triggers()
    printed = machine.ok("telemetry", "--print")
    event = json.loads(printed)
    assert printed.encode() == payload.encode(event)
    assert event["trigger"] == "preview"
    queued = machine.queued()[-1]
    for field in set(payload.TOP_LEVEL_FIELDS) - PREVIEW_AND_IDS:
        assert event[field] == queued[field], field
    assert (machine.stats, machine.triggers()) == before
    assert not payload.is_sendable(printed.strip().encode())


STRANGERS_TRACER = """
from roar_core.hookspecs import hookimpl
from roar_tracer_preload import PreloadTracer

@hookimpl
def roar_tracers():
    return [PreloadTracer(name="{name}")]
"""
