"""Asking a real registry about what was recorded elsewhere, from several people's directories."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from lineages import make_private
from tests.registry.registered import EXAMPLE, git, project_at, register_graph, serving_git

from roar_core.errors import UnregisteredError
from roar_core.registry.address import Address
from roar_core.registry.connection import Connection
from roar_core.registry.resolving.asking import ask
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


def test_lineage_goes_on_where_what_was_recorded_here_ends(world: World) -> None:
    bob = world.somebody("bob-merge")
    shutil.copy(world.ada.root / "combined.bin", bob.root / "got.bin")
    bob.run("python", "-c", "open('out.bin','wb').write(open('got.bin','rb').read()[::-1])")
    database = (bob.root / ".roar/roar.db").read_bytes()
    alone = told(bob.roar("lineage", "out.bin", "--json"))
    assert len(alone["jobs"]) == 1
    merged = told(bob.roar("lineage", "out.bin", "--remote", "--json"))
    origins = {job["uid"]: job["origin"] for job in merged["jobs"]}
    assert [origin for origin in origins.values() if origin is None] == [None]
    assert {job["uid"] for job in world.jobs.values()} < origins.keys()
    words = bob.roar("lineage", "out.bin", "--remote").stdout.splitlines()
    assert words[1].strip().startswith("✓ @1")
    assert f"at {world.registry.url.removeprefix('http://')}" in words[2]
    tied = told(bob.roar("why", world.hashes["first.bin"], "out.bin", "--remote", "--json"))
    assert [step["job"]["origin"] is None for step in tied["steps"]] == [False, True]
    assert (bob.root / ".roar/roar.db").read_bytes() == database
    with_wal = bob.root / ".roar/roar.db-wal"
    assert not with_wal.exists() or not with_wal.stat().st_size


def test_the_graph_goes_on_there_and_each_node_says_where_it_is_known_from(world: World) -> None:
    bob = world.somebody("bob-draws")
    shutil.copy(world.ada.root / "combined.bin", bob.root / "got.bin")
    bob.run("python", "-c", "open('out.bin','wb').write(open('got.bin','rb').read()[::-1])")
    host = f"at {world.registry.url.removeprefix('http://')}"
    drawn = bob.roar("dag", "--remote").stdout.splitlines()
    assert [host in line for line in drawn] == [True, True, True, False]
    combined = world.jobs["combined.bin"]["uid"]
    assert drawn[2].split()[1] == combined[:8]
    assert drawn[3].split("←")[1].strip() == combined[:8]
    assert host not in bob.roar("dag").stdout
    graph = told(bob.roar("dag", "--remote", "--show-artifacts", "--json"))
    origins = [step["origin"] and step["origin"]["session"] for step in graph["steps"]]
    assert origins == [world.session] * 3 + [None]
    assert graph["steps"][2]["outputs"][0]["relative"] == "combined.bin"
    ties = {(edge["from"], edge["to"]) for edge in graph["edges"]}
    assert (combined, "@1") in ties
    assert (world.jobs["first.bin"]["uid"], combined) in ties
    assert host in bob.roar("dag", "--remote", "--dot", "--show-artifacts").stdout
    assert bob.roar("dag", "--remote", "--html", "dag.html").exit_code == 0
    assert "told by" in (bob.root / "dag.html").read_text()


def test_the_graph_of_a_session_that_a_registry_has(world: World) -> None:
    bob = world.somebody("bob-looks-at-a-session")
    refused = bob.roar("dag", "--session", world.session)
    assert refused.exit_code == 1
    for ref in (world.session, f"{world.registry.url}/dag/{world.session}"):
        graph = told(bob.roar("dag", "--session", ref, "--remote", "--json"))
        assert [step["step"] for step in graph["steps"]] == ["@1", "@2", "@3"]
        assert {edge["from"] for edge in graph["edges"]} == {"@1", "@2"}
    for wrong in ("0", "second", "0x1"):
        assert "neither a number nor" in bob.roar("dag", "--session", wrong).stderr
    assert "files here" in bob.roar("dag", "--stale-only", "--remote").stderr


def test_impact_and_inputs_and_diff_ask_too(world: World) -> None:
    bob = world.somebody("bob-asks")
    impact = told(bob.roar("impact", world.hashes["first.bin"], "--remote", "--json"))
    assert [job["uid"] for job in impact["jobs"]] == [world.jobs["combined.bin"]["uid"]]
    made = told(bob.roar("inputs", world.hashes["combined.bin"], "--all", "--remote", "--json"))
    assert {one["hash"] for one in made["inputs"]} == {
        world.hashes["first.bin"],
        world.hashes["second.bin"],
    }
    refs = (world.hashes["first.bin"], world.hashes["second.bin"])
    diff = told(bob.roar("diff", *refs, "--remote", "--json"))
    assert diff["type"] == "diff"
    assert "1" in json.dumps(diff["changes"])


def test_look_up_asks_only_where_nothing_here_answers(world: World) -> None:
    bob = world.somebody("bob-looks")
    bob.run("python", "-c", "open('own.bin','w').write('own')")
    name = world.hashes["combined.bin"]
    refused = bob.roar("show", name)
    assert refused.exit_code == 1
    bob.environ["ROAR_REGISTRY__LOOKUP"] = "true"
    found = bob.roar("show", name, "--json")
    assert told(found)["hash"] == name
    assert f"nothing here answers to {name!r}, so {world.registry.url} is asked" in found.stderr
    here = bob.roar("show", "own.bin")
    assert here.exit_code == 0
    assert "asked" not in here.stderr
    unknown = bob.roar("show", "0123456789abcdef")
    assert unknown.exit_code == 1
    assert "neither here nor at" in unknown.stderr


def test_a_registry_that_is_down_costs_a_sentence(world: World) -> None:
    bob = world.somebody("bob-down")
    bob.run("python", "-c", "open('own.bin','w').write('own')")
    bob.environ |= {"ROAR_REGISTRY__LOOKUP": "true", "ROAR_REGISTRY__URL": "http://127.0.0.1:9"}
    before = bob.roar("show", "0123456789abcdef", environ={"ROAR_REGISTRY__LOOKUP": "false"})
    after = bob.roar("show", "0123456789abcdef")
    assert (before.exit_code, after.exit_code) == (1, 1)
    said = after.stderr.splitlines()
    assert "cannot be reached" in said[1]
    told = [f"{line}; a registry is asked with --remote" for line in said[2:]]
    assert told == before.stderr.splitlines()
    shown = bob.roar("show", "own.bin", "--remote")
    assert shown.exit_code == 0
    assert "cannot be reached" in shown.stderr
    assert shown.stdout == bob.roar("show", "own.bin").stdout


def test_a_page_of_another_registry_is_not_asked(world: World) -> None:
    bob = world.somebody("bob-elsewhere")
    page = f"https://registry.example/dag/{world.session}"
    refused = bob.roar("show", page, "--remote")
    assert refused.exit_code == 1
    assert "is no page of" in refused.stderr


def test_reproduce_from_the_hash_alone(world: World) -> None:
    bob = world.somebody("bob-reproduces")
    name = world.hashes["combined.bin"]
    planned = bob.roar("reproduce", name)
    assert planned.exit_code == 0, planned.stderr
    assert "nothing is recorded here" in planned.stderr
    assert f"not recorded here: session {world.session} at {world.registry.url}" in planned.stdout
    assert "python combine.py first.bin second.bin combined.bin" in planned.stdout
    unasked = bob.roar("reproduce", name, "--run")
    assert unasked.exit_code == 3
    assert "no terminal to ask on" in unasked.stderr
    assert list(bob.root.iterdir()) == []
    made = bob.roar("reproduce", name, "--run", "-y", "--json")
    assert made.exit_code == 0, made.stderr
    done = json.loads(made.stdout)
    assert [step["same_hash"] for step in done["steps"]] == [True] * 3
    assert done["told_by"]
    result = bob.root / f"reproduced-{name.partition(':')[2][:8]}" / "combined.bin"
    assert result.read_bytes() == (world.ada.root / "combined.bin").read_bytes()


DATA, RESULT = "d1" * 32, "d2" * 32


@pytest.fixture(scope="module")
def stock(world: World) -> str:
    """A job as another client registers it: absolute paths, and nothing of ours in its metadata."""
    commit = git(world.ada.root, "rev-parse", "HEAD")
    remote = git(world.ada.root, "remote", "get-url", "origin")
    words = ["python", "/home/eve/work/combine.py", "/home/eve/work/data.bin", "result.bin"]
    metadata = {
        "cwd": "/home/eve/work",
        "packages": {"pip": {"numpy": "2.0.0"}},
        "runtime": {"command": words, "os": {"system": "Linux", "release": "6.1"}},
        "git": {"commit": commit, "branch": "main", "remote_url": remote, "clean": True},
    }
    opened = world.registry.open()
    uid = "e5" * 16
    job = {"command": " ".join(words), "timestamp": 1.7e9, "job_uid": uid, "step_number": 4}
    job |= {"exit_code": 0, "duration_seconds": 2.0, "git_commit": commit}
    opened.post("jobs/batch", {"jobs": [job | {"metadata": json.dumps(metadata)}]})
    said = {"hashes": [{"algorithm": "blake3", "digest": DATA}], "size": 5}
    said |= {"source_type": "https", "source_url": "https://data.example/data.bin"}
    opened.post("artifacts/batch", {"artifacts": [said]})
    for side, digest, name in (("inputs", DATA, "data.bin"), ("outputs", RESULT, "result.bin")):
        link = {"hash": digest, "path": f"/home/eve/work/{name}", "size": 5}
        opened.post(f"jobs/{uid}/{side}", {"artifacts": [link]})
    opened.post("finalize", {"git_repo": remote, "git_commit": commit})
    return uid


def test_what_another_client_registered_reads_as_in_a_project(world: World, stock: str) -> None:
    bob = world.somebody("bob-stock")
    job = told(bob.roar("show", stock, "--remote", "--json"))
    assert job["step"] == "@4"
    assert job["command"] == ["python", "combine.py", "data.bin", "result.bin"]
    assert [edge["relative"] for edge in job["inputs"]] == ["data.bin"]
    assert [edge["relative"] for edge in job["outputs"]] == ["result.bin"]
    assert job["packages"]["python"] == {"numpy": "2.0.0"}


def test_what_nobody_made_is_said_with_where_it_came_from(world: World, stock: str) -> None:
    bob = world.somebody("bob-lacks")
    refused = bob.roar("reproduce", DATA, "--remote")
    assert refused.exit_code == 3
    assert "it was fetched from https://data.example/data.bin" in refused.stderr
    words = ("reproduce", RESULT, "--remote", "--run", "-y", "--keep-going")
    lacking = bob.roar(*words)
    assert lacking.exit_code == 3, lacking.stderr
    assert "they were fetched from https://data.example/data.bin" in lacking.stderr


class Old(Connection):
    """A connection to a registry that knows the protocol and nothing of ours."""

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        if path.startswith("graph/"):
            raise UnregisteredError("there is nothing at this address", 404)
        return super().get(path, params)


def test_a_registry_that_knows_the_protocol_alone_is_asked_piece_by_piece(world: World) -> None:
    name = world.hashes["combined.bin"].partition(":")[2]
    address = Address(world.registry.url, is_loopback=True, is_users_choice=True)
    with Connection(address) as plain, Old(address) as old:
        for asked, direction in ((name, "upstream"), (world.session, "near"), (name, "near")):
            whole = ask(plain, [asked], direction)
            pieces = ask(old, [asked], direction)
            assert pieces.named == whole.named
            if direction == "upstream" or asked != name:
                assert pieces.jobs == whole.jobs
            assert pieces.artifacts.keys() <= whole.artifacts.keys()
        assert ask(old, ["0" * 64, "word"], "near").named == {"0" * 64: [], "word": []}
        readers = ask(old, [world.hashes["first.bin"].partition(":")[2]], "downstream")
        assert readers.jobs.keys() == {world.jobs["combined.bin"]["uid"]}
        assert not readers.is_whole


def test_what_is_registered_and_not_to_be_seen_is_not_shown_as_empty(world: World) -> None:
    bob = world.somebody("bob-unseen")
    hidden = world.registry.register(output="77" * 32, uid="77" * 16)
    make_private(world.registry.database_url, hidden)
    refused = bob.roar("show", "77" * 32, "--remote")
    assert refused.exit_code == 1
    assert "shows you nothing of it" in refused.stderr
