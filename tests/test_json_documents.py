"""The page, the schema and what the commands print say the same."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from roar_core.model.job import Job
from roar_core.promises.graphs import EMPTY, EXAMPLE
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
from roar_core.testing.projects import ProjectUnderTest

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = json.loads(
    (ROOT / "roar_core/src/roar_core/schemas/documents.json").read_text(encoding="utf-8")
)
PAGE = (ROOT / "docs/json.md").read_text(encoding="utf-8")
SHAPES: dict[str, dict[str, Any]] = SCHEMA["$defs"]


def type_words(schema: dict[str, Any]) -> str:
    """A schema's type as the tables of docs/json.md write it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in schema:
        return " or ".join(map(type_words, schema["anyOf"]))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if "type" not in schema:
        return "any"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if kinds == ["array"]:
        return f"array of {type_words(schema['items'])}"
    return " or ".join(kinds)


def section(name: str, shape: dict[str, Any]) -> str:
    """The section of docs/json.md that describes `shape`."""
    rows = [
        f"| `{field}`{'' if field in shape['required'] else ' (may be absent)'}"
        f" | {type_words(schema)} | {schema['description']} |"
        for field, schema in shape["properties"].items()
    ]
    head = [
        f"### {name}",
        "",
        shape["description"],
        "",
        "| field | type | meaning |",
        "| --- | --- | --- |",
    ]
    return "\n".join(head + rows) + "\n"


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", SHAPES)
def test_the_page_has_the_table_of(name: str) -> None:
    expected = section(name, SHAPES[name])
    assert expected in PAGE, f"docs/json.md should hold:\n\n{expected}"


def test_the_page_describes_nothing_that_does_not_exist() -> None:
    assert set(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)) == set(SHAPES)


def test_every_document_is_one_of_the_schema() -> None:
    documents = {name for name, shape in SHAPES.items() if "schema" in shape["properties"]}
    assert {entry["$ref"].rpartition("/")[2] for entry in SCHEMA["oneOf"]} == documents
    assert all(SHAPES[name]["properties"]["type"]["const"] == name for name in documents)


def strict(schema: Any) -> Any:
    """The schema with every object closed: a field that no page describes is a fault."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(part) for key, part in schema.items()}
    if "properties" in closed and "required" in closed:
        closed["additionalProperties"] = False
    return closed


VALIDATOR = Draft202012Validator(strict(SCHEMA))
ODD = os.fsdecode(b"bad\xff\n.txt")

COMMANDS = {
    "init": "init",
    "status": "status",
    "log": "log",
    "log --all": "log",
    "log --session 1": "log",
    "show": "job",
    "show @1": "job",
    "show @B1": "job",
    "show out.txt": "file",
    "show gone.txt": "file",
    "show copy.txt": "file",
    "show in.txt": "file",
    "lineage last.txt": "lineage",
    "impact in.txt": "impact",
    "inputs last.txt": "inputs",
    "inputs last.txt --all": "inputs",
    "why in.txt last.txt": "why",
    "dag": "dag",
    "dag --show-artifacts": "dag",
    "dag --expanded --show-artifacts": "dag",
    "dag --stale-only": "dag",
    "diff @1 @2": "diff",
    "diff out.txt last.txt": "diff",
    "diff session:1 session:current": "diff",
    "collect": "collection",
    "reproduce last.txt": "reproduction",
    "reproduce @1 --run -y": "reproduction",
    "reproduce last.txt --list-requirements": "requirements",
    "session hash --session 1": "session_hash",
    "label set @1 stage=prod a.b=1": "labels",
    "label cp @1 session:1": "labels",
    "label show in.txt": "labels",
    "label history @1": "label_history",
    "tag add in.txt contains_pii": "tags",
    "tag show out.txt": "tags",
    "tag history in.txt": "tag_history",
    "tag why out.txt contains_pii": "tag_why",
    "get in.txt fetched.txt --dry-run": "transfer_plan",
    "get in.txt fetched.txt": "transfer",
    "put last.txt ../kept/ --dry-run": "transfer_plan",
    "put last.txt ../kept/ --no-register -m words": "transfer",
    "rerun @1 --dry-run": "rerun",
    "rerun @1": "rerun",
    "pop -y": "pop",
    "pop -y --outputs": "pop",
    "reset": "reset",
    "config list": "config",
    "config get run.grace": "setting",
    "env list": "variables",
    "env list --show-secrets": "variables",
    "env get SEED": "variable",
    "config get environment.set": "setting",
    "filter list": "filters",
    "plugins": "plugins",
    "plugins check": "plugins_check",
    "tracer": "tracers",
    "tracer check": "tracer_check",
    "export --list": "formats",
    "logout": "logout",
    "scope": "scope",
    "scope status": "scope",
    "scope list": "scopes",
    "db": "database",
    "db integrity": "integrity",
    "db prune --cache -y": "prune",
    "db vacuum": "vacuum",
    "db export copy.db": "database_export",
    "db recover": "recovery",
    "db recover --force": "recovery",
}


@pytest.fixture
def recorded(project: ProjectUnderTest) -> ProjectUnderTest:
    """A project in which real commands were recorded: a build, a pipeline, a failure, odd names."""
    project.write("in.txt", "1")
    project.write(ODD, "odd")
    for verb, script in (
        ("build", "echo built > built.txt"),
        ("run", "cat in.txt > out.txt; cp out.txt gone.txt"),
        ("run", "cat out.txt > last.txt; exit 3"),
        ("run", "kill -TERM $$"),
    ):
        project.roar(verb, "--", "sh", "-c", script)
    project.roar("env", "set", "SEED=1", "API_TOKEN=hush")
    project.roar("run", "-n", "odd", "--", "cp", ODD, "copied " + ODD)
    (project.root / "gone.txt").unlink()
    project.write("copy.txt", "1")
    return project


def validate(document: Any, name: str) -> None:
    assert document["type"] == name
    errors = [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]
    shape = Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": strict(SCHEMA)["$defs"]})
    errors += [f"{error.json_path}: {error.message}" for error in shape.iter_errors(document)]
    assert not errors


def test_a_project_without_a_record_has_its_documents_too(project: ProjectUnderTest) -> None:
    project.roar("init")
    for name in ("status", "log", "dag"):
        validate(project.json(name), name)


def test_what_the_commands_print_is_what_the_schema_says(recorded: ProjectUnderTest) -> None:
    for command, name in COMMANDS.items():
        validate(recorded.json(*command.split()), name)
    validate(recorded.json("show", ODD), "file")


def test_what_is_printed_of_a_job_given_up_is_what_the_schema_says(
    project: ProjectUnderTest,
) -> None:
    root = str(project.root)
    job = Job(os.urandom(16).hex(), "run", ("true",), root, root, "running", 1)
    with Store.open(project.root / ".roar", create=True) as store:
        store.begin(job, owner=Owner.current()._replace(pid_namespace=7, machine=""))
    validate(project.json("abandon", "@1", "-y"), "abandoned")


@pytest.mark.parametrize("graph", [EMPTY, EXAMPLE], ids=["empty", "example"])
def test_the_graphs_that_exporters_are_tried_with_are_documents(graph: dict[str, Any]) -> None:
    validate(graph, "graph")


def test_what_is_printed_of_datasets_is_what_the_schema_says(project: ProjectUnderTest) -> None:
    for name in ("a", "b"):
        project.write(f"table/{name}.parquet", name)
    job = project.run("sh", "-c", "cat table/*.parquet; cp -r table copy").job
    assert job is not None
    validate(project.json("show"), "job")
    validate(project.json("show", job["inputs"][0]["hash"]), "artifact")
    for folder in ("table", "copy"):
        validate(project.json("show", folder), "file")
    validate(project.json("show", "table", "--components"), "components")
    validate(project.json("show", "table", "--contains", "table/a.parquet"), "membership")
    validate(project.json("show", "table/a.parquet"), "member")


def test_exported_graphs_are_what_the_schema_says(
    recorded: ProjectUnderTest, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        recorded.write(f"table/{name}.parquet", name)
    recorded.run("sh", "-c", "cat table/a.parquet table/b.parquet > all; cp -r table copy")
    for arguments in ((), ("@1",), ("out.txt",), ("--absolute-paths", "--with-secrets")):
        result = recorded.roar("export", *arguments)
        validate(json.loads(result.stdout), "graph")
    (tmp_path / "graph.json").write_text(recorded.roar("export").stdout)
    validate(recorded.json("import", str(tmp_path / "graph.json")), "import")
