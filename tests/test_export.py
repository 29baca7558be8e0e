"""Lineage in open formats: each is read by somebody else's library or schema, on real records."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roar_core.export.json_text import write_json
from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

FORMATS = ("json", "openlineage", "prov-json", "ro-crate", "slsa", "cyclonedx", "mermaid", "dot")
ODD = os.fsdecode(b'x\xff\n"<script>\x1b[31m.txt')


def record(project: ProjectUnderTest) -> None:
    """A pipeline with all that formats have to be able to say: datasets, odd names, failures."""
    project.write("in.txt", "1")
    project.write("model.py", "print('trained')\n")
    outside = project.root.parent / "elsewhere"
    outside.mkdir(exist_ok=True)
    (outside / "raw.csv").write_text("a,b\n")
    for name in ("zarr.json", "c0", "c1"):
        project.write(f"data.zarr/{name}", name)
    run = project.roar
    run("run", "--", "sh", "-c", f"cat in.txt {outside}/raw.csv data.zarr/c0 > clean.txt")
    run("run", "--", "cp", "clean.txt", ODD)
    run("run", "-n", 'the "last" <step>', "--", "sh", "-c", "cat *.txt > model.safetensors", "x")
    run("run", "--", "sh", "-c", "cat model.safetensors in.txt > report.txt; exit 3")
    run("run", "--", "sh", "-c", "cp -r data.zarr copy.zarr; cat report.txt")
    run("run", "--", "python", "model.py", "--api-key", "SECRET1", "url=https://u:SECRET2@host/x")


@pytest.fixture
def recorded(project: ProjectUnderTest) -> ProjectUnderTest:
    record(project)
    return project


def exported(project: ProjectUnderTest, format_: str, *arguments: str) -> bytes:
    """What `roar export` writes, as bytes."""
    done = subprocess.run(
        [*project.roar_argv, "export", "--format", format_, *arguments],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def graph_of(project: ProjectUnderTest, *arguments: str) -> Any:
    return json.loads(exported(project, "json", *arguments))


# --- each format, by its own consumer ------------------------------------------------------------


def test_openlineage_events_are_those_of_its_client(recorded: ProjectUnderTest) -> None:
    """The client's classes are generated from the JSON schema; nothing may be left over."""
    facets = facet_classes()
    lines = exported(recorded, "openlineage").splitlines()
    states: dict[str, list[str]] = {}
    for line in lines:
        event = json.loads(line)
        states.setdefault(event["run"]["runId"], []).append(event["eventType"])
        structured = structure_event(event)
        assert structured.job.name
        for facet in all_facets(event):
            fields = {k: v for k, v in facet.items() if not k.startswith("_")}
            if facet["_schemaURL"].startswith("https://openlineage.io"):
                facets[facet["_schemaURL"]](**fields)
    assert sorted(states.values()) == [["START", "COMPLETE"]] * 5 + [["START", "FAIL"]]


def facet_classes() -> dict[str, type]:
    import importlib
    import pkgutil

    import openlineage.client.generated as generated
    from openlineage.client.generated.base import BaseFacet

    for module in pkgutil.iter_modules(generated.__path__):
        importlib.import_module(f"{generated.__name__}.{module.name}")

    def below(cls: type) -> Iterator[type]:
        for child in cls.__subclasses__():
            yield child
            yield from below(child)

    return {cls._get_schema(): cls for cls in below(BaseFacet)}  # type: ignore[attr-defined]


def structure_event(event: dict[str, Any]) -> Any:
    from openlineage.client.event_v2 import (
        InputDataset,
        Job,
        OutputDataset,
        Run,
        RunEvent,
        RunState,
    )

    fields = dict(event)
    fields.pop("schemaURL")
    return RunEvent(
        **{
            **fields,
            "eventType": RunState(event["eventType"]),
            "run": Run(**event["run"]),
            "job": Job(**event["job"]),
            "inputs": [InputDataset(**dataset) for dataset in event["inputs"]],
            "outputs": [OutputDataset(**dataset) for dataset in event["outputs"]],
        }
    )


def all_facets(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for owner in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        for name in ("facets", "inputFacets", "outputFacets"):
            yield from owner.get(name, {}).values()


def test_prov_json_is_read_by_the_prov_library(recorded: ProjectUnderTest) -> None:
    from prov.model import ProvActivity, ProvDocument, ProvEntity, ProvGeneration, ProvUsage

    text = exported(recorded, "prov-json").decode()
    document = ProvDocument.deserialize(content=text, format="json")
    graph = graph_of(recorded)
    assert len(list(document.get_records(ProvActivity))) == 6
    assert len(list(document.get_records(ProvEntity))) == len(graph["artifacts"])
    assert len(list(document.get_records(ProvUsage))) == sum(
        len(j["inputs"]) for j in graph["jobs"]
    )
    assert len(list(document.get_records(ProvGeneration))) == sum(
        len(job["outputs"]) for job in graph["jobs"]
    )
    assert document.get_provn()
    assert ProvDocument.deserialize(content=document.serialize(format="json"), format="json") == (
        document
    )


def test_ro_crate_is_read_by_the_rocrate_library(
    recorded: ProjectUnderTest, tmp_path: Path
) -> None:
    from rocrate.rocrate import ROCrate

    folder = crate(recorded, tmp_path)
    read = ROCrate(str(folder))
    graph = graph_of(recorded)
    actions = [e for e in read.get_entities() if e.type == "CreateAction"]
    assert [action["startTime"] for action in actions] == [j["started_at"] for j in graph["jobs"]]
    assert {part.id for part in read.root_dataset["hasPart"]} == {
        entity.id for entity in read.data_entities
    }
    for action in actions:
        for entity in (*action.get("object", []), *action.get("result", []), action["instrument"]):
            assert not isinstance(entity, str), f"{entity} is not described"


def test_ro_crate_keeps_to_the_profile_of_process_run_crates(
    recorded: ProjectUnderTest, tmp_path: Path
) -> None:
    # A process of its own: the library warns of itself, and keeps its cache open.
    validator = Path(sys.executable).with_name("rocrate-validator")
    command = [validator, "--disable-color", "validate", "--offline", "--no-paging"]
    command += ["--profile-identifier", "process-run-crate", "--requirement-severity", "required"]
    command += ["--cache-path", cached_context(tmp_path), crate(recorded, tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def crate(project: ProjectUnderTest, tmp_path: Path) -> Path:
    folder = tmp_path / "crate"
    folder.mkdir()
    (folder / "ro-crate-metadata.json").write_bytes(exported(project, "ro-crate"))
    return folder


def cached_context(tmp_path: Path) -> Path:
    """The validator's own cache, with the context as the rocrate library has it: no network."""
    import rocrate
    from requests import Request
    from requests.adapters import HTTPAdapter
    from requests_cache import CachedSession
    from urllib3 import HTTPResponse

    url = "https://w3id.org/ro/crate/1.1/context"
    body = (Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_bytes()
    raw = HTTPResponse(
        io.BytesIO(body),
        headers={"Content-Type": "application/ld+json"},
        status=200,
        preload_content=False,
        request_url=url,
    )
    response = HTTPAdapter().build_response(Request("GET", url).prepare(), raw)
    path = tmp_path / "cache"
    with CachedSession(str(path), backend="sqlite") as session:
        session.cache.save_response(response)
        session.cache.close()
    return path


def test_slsa_statements_are_read_by_the_in_toto_library(recorded: ProjectUnderTest) -> None:
    import in_toto_attestation.predicates.provenance.v1.provenance_pb2 as provenance
    import in_toto_attestation.v1.statement_pb2 as statements
    from google.protobuf import json_format
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    lines = exported(recorded, "slsa").splitlines()
    assert len(lines) == sum(
        any(e["hash"] for e in j["outputs"]) for j in graph_of(recorded)["jobs"]
    )
    for line in lines:
        parsed = json_format.Parse(line, statements.Statement())
        Statement.copy_from_pb(parsed).validate()
        predicate = json_format.ParseDict(json.loads(line)["predicate"], provenance.Provenance())
        for dependency in predicate.build_definition.resolved_dependencies:
            ResourceDescriptor.copy_from_pb(dependency).validate()


@pytest.mark.parametrize("ref", ["session:current", "@6", "model.safetensors"])
def test_cyclonedx_is_valid_by_its_schema(recorded: ProjectUnderTest, ref: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = exported(recorded, "cyclonedx", ref).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = json.loads(text)
    references = {component["bom-ref"] for component in bom["components"]} | {"root"}
    for dependency in bom["dependencies"]:
        assert {dependency["ref"], *dependency["dependsOn"]} <= references
    if ref == "model.safetensors":
        assert bom["metadata"]["component"]["type"] == "machine-learning-model"


@pytest.mark.needs("dot")
def test_dot_is_drawn_by_graphviz(recorded: ProjectUnderTest) -> None:
    done = subprocess.run(
        ["dot", "-Tjson"], input=exported(recorded, "dot"), capture_output=True, check=True
    )
    assert done.stderr == b""
    drawn = json.loads(done.stdout)
    graph = graph_of(recorded)
    assert len(drawn["objects"]) == len(graph["jobs"]) + len(graph["artifacts"])
    labels = {node["label"] for node in drawn["objects"]}
    assert '@3 the "last" <step>' in labels


# --- what all of them keep back ------------------------------------------------------------------


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_tells_secrets_or_where_the_project_lies(
    recorded: ProjectUnderTest, format_: str
) -> None:
    text = exported(recorded, format_)
    for kept_back in ("SECRET", str(recorded.root.parent), os.uname().nodename):
        assert kept_back.encode() not in text
    assert exported(recorded, format_) == text, "the same graph gives the same bytes"


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_writes_a_graph_without_jobs(project: ProjectUnderTest, format_: str) -> None:
    project.write("in.txt", "1")
    project.run("cat", "in.txt")
    written = exported(project, format_, "in.txt")
    # Where a line is a run, nothing is said of none.
    assert bool(written) == (format_ not in ("openlineage", "slsa"))


def test_what_was_masked_is_told(recorded: ProjectUnderTest) -> None:
    result = recorded.roar("export")
    assert "masked 2 secrets: --api-key in @6, login in a URL in @6" in result.stderr
    [masked] = [job["masked"] for job in json.loads(result.stdout)["jobs"] if job["masked"]]
    assert [(entry["argument"], entry["what"]) for entry in masked] == [
        (3, "--api-key"),
        (4, "login in a URL"),
    ]


def test_secrets_and_paths_are_told_when_asked_for(recorded: ProjectUnderTest) -> None:
    document = graph_of(recorded, "--with-secrets", "--absolute-paths")
    assert (document["secrets"], document["absolute_paths"]) == (True, True)
    assert document["jobs"][5]["command"][3:] == ["SECRET1", "url=https://u:SECRET2@host/x"]
    outside = str(recorded.root.parent / "elsewhere/raw.csv")
    assert outside in {edge["path"] for edge in document["jobs"][0]["inputs"]}


def test_an_artifact_is_exported_with_all_upstream_and_nothing_else(
    recorded: ProjectUnderTest,
) -> None:
    document = graph_of(recorded, "model.safetensors")
    assert [job["step"] for job in document["jobs"]] == ["@1", "@2", "@3"]
    assert document["root"]["kind"] == "artifact"
    by_hash = graph_of(recorded, document["root"]["id"])
    assert by_hash == document
    assert [job["step"] for job in graph_of(recorded, "@2")["jobs"]] == ["@1", "@2"]


def test_a_dataset_can_be_named(recorded: ProjectUnderTest) -> None:
    document = graph_of(recorded, "copy.zarr")
    assert [job["step"] for job in document["jobs"]][-1] == "@5"
    [dataset] = [a for a in document["artifacts"] if a["hash"] == document["root"]["id"]]
    assert [c["path"] for c in dataset["composite"]["components"]] == ["c0", "c1", "zarr.json"]


# --- the command ---------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_not_at_all(
    recorded: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    install_plugin("roar-exporter-half", HALF, group="roar.exporters")
    before = set(os.listdir(recorded.root))
    result = recorded.roar("export", "--format", "half", "-o", "out.half")
    assert result.exit_code == 1
    assert "roar-exporter-half" in result.stderr
    assert "the disk is made of cheese" in result.stderr
    assert set(os.listdir(recorded.root)) == before
    assert recorded.roar("export", "-o", "out.json").exit_code == 0
    assert json.loads(recorded.read("out.json"))["type"] == "graph"


HALF = """
from roar_core.hookspecs import hookimpl
class Half:
    format = "half"
    def write(self, graph, target):
        target.write(b"half of it")
        raise ValueError("the disk is made of cheese")
@hookimpl
def roar_exporters():
    return [Half()]
"""


def test_a_strangers_format_is_listed_and_written(
    recorded: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    install_plugin("roar-exporter-count", COUNT, group="roar.exporters")
    formats = recorded.json("export", "--list")["formats"]
    assert [entry["format"] for entry in formats] == sorted([*FORMATS, "count"])
    assert json.loads(exported(recorded, "count")) == {"jobs": 6, "kept": 6}


COUNT = """
import json
from roar_core.hookspecs import hookimpl
class Count:
    "Counts the jobs."
    format = "count"
    def write(self, graph, target):
        whole = json.loads(json.dumps(graph, default=list))
        counts = {"jobs": len(list(graph["jobs"])), "kept": len(whole["jobs"])}
        target.write(json.dumps(counts).encode())
@hookimpl
def roar_exporters():
    return [Count()]
"""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("@9",), "no step @9 in this session"),
        (("--format", "pdf"), "there is no format 'pdf'; there are"),
        (("--json",), "--json goes with --list"),
        (("-o", "no/such/folder/x.json"), "cannot write 'no/such/folder/x.json'"),
        (("nothing.txt",), "'nothing.txt' is no step"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    recorded: ProjectUnderTest, arguments: tuple[str, ...], sentence: str
) -> None:
    result = recorded.roar("export", *arguments)
    assert result.exit_code in (1, 2)
    assert sentence in result.stderr
    assert (result.stdout, "Traceback" in result.stderr) == ("", False)


def test_a_closed_pipe_is_no_failure(recorded: ProjectUnderTest) -> None:
    line = f"{' '.join(recorded.roar_argv)} export | head -c 10"
    assert '{\n"schema"' in recorded.shell(line).stdout
    said = recorded.shell(f"{' '.join(recorded.roar_argv)} export -f dot | true").stdout
    assert "failed" not in said


def test_a_full_disk_is_one_sentence_and_no_fault_of_the_format(
    recorded: ProjectUnderTest,
) -> None:
    for arguments in ("> /dev/full", "-f dot > /dev/full"):
        result = recorded.shell(f"{' '.join(recorded.roar_argv)} export {arguments}")
        assert result.exit_code == 1
        assert "cannot write the result: No space left on device" in result.stdout
        assert "plugin" not in result.stdout


def test_json_is_written_while_it_is_read() -> None:
    """A graph larger than memory goes through: items are asked for one at a time."""
    asked: list[int] = []

    def items() -> Iterator[dict[str, int]]:
        for number in range(3):
            asked.append(number)
            assert b'"n":%d' % number not in target.getvalue()
            assert number == 0 or b'"n":%d' % (number - 1) in target.getvalue()
            yield {"n": number}

    target = io.BytesIO()
    write_json({"items": items(), "empty": iter(())}, target)
    assert json.loads(target.getvalue()) == {"items": [{"n": 0}, {"n": 1}, {"n": 2}], "empty": []}
    assert asked == [0, 1, 2]
