"""Asking a real registry about what was recorded elsewhere, from several people's directories."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from tests.registry.registered import EXAMPLE, git, project_at, register_graph, serving_git

from roar_core.testing.projects import ProjectUnderTest, Result
from roar_glaas.storage.database import sqlite_address

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

    Serve = Callable[[str, Path], AbstractContextManager[Registry]]


@attrs.frozen
class World:
    """Ada has recorded the example and registered it; others ask."""

    registry: Registry
    folder: Path
    ada: ProjectUnderTest
    session: str
    jobs: dict[str, dict[str, Any]]
    hashes: dict[str, str]

    def somebody(self, name: str) -> ProjectUnderTest:
        return project_at(self.folder / name, self.registry)


@pytest.fixture(scope="module")
def world(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("resolving")
    with serve(sqlite_address(folder / "glaas.db"), folder / "data") as registry:
        ada = project_at(folder / "ada", registry)
        for name in ("generate.py", "combine.py"):
            shutil.copy(EXAMPLE / name, ada.root)
        git(ada.root, "init", "-q", "-b", "main")
        git(ada.root, "add", ".")
        git(ada.root, "commit", "-q", "-m", "example")
        with serving_git(ada.root, folder) as url:
            git(ada.root, "remote", "add", "origin", url)
            for number, name in ((1, "first"), (2, "second")):
                ada.run("python", "generate.py", str(number), f"{name}.bin")
            ada.run("python", "combine.py", "first.bin", "second.bin", "combined.bin")
            exported = ada.roar("export", "combined.bin", "--format", "json")
            graph = json.loads(exported.stdout)
            session = register_graph(registry, graph)
            hashes = {
                edge["path"]: edge["hash"] for job in graph["jobs"] for edge in job["outputs"]
            }
            jobs = {job["outputs"][0]["path"]: job for job in graph["jobs"]}
            yield World(registry, folder, ada, session, jobs, hashes)


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_show_tells_what_the_registry_knows_where_nothing_was_recorded(world: World) -> None:
    bob = world.somebody("bob-show")
    name = world.hashes["combined.bin"]
    artifact = told(bob.roar("show", name, "--remote", "--json"))
    (made,) = artifact["producers"]
    assert artifact["hash"] == name
    assert made["relative"] == "combined.bin"
    assert made["job"]["uid"] == world.jobs["combined.bin"]["uid"]
    assert made["job"]["origin"] == {"registry": world.registry.url, "session": world.session}
    assert not (bob.root / ".roar").exists()
    words = bob.roar("show", name, "--remote").stdout
    assert f"at {world.registry.url.removeprefix('http://')}" in words


@pytest.mark.parametrize("form", ["beginning", "uid", "job hash", "page"])
def test_a_reference_may_be_anything_that_names_it(world: World, form: str) -> None:
    bob = world.somebody(f"bob-{form.replace(' ', '-')}")
    job = world.jobs["combined.bin"]
    ref, kind = {
        "beginning": (world.hashes["combined.bin"].partition(":")[2][:10], "artifact"),
        "uid": (job["uid"], "job"),
        "job hash": (job["hash"], "job"),
        "page": (f"{world.registry.url}/dag/{world.session}", "log"),
    }[form]
    found = told(bob.roar("show", ref, "--remote", "--json"))
    assert found["type"] == kind
    if kind == "job":
        assert found["uid"] == job["uid"]
        assert found["command"] == job["command"]
        assert found["origin"]["session"] == world.session
    elif kind == "log":
        assert {one["uid"] for one in found["jobs"]} == {j["uid"] for j in world.jobs.values()}
