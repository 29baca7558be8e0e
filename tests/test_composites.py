"""Datasets of many files in real runs: one edge, one name, every member still to be asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from roar_core.identity import Leaf, tree_hash
from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

READ_ALL = "cat $(find {} -type f) > /dev/null"


def zarr(project: ProjectUnderTest, root: str = "data.zarr", chunks: int = 6) -> None:
    project.write(f"{root}/zarr.json", '{"node_type": "group"}')
    project.write(f"{root}/x/zarr.json", '{"node_type": "array"}')
    for number in range(chunks):
        project.write(f"{root}/x/c/{number}", f"chunk {number}")


def name_of(root: Path, *, without: tuple[str, ...] = ()) -> str:
    """The tree hash of all files below `root`, taken apart from roar's own walk."""
    leaves = [
        Leaf(str(path.relative_to(root)), "blake3", blake3(path.read_bytes()).hexdigest())
        for path in root.rglob("*")
        if path.is_file() and path.name not in without
    ]
    return str(tree_hash(leaves))


def only(edges: list[dict[str, Any]]) -> dict[str, Any]:
    [edge] = edges
    return edge


def test_a_dataset_that_was_read_is_one_input(project: ProjectUnderTest) -> None:
    zarr(project)
    result = project.run("sh", "-c", READ_ALL.format("data.zarr"))
    assert result.job is not None
    edge = only(result.job["inputs"])
    assert (edge["relative"], edge["kind"]) == ("data.zarr", "composite")
    assert edge["hash"] == name_of(project.root / "data.zarr")
    assert edge["composite"] == {"layout": "zarr", "members": 8, "touched": 8, "whole": True}
    assert edge["size"] == sum(
        path.stat().st_size for path in (project.root / "data.zarr").rglob("*") if path.is_file()
    )
    assert "zarr, 8 members" in project.roar("show").stdout


def test_reading_some_members_says_how_many_and_names_the_whole(project: ProjectUnderTest) -> None:
    zarr(project)
    result = project.run("cat", "data.zarr/x/c/0", "data.zarr/x/c/3")
    assert result.job is not None
    edge = only(result.job["inputs"])
    assert edge["hash"] == name_of(project.root / "data.zarr")
    assert edge["composite"] == {"layout": "zarr", "members": 8, "touched": 2, "whole": True}
    assert "zarr, 2 of 8 members" in project.roar("show").stdout


def test_what_was_not_touched_is_not_hashed_beyond_the_limit(project: ProjectUnderTest) -> None:
    zarr(project)
    project.write("roar.toml", "composites.untouched_max = 10\n")
    result = project.run("cat", "data.zarr/x/c/0", "data.zarr/x/c/3")
    assert result.job is not None
    edge = only(result.job["inputs"])
    assert edge["composite"] == {"layout": "zarr", "members": 8, "touched": 2, "whole": False}
    digest = {n: blake3(f"chunk {n}".encode()).hexdigest() for n in (0, 3)}
    assert edge["hash"] == str(tree_hash(Leaf(f"x/c/{n}", "blake3", digest[n]) for n in digest))
    assert "the hash is of those alone" in project.roar("show").stdout


def test_the_writer_of_a_dataset_is_its_readers_producer(project: ProjectUnderTest) -> None:
    zarr(project, "source.zarr")
    writer = project.run("cp", "-r", "source.zarr", "copy.zarr").job
    reader = project.run("sh", "-c", READ_ALL.format("copy.zarr")).job
    assert writer is not None
    assert reader is not None
    assert only(writer["outputs"])["hash"] == only(writer["inputs"])["hash"]
    assert only(reader["inputs"])["producer"] == writer["uid"]
    steps = {step["step"]: step for step in project.json("dag")["steps"]}
    assert set(steps) == {"@1", "@2"}
    [edge] = project.json("dag")["edges"]
    assert (edge["from"], edge["to"]) == ("@1", "@2")


def test_every_job_that_wrote_a_member_is_a_producer(project: ProjectUnderTest) -> None:
    """Also the one that wrote it before there was a dataset, and the one whose bytes are gone."""
    script = "echo {0} > table/part-{0}.parquet"
    (project.root / "table").mkdir()
    makers = [project.run("sh", "-c", script.format(n)).job for n in (1, 2, 3)]
    both = project.run("sh", "-c", f"{script.format(4)}; {script.format(5)}").job
    uids = [job["uid"] for job in (*makers, both) if job is not None]
    reader = project.run("sh", "-c", "cat table/*.parquet").job
    assert reader is not None
    edge = only(reader["inputs"])
    assert edge["composite"]["members"] == 5
    assert {edge["producer"], *edge["further_producers"]} == set(uids)
    some = project.run("sh", "-c", "cat table/part-1.parquet table/part-4.parquet").job
    assert some is not None
    edge = only(some["inputs"])
    assert {edge["producer"], *edge["further_producers"]} == {uids[0], uids[3]}
    dag = project.json("dag")["edges"]
    assert {(e["from"], e["to"]) for e in dag} >= {(f"@{n}", "@5") for n in (1, 2, 3, 4)}


def test_a_writer_run_again_with_the_same_result_supersedes_nothing(
    project: ProjectUnderTest,
) -> None:
    (project.root / "table").mkdir()
    first = ("sh", "-c", "tr 1 7 < seed > table/part-1.parquet")
    project.write("seed", "1")
    project.run(*first)
    project.run("sh", "-c", "echo 2 > table/part-2.parquet")
    project.run("sh", "-c", "cat table/*.parquet")
    project.run(*first)
    edges = {(e["from"], e["to"]): e["superseded"] for e in project.json("dag")["edges"]}
    assert edges == {("@1", "@3"): False, ("@2", "@3"): False}
    project.write("seed", "other")
    project.run(*first)
    superseded = {e["superseded"] for e in project.json("dag")["edges"] if e["to"] == "@3"}
    assert superseded == {True, False}


def test_a_member_read_alone_leads_to_the_job_that_wrote_the_dataset(
    project: ProjectUnderTest,
) -> None:
    (project.root / "table").mkdir()
    script = "for n in 1 2 3; do echo $n > table/part-$n.parquet; done"
    writer = project.run("sh", "-c", script).job
    reader = project.run("cat", "table/part-2.parquet").job
    assert writer is not None
    assert reader is not None
    assert only(writer["outputs"])["composite"]["layout"] == "parquet-shards"
    edge = only(reader["inputs"])
    assert (edge["kind"], edge["producer"]) == ("file", writer["uid"])


def test_undoing_a_writer_leaves_the_others(project: ProjectUnderTest) -> None:
    (project.root / "table").mkdir()
    script = "echo {0} > table/part-{0}.parquet"
    first = project.run("sh", "-c", script.format(1)).job
    project.run("sh", "-c", script.format(2))
    assert first is not None
    project.run("sh", "-c", "cat table/*.parquet")
    from roar_core.store.writer import Store

    with Store.open(project.root / ".roar") as store:
        second = store.job(project.json("log")["jobs"][1]["uid"])
        store.mark_undone(second.uid, 1)
    edge = only(project.json("show", "@3")["inputs"])
    assert (edge["producer"], edge["further_producers"]) == (first["uid"], [])


def test_changing_one_member_makes_another_dataset_and_hashes_one_file(
    project: ProjectUnderTest,
) -> None:
    zarr(project)
    before = only(project.run("cat", "data.zarr/x/c/1").job["inputs"])  # type: ignore[index]
    result = project.run("sh", "-c", "echo new > data.zarr/x/c/0")
    assert result.job is not None
    edge = only(result.job["outputs"])
    assert edge["composite"] == {"layout": "zarr", "members": 8, "touched": 1, "whole": True}
    assert edge["hash"] == name_of(project.root / "data.zarr")
    assert edge["hash"] != before["hash"]


def test_what_a_dataset_was_before_it_was_overwritten_unread_is_not_claimed(
    project: ProjectUnderTest,
) -> None:
    zarr(project)
    script = "cat data.zarr/x/c/1 > /dev/null; echo new > data.zarr/x/c/0"
    result = project.run("sh", "-c", script)
    assert result.job is not None
    edge = only(result.job["inputs"])
    assert edge["composite"]["touched"] == 1
    assert edge["composite"]["whole"] is False


def test_members_that_were_read_and_then_replaced_are_told_as_they_were(
    project: ProjectUnderTest,
) -> None:
    zarr(project)
    was = name_of(project.root / "data.zarr")
    result = project.run("sh", "-c", "cat data.zarr/x/c/0; sleep 0.3; echo new > data.zarr/x/c/0")
    assert result.job is not None
    edge = only(result.job["inputs"])
    assert (edge["hash"], edge["hash_state"]) == (was, "before_change")
    assert only(result.job["outputs"])["hash"] == name_of(project.root / "data.zarr")


def test_an_unchanged_dataset_is_known_by_its_stats_and_has_the_same_name(
    project: ProjectUnderTest,
) -> None:
    zarr(project)
    for path in (project.root / "data.zarr").rglob("*"):
        os.utime(path, (1e9, 1e9))
    names = []
    for content in ("chunk 1", "chunk 1", "chunk X"):
        project.write("data.zarr/x/c/1", content)
        job = project.run("sh", "-c", READ_ALL.format("data.zarr")).job
        names.append(only(job["inputs"])["hash"])  # type: ignore[index]
    assert names[0] == names[1] != names[2]
    assert names[2] == name_of(project.root / "data.zarr")


def test_companions_of_a_dataset_stay_files_and_change_no_name(project: ProjectUnderTest) -> None:
    zarr(project)
    project.write("data.zarr/README.md", "about")
    result = project.run("sh", "-c", READ_ALL.format("data.zarr"))
    assert result.job is not None
    kinds = {edge["relative"]: edge["kind"] for edge in result.job["inputs"]}
    assert kinds == {"data.zarr": "composite", "data.zarr/README.md": "file"}
    [dataset] = [edge for edge in result.job["inputs"] if edge["kind"] == "composite"]
    assert dataset["hash"] == name_of(project.root / "data.zarr", without=("README.md",))


def test_a_link_in_a_dataset_counts_by_its_text(project: ProjectUnderTest) -> None:
    zarr(project)
    (project.root / "data.zarr/x/c/link").symlink_to("0")
    result = project.run("cat", "data.zarr/x/c/1")
    assert result.job is not None
    members = project.json("show", "data.zarr", "--components")["components"]
    [link] = [member for member in members if member["kind"] == "symlink"]
    assert (link["path"], link["hash"]) == ("x/c/link", f"blake3:{blake3(b'0').hexdigest()}")
    assert only(result.job["inputs"])["composite"]["members"] == 9


def test_members_are_asked_for_by_path_and_by_hash(project: ProjectUnderTest) -> None:
    zarr(project)
    job = project.run("cat", "data.zarr/x/c/0", "data.zarr/x/c/3").job
    assert job is not None
    dataset = only(job["inputs"])["hash"]
    digest = blake3(b"chunk 3").hexdigest()
    for ref in ("data.zarr/x/c/3", f"blake3:{digest}", digest[:9]):
        member = project.json("show", ref)
        assert (member["type"], member["hash"], member["size"]) == ("member", f"blake3:{digest}", 7)
        [place] = member["memberships"]
        assert (place["dataset"], place["path"]) == (dataset, "x/c/3")
        assert [use["job"]["uid"] for use in place["consumers"]] == [job["uid"]]
    untouched = project.json("show", "data.zarr/x/c/1")
    assert untouched["memberships"][0]["consumers"] == []
    shown = project.roar("show", "data.zarr/x/c/3").stdout
    assert "member of zarr composite-blake3:" in shown
    listed = project.json("show", dataset, "--components")["components"]
    assert [member["path"] for member in listed] == sorted(member["path"] for member in listed)
    assert len(listed) == 8


@pytest.mark.parametrize(("components_max", "verdict"), [(100, "yes"), (3, "perhaps")])
def test_membership_is_exact_where_members_are_kept_and_said_to_be_a_guess_where_not(
    project: ProjectUnderTest, components_max: int, verdict: str
) -> None:
    zarr(project)
    project.write("other.bin", "no chunk")
    project.roar("config", "set", "composites.components_max", str(components_max))
    project.run("cat", "data.zarr/x/c/0")
    inside = project.roar("show", "data.zarr", "--contains", "data.zarr/x/c/5")
    assert (inside.exit_code, inside.stdout.partition(":")[0]) == (0, verdict)
    digest = blake3(b"chunk 5").hexdigest()
    answer = project.json("show", "data.zarr", "--contains", digest)
    assert answer["verdict"] == verdict
    assert answer["paths"] == (["x/c/5"] if verdict == "yes" else [])
    outside = project.roar("show", "data.zarr", "--contains", "other.bin")
    assert (outside.exit_code, outside.stdout.partition(":")[0]) == (1, "no")


def test_a_dataset_is_shown_and_verified_by_its_folder(project: ProjectUnderTest) -> None:
    zarr(project)
    project.run("cat", "data.zarr/x/c/0")
    assert "not compared with the record: --verify" in project.roar("show", "data.zarr").stdout
    assert "as recorded" in project.roar("show", "data.zarr", "--verify").stdout
    project.write("data.zarr/x/c/4", "other")
    assert "changed since" in project.roar("show", "data.zarr", "--verify").stdout


def test_what_is_no_dataset_is_said_to_be_none(project: ProjectUnderTest) -> None:
    project.write("a.txt", "1")
    project.run("cat", "a.txt")
    for arguments in (("a.txt", "--components"), ("@1", "--contains", "a.txt")):
        refused = project.roar("show", *arguments)
        assert refused.exit_code == 1
        assert "is no dataset" in refused.stderr
    zarr(project)
    project.run("cat", "data.zarr/x/c/0")
    refused = project.roar("show", "data.zarr", "--contains", "absent.bin")
    assert refused.exit_code == 1
    assert (
        "'absent.bin' is neither a file that can be read nor a whole blake3 hash" in refused.stderr
    )


LAYOUTS: dict[str, tuple[str, list[str]]] = {
    "zarr": ("d", ["d/.zgroup", "d/x/.zarray", "d/x/0.0"]),
    "lerobot": (
        "d",
        ["d/meta/info.json", "d/data/chunk-000/episode_0.parquet", "d/videos/chunk-000/e.mp4"],
    ),
    "lance": ("d.lance", ["d.lance/_versions/1.manifest", "d.lance/data/0.lance"]),
    "rlds": ("d", ["d/dataset_info.json", "d/features.json", "d/d-train.tfrecord-00000-of-00001"]),
    "webdataset": ("d", ["d/shard-000.tar", "d/shard-001.tar"]),
    "parquet-shards": ("d", ["d/a.parquet", "d/b.parquet"]),
    "hive-partitions": ("d", ["d/year=2025/month=1/part-0.parquet", "d/year=2026/x.parquet"]),
    "sharded-weights": (
        "d",
        [
            "d/model.safetensors.index.json",
            "d/model-00001-of-00002.safetensors",
            "d/model-00002-of-00002.safetensors",
        ],
    ),
    "torch-checkpoint": ("d", ["d/.metadata", "d/__0_0.distcp", "d/__1_0.distcp"]),
    "marked": ("d", ["d/a.png", "d/deep/b.png"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("way", ["read", "written"])
def test_each_layout_is_one_edge(project: ProjectUnderTest, layout: str, way: str) -> None:
    root, files = LAYOUTS[layout]
    for name in files:
        project.write(f"in/{name}", name)
    if layout == "marked":
        project.write(f"in/{root}/.roar-composite", "")
    project.write(f"in/{root}/LICENSE", "no member")
    if way == "read":
        job = project.run("sh", "-c", READ_ALL.format(f"in/{root}")).job
        edges = job["inputs"] if job else []
    else:
        job = project.run("cp", "-r", f"in/{root}", "made").job
        edges = job["outputs"] if job else []
    [edge] = [edge for edge in edges if edge["kind"] == "composite"]
    folder = f"in/{root}" if way == "read" else "made"
    # A copied Lance table lost the name by which it was known, but not its shape.
    assert (edge["relative"], edge["composite"]["layout"]) == (folder, layout)
    assert edge["composite"]["members"] == len(files)
    assert edge["hash"] == name_of(
        project.root / f"in/{root}", without=("LICENSE", ".roar-composite")
    )


def test_the_outermost_root_is_the_dataset(project: ProjectUnderTest) -> None:
    zarr(project, "all/one.zarr")
    zarr(project, "all/two.zarr")
    project.write("roar.toml", 'composites.paths = ["all"]\n')
    result = project.run("sh", "-c", READ_ALL.format("all"))
    assert result.job is not None
    edge = only(result.job["inputs"])
    assert (edge["relative"], edge["composite"]["layout"]) == ("all", "marked")


@pytest.mark.parametrize(
    "files",
    [
        ["runs/a.txt", "runs/b.txt"],
        ["table/only.parquet"],
        ["lr=0.1/model.pt", "lr=0.2/model.pt"],
        ["a.parquet", "b.parquet"],
        ["models/model-00001-of-00002.safetensors"],
        ["x/dataset_info.json", "x/data.bin"],
    ],
)
def test_what_only_looks_like_a_dataset_is_files(
    project: ProjectUnderTest, files: list[str]
) -> None:
    for name in files:
        project.write(name, name)
    result = project.run("cat", *files)
    assert result.job is not None
    assert {edge["kind"] for edge in result.job["inputs"]} == {"file"}
    assert result.reads == set(files)


def test_detection_can_be_turned_off(project: ProjectUnderTest) -> None:
    zarr(project)
    project.write("roar.toml", "composites.detect = false\n")
    result = project.run("cat", "data.zarr/x/c/0", "data.zarr/x/c/1")
    assert result.reads == {"data.zarr/x/c/0", "data.zarr/x/c/1"}


FORMAT = """
from roar_core.hookspecs import hookimpl

class Albums:
    name, priority, is_flat = "album", 5, False
    def is_root(self, folder):
        {is_root}
    def in_identity(self, relative):
        {in_identity}

@hookimpl
def roar_composite_formats():
    return [Albums()]
"""


def test_a_strangers_format_takes_part(
    project: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    code = FORMAT.format(
        is_root="return folder.has('album.ini')", in_identity="return relative.endswith('.jpg')"
    )
    install_plugin("albums", code, group="roar.composites")
    for name in ("album.ini", "1.jpg", "2.jpg", "notes.txt"):
        project.write(f"trip/{name}", name)
    result = project.run("sh", "-c", "cat trip/*.jpg trip/notes.txt")
    assert result.job is not None
    found = {edge["relative"]: edge["composite"] for edge in result.job["inputs"]}
    assert found["trip/notes.txt"] is None
    assert found["trip"] == {"layout": "album", "members": 2, "touched": 2, "whole": True}


@pytest.mark.parametrize("place", ["is_root", "in_identity"])
def test_a_failing_format_costs_only_itself(
    project: ProjectUnderTest, install_plugin: InstalledPlugins, place: str
) -> None:
    parts = {"is_root": "return True", "in_identity": "return True"} | {place: "1 / 0"}
    install_plugin("albums", FORMAT.format(**parts), group="roar.composites")
    project.write("trip/1.jpg", "1")
    project.write("trip/2.jpg", "2")
    result = project.run("sh", "-c", "cat trip/*.jpg; exit 3")
    assert result.exit_code == 3
    assert result.reads == {"trip/1.jpg", "trip/2.jpg"}
    assert result.stderr.count("plugin albums failed while") == 1
    assert result.job is not None
    assert [r["code"] for r in result.job["coverage"]["reasons"]] == ["composite"]


@pytest.mark.parametrize("make", ["zarr", "shards"])
def test_two_checkouts_give_a_dataset_and_its_job_one_name(
    tmp_path: Path,
    project: ProjectUnderTest,
    install_plugin: InstalledPlugins,
    make: str,
) -> None:
    other = ProjectUnderTest(tmp_path / "other" / "place", project.home, install_plugin)
    (other.root / ".roar").mkdir(parents=True)
    jobs = []
    fill: Callable[[ProjectUnderTest], None] = zarr if make == "zarr" else shards
    for here in (project, other):
        fill(here)
        job = here.run("sh", "-c", "cat d*/*.json d*/*.parquet 2>/dev/null; true").job
        assert job is not None
        jobs.append((job["hash"], only(job["inputs"])["hash"]))
    assert jobs[0] == jobs[1]


def shards(project: ProjectUnderTest) -> None:
    for number in (1, 2):
        project.write(f"data/{number}.parquet", str(number))


def test_names_of_members_may_hold_any_bytes(project: ProjectUnderTest) -> None:
    zarr(project)
    odd = os.fsdecode(b"odd\xff\n name")
    project.write(f"data.zarr/x/c/{odd}", "odd")
    project.write("data.zarr/x/c/é", "e")
    result = project.run("cat", f"data.zarr/x/c/{odd}")
    assert result.job is not None
    assert only(result.job["inputs"])["composite"]["members"] == 10
    assert only(result.job["inputs"])["hash"] == name_of(project.root / "data.zarr")
    member = project.json("show", f"data.zarr/x/c/{odd}")
    assert member["hash"] == f"blake3:{blake3(b'odd').hexdigest()}"
    assert project.roar("show", "data.zarr", "--components").exit_code == 0
