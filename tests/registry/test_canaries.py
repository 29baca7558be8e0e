"""No secret leaves, by any way: canaries in every field, and the bytes that arrived elsewhere."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from plugins.glaas.tests.conftest import Registry
from registrants import Person, somebody

from roar_core.cli.main import COMMANDS
from roar_core.testing.canaries import PLANTED, Wire, found_in, listening, plant
from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

FORMATS = ("json", "openlineage", "prov-json", "ro-crate", "slsa", "cyclonedx", "mermaid", "dot")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> ProjectUnderTest:
    """A project whose every field has a canary; tests do not change what is recorded."""
    folder = tmp_path_factory.mktemp("canaries")
    for name in ("project/.roar", "home"):
        (folder / name).mkdir(parents=True)
    project = ProjectUnderTest(
        folder / "project", folder / "home", InstalledPlugins(folder / "site")
    )
    plant(project)
    return project


@pytest.fixture(scope="module")
def registry(
    serve: Callable[[str, Path], AbstractContextManager[Registry]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Registry]:
    """A real one."""
    folder = tmp_path_factory.mktemp("registry")
    with serve(f"sqlite:///{folder / 'glaas.db'}", folder / "data") as found:
        yield found


@pytest.fixture(scope="module")
def wire(registry: Registry) -> Iterator[Wire]:
    """What listens between roar and the registry."""
    with listening(registry.url) as found:
        yield found


@pytest.fixture(scope="module")
def ada(registry: Registry) -> Person:
    return somebody(registry)


def told_to(wire: Wire, project: ProjectUnderTest, *words: str, token: str = "") -> bytes:
    """The bytes that arrived by a command; nobody's without a token."""
    before = len(wire.received)
    environ = {"ROAR_REGISTRY__URL": wire.url} | ({"ROAR_TOKEN": token} if token else {})
    done = project.roar(*words, environ=environ)
    assert done.exit_code == 0, done.stderr
    assert found_in(done.stdout.encode() + done.stderr.encode()) == []
    return b"\n".join(wire.received[before:])


def test_what_is_recorded_here_keeps_the_original(planted: ProjectUnderTest) -> None:
    """And so every canary was planted, which the other tests rest on."""
    connection = sqlite3.connect(planted.root / ".roar" / "roar.db")
    try:
        recorded = "\n".join(connection.iterdump()).encode("utf-8", "surrogateescape")
    finally:
        connection.close()
    assert set(PLANTED) - set(found_in(recorded)) <= {"canary20fake"}, "a commit's message is git's"


@pytest.mark.parametrize("format_", FORMATS)
def test_no_export_tells_a_secret(planted: ProjectUnderTest, tmp_path: Path, format_: str) -> None:
    target = tmp_path / "told"
    done = planted.roar("export", "--format", format_, "-o", str(target))
    assert done.exit_code == 0, done.stderr
    assert found_in(target.read_bytes() + done.stderr.encode()) == []
    assert "1 member of datasets" in done.stderr, "a name that cannot be masked is told"


def test_no_workflow_file_tells_a_secret(planted: ProjectUnderTest) -> None:
    done = planted.roar("workflow", "generate")
    assert done.exit_code == 0, done.stderr
    assert found_in(done.stdout.encode()) == []


def test_telemetry_tells_no_secret(planted: ProjectUnderTest) -> None:
    environ = {
        key: value
        for key, value in planted.environment().items()
        if key in ("HOME", "PATH", "PYTHONPATH")
    }
    own = planted.home / ".config" / "roar" / "global.toml"
    settings = own.read_text(encoding="utf-8")
    with listening() as wire:
        own.write_text(f'{settings}[telemetry]\nendpoint = "{wire.url}"\n', encoding="utf-8")
        run = [*planted.roar_argv, "run", "--", "true", "--password", PLANTED[1]]
        subprocess.run(run, cwd=planted.root, env=environ, check=True, timeout=60)
        # Nothing leaves before the line about it was seen, so that all of it leaves here.
        (planted.home / ".cache" / "roar" / "telemetry" / "disclosed").touch()
        uploader = [sys.executable, "-P", "-m", "roar_core.telemetry.uploader"]
        subprocess.run(uploader, env=environ, check=True, timeout=60)
    own.write_text(settings, encoding="utf-8")
    assert wire.received
    assert found_in(wire.everything) == []


def test_no_label_tells_a_secret(planted: ProjectUnderTest, wire: Wire, ada: Person) -> None:
    """Those that were set after their job was registered, and those set there."""
    registered = told_to(wire, planted, "register", "-y", "--private", token=ada.secret)
    assert found_in(registered) == []
    later = ("later.api_key=" + PLANTED[0], "later.note=password: " + PLANTED[1], "later.seen=yes")
    assert planted.roar("label", "set", "@1", *later).exit_code == 0
    for words in (("sync", "-y"), ("set", "--remote", "@1", *later, "later.x=y")):
        arrived = told_to(wire, planted, "label", *words, token=ada.secret)
        assert b"later" in arrived
        assert found_in(arrived) == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(words, id=" ".join(words[:2]))
        for words in (
            ("register", "-y", "--anonymous"),
            ("register", "-y", "--anonymous", "--absolute-paths", "model.bin"),
            ("put", "-y", "--anonymous", "model.bin", "STORE/"),
        )
        if words[0] in COMMANDS
    ],
)
def test_no_registry_is_told_a_secret(
    planted: ProjectUnderTest, wire: Wire, tmp_path: Path, words: tuple[str, ...]
) -> None:
    words = tuple(word.replace("STORE", str(tmp_path)) for word in words)
    assert found_in(told_to(wire, planted, *words)) == []


def test_a_package_tells_no_secret(planted: ProjectUnderTest, tmp_path: Path) -> None:
    target = tmp_path / "package.json"
    done = planted.roar("register", "--package", str(target))
    assert done.exit_code == 0, done.stderr
    assert found_in(target.read_bytes()) == []


def test_a_dry_run_lists_each_with_its_rule(planted: ProjectUnderTest) -> None:
    done = planted.roar("register", "--dry-run", "--show-masked", "--anonymous")
    assert done.exit_code == 0, done.stderr
    assert found_in(done.stdout.encode() + done.stderr.encode()) == []
    for rule in ("generic_password_arg", "openai_key", "database_url", "rule:ticket", "jwt"):
        assert rule in done.stdout
