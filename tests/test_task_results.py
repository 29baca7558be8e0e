"""What tasks of a backend got of each other is told by every command that tells of lineage."""

from __future__ import annotations

import json

import pytest

from roar_core.testing.projects import ProjectUnderTest

# Two tasks load, one of them on another node's disk and at its second attempt; one trains; the
# platform keeps an actor of its own; of one task nothing but the specification is known.
BACKEND = """
from blake3 import blake3
from roar_core.hookspecs import hookimpl
from roar_core.model.fragment import TaskCoverage, TaskFile, TaskFragment

def file(path, node=""):
    return TaskFile(path, 4, {"blake3": blake3(path.encode()).hexdigest()}, node=node)

class Cluster:
    name, priority, collect_every_s = "cluster", 50, 0.0
    def detect(self, argv, environ, cwd): return None
    def plan(self, run, environ): return None
    def adopt(self, run, environ): return {"CLUSTER": str(run.folder / "ran")}
    def claims(self, run, path): return path.name == "ran"
    def collect(self, run):
        if not (run.folder / "ran").exists():
            return
        at = (run.folder / "ran").stat().st_mtime_ns
        yield TaskFragment("t", "train", "succeeded", at + 3, written=(file(f"{run.cwd}/model"),),
                           needs=("l1", "l2", "gone"), tracer="python", where="b", group="rank 0")
        yield TaskFragment("l1", "load", "succeeded", at, tracer="preload", where="a",
                           read=(file(f"{run.cwd}/data"),))
        yield TaskFragment("l2", "load", "interrupted", at, where="b")
        yield TaskFragment("l2", "load", "succeeded", at + 1, 2, tracer="preload", where="b",
                           read=(file("/srv/x", "b"), TaskFile("/srv/empty", 0, node="b")))
        yield TaskFragment("s", "_Stats", "succeeded", at, role="infrastructure")
        yield TaskFragment("d", "ship", "succeeded", at + 4, declared=True,
                           read=(TaskFile(f"{run.cwd}/model", 0),))
    def coverage(self, run): return TaskCoverage(None, needs=("t",))
    def finalise(self, run): pass

@hookimpl
def roar_backends(config):
    return [Cluster()]
"""


@pytest.fixture
def cluster(project: ProjectUnderTest) -> ProjectUnderTest:
    project.plugins("cluster", BACKEND, group="roar.backends")
    project.run("sh", "-c", 'test -z "$CLUSTER" || touch "$CLUSTER"')
    return project


def test_a_run_tells_of_its_tasks_by_name(cluster: ProjectUnderTest) -> None:
    text = cluster.roar("show", "@1").stdout
    assert "of train ×1, without a file" in text
    heading = "tasks  4  4 files read, 1 written\n"
    assert heading in text
    lines = [line.strip() for line in text.partition(heading)[2].splitlines()]
    assert lines == [
        "✓ load ×2  2 succeeded  3 attempts: 1 interrupted",
        "✓ train ×1  1 succeeded  rank 0  python only",
        "✓ ship ×1  1 succeeded  declared",
        "… and 1 task of the platform itself: --expanded",
    ]
    assert [line.strip() for line in cluster.roar("dag").stdout.splitlines()[1:]] == lines
    assert "tasks of cluster not reported whose results were used" in text
    expanded = cluster.roar("show", "@1", "--expanded").stdout
    assert "l2  attempt 2 on b  " in expanded
    assert "_Stats ×1" in expanded
    assert "t  attempt 1 on b  python only" in cluster.roar("dag", "--expanded").stdout
    document = cluster.json("show", "@1")
    assert [need["task"] for need in document["needs"]] == ["t"]
    assert [r["code"] for r in document["coverage"]["reasons"]] == ["results"]
    [ship] = [g for g in document["tasks"] if g["name"] == "ship"]
    assert ship["declared"] == 1
    declared = cluster.json("show", ship["jobs"][0]["uid"])
    assert declared["task"]["declared"] is True
    assert [reason["code"] for reason in declared["coverage"]["reasons"]] == ["declared"]
    assert "declared, not observed" in cluster.roar("show", declared["uid"]).stdout


def test_a_model_came_of_what_other_tasks_read(cluster: ProjectUnderTest) -> None:
    [train] = [g for g in cluster.json("show", "@1")["tasks"] if g["name"] == "train"]
    uid = train["jobs"][0]["uid"]
    inputs = {used["path"]: used for used in cluster.json("inputs", uid)["inputs"]}
    assert set(inputs) == {f"{cluster.root}/data", "file://b/srv/x", "file://b/srv/empty"}
    links = cluster.json("lineage", uid)["links"]
    assert sum(link["result"] for link in links) == 3  # two of load, and what the driver got
    why = cluster.json("why", f"{inputs[f'{cluster.root}/data']['jobs'][0]}", uid)
    assert [step["result"] for step in why["steps"]] == [False, True]
    assert "2 results" in cluster.roar("dag", "--mermaid").stdout
    drawn = cluster.roar("dag", "--dot").stdout
    assert "load ×2" in drawn
    assert "2 results" in drawn
    assert "_Stats" not in drawn
    cluster.roar("dag", "--html", "dag.html")
    assert "2 results" in cluster.read("dag.html")


def test_the_platform_s_own_is_no_impact(cluster: ProjectUnderTest) -> None:
    cluster.write("script.txt", "touch $CLUSTER\n")
    cluster.run("sh", "script.txt")
    jobs = cluster.json("impact", "script.txt")["jobs"]
    assert "_Stats" in {job["name"] for job in jobs}
    text = cluster.roar("impact", "script.txt").stdout
    assert "train" in text
    assert "_Stats" not in text


def test_results_survive_an_export(cluster: ProjectUnderTest) -> None:
    cluster.roar("export", "@1", "--format", "json", "--output", "graph.json")
    graph = json.loads(cluster.read("graph.json"))
    assert "/srv/" not in json.dumps(graph), "folders outside of the project are left out"
    assert "file://NODE/…/x" in {edge["path"] for job in graph["jobs"] for edge in job["inputs"]}
    before = {job["uid"]: sorted(job.get("needs", ())) for job in graph["jobs"]}
    assert sorted(map(len, before.values())) == [0, 0, 1, 2]
    (cluster.root / ".roar" / "roar.db").unlink()
    cluster.roar("import", "graph.json")
    for uid, needs in before.items():
        assert sorted(need["job"] for need in cluster.json("show", uid)["needs"]) == needs
