"""From `roar register` to what `roar show` says of the log; what becomes of a log that forks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from machines import edge, new_machine, record, record_work
from registrants import somebody

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


def test_what_is_registered_is_shown_with_its_place_in_the_log(
    registry: Registry, tmp_path: Path
) -> None:
    machine = new_machine(tmp_path / "one", registry.url, ROAR_TOKEN=somebody(registry).secret)
    record_work(machine)
    assert machine.roar("show", "@1", "--json").document["registrations"] == []
    done = machine.roar("register", "-y", "@2", "--json").document
    (place,) = machine.roar("show", "@2", "--json").document["registrations"]
    first = done["sessions"][0]["log_index"]
    assert place["log_index"] == first + 2  # the session's own record, and that of @1, are before
    assert place["session_hash"] == done["sessions"][0]["hash"]
    assert place["visibility"] == "private"
    assert place["log_size"] > place["log_index"]
    assert f"in the log at #{place['log_index']}" in machine.roar("show", "@2").stdout
    # Of bytes, what made them: model.bin is of @2.
    name = machine.roar("show", "@2", "--json").document["outputs"][0]["hash"]
    assert machine.roar("show", name, "--json").document["registrations"] == [place]
    assert registry.url in machine.roar("show", name).stdout
    told = machine.roar("register", "-y").stderr
    assert "holds 1 job at #" in told
    assert "continues the one seen before" in told
    verified = machine.roar("registry", "verify", "--json").document
    assert verified["ok"]
    assert sum(len(one["jobs"]) for one in verified["sessions"]) == 3
    # Outside of a project the log itself is looked at.
    (tmp_path / "one" / "project" / ".roar").rename(tmp_path / "aside")
    assert "is signed and continues" in machine.roar("registry", "verify").stdout


def test_a_registry_whose_log_is_another_is_refused_until_it_is_forgotten(
    registry: Registry,
    elsewhere: str,
    serve: Callable[[str, Path], AbstractContextManager[Registry]],
    tmp_path: Path,
) -> None:
    machine = new_machine(tmp_path / "one", registry.url)
    record_work(machine)
    assert registry.glaas("backup", tmp_path / "backup").returncode == 0
    machine.roar("register", "-y", "@1")
    state = machine.root / "home/.local/state/roar/registries"
    (before,) = state.glob("*.json")
    kept = before.read_text()
    place = ("--data", str(tmp_path / "fork"), "--database", elsewhere)
    restore = [sys.executable, "-m", "roar_glaas.cli", "restore", str(tmp_path / "backup"), *place]
    subprocess.run(restore, check=True, capture_output=True)
    with serve(elsewhere, tmp_path / "fork") as fork:
        other = new_machine(tmp_path / "other", fork.url)
        record_work(other)
        assert other.roar("register", "-y").exit_code == 0
        (seen,) = (other.root / "home/.local/state/roar/registries").glob("*.json")
        seen.write_text(kept)  # as if both were at one address
        project = other.project
        record(other, "more", writes=(edge(project, "more", b"more"),))
        refused = other.roar("register", "-y")
        assert refused.exit_code == 1
        assert "does not continue the one of before" in refused.stderr
        assert "roar registry forget" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert seen.read_text() == kept
        told = other.roar("show", "--json").document["registrations"]
        assert [one["log_index"] for one in told] == [None]
        assert "not proven" in other.roar("show").stdout
        found = other.roar("registry", "verify", "--json")
        assert found.exit_code == 1
        assert "does not continue" in found.stdout
        assert other.roar("registry", "forget").exit_code == 1
        assert other.roar("registry", "forget", "-y").exit_code == 0
        assert other.roar("registry", "verify").exit_code == 0
        (one,) = other.roar("show", "--json").document["registrations"]
        assert one["log_index"] is not None
