"""The import contract and the other rules of the house that a program can check.

    cli -> run, lineage, registry … -> observe, hashing, store, config … -> plugins -> hookspecs
        -> model, errors

Imports inside functions count like any other: they are late, not secret.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "roar_core" / "src" / "roar_core"
PLUGINS = sorted(p.parent for p in ROOT.glob("plugins/*/pyproject.toml"))
PLUGINS += sorted(p.parent for p in ROOT.glob("examples/*/pyproject.toml"))

# A plugin may import these and what lies below them. `roar_core` itself holds the version.
PUBLIC = (
    *("hookspecs", "model", "journal", "fragments", "reports", "identity", "redaction", "spelling"),
    *(
        "in_place",
        "task_journal",
        "transparency",
        "python_startup",
        "standing_in",
        "fragment_sessions",
    ),
    *("errors", "testing"),
)

# From the ground up: a module imports its own layer and the layers before it, never a later one.
# Modules absent from this table fail `test_every_core_module_has_a_layer`.
LAYERS = (
    ("model", "errors", "version"),
    ("boot", "futex", "garbage", "hookspecs", "http_client", "identity", "spelling", "standing_in"),
    ("progress", "python_startup"),
    ("redaction", "transparency"),
    ("journal", "journal_file", "journal_format", "fragment_checks", "fragment_format"),
    ("discovery", "project"),
    ("plugins", "contracts"),
    ("config", "observe", "hashing", "store", "environment", "composites", "telemetry"),
    ("run", "lineage", "registry", "transfer", "reproduce", "export", "scaffold", "promises"),
    ("fragments", "task_facts", "task_journal", "fragment_sessions"),
    ("in_place", "report_folder", "reports"),
    ("cli",),
    ("__main__", "testing"),
)
LAYER_OF = {name: number for number, layer in enumerate(LAYERS) for name in layer}

MAX_LINES = 450
# Words that name no responsibility.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
# Third-party libraries of the core that are too slow to import at the top (house rule: inside).
LATE = {"httpx", "cattrs", "tomlkit", "asyncio", "boto3", "importlib.metadata", "cryptography"}


# What talks to other machines: no part of the core knows of these but the commands themselves, and
# what carries fragments for whoever has set `fragments.carrier`.
OUTWARD = ("registry", "transfer")
# The doors through which the core reaches a library: whoever needs what it gives goes through them.
DOORS = {
    "httpx": (
        *("http_client.py", "registry/connection.py", "transfer/https.py"),
        "transfer/web_answers.py",
        *("telemetry/uploader.py", "testing"),
    ),
    "cryptography": ("transparency/verifying.py", "fragment_sessions/sealing.py", "testing"),
    "boto3": (),
    "botocore": (),
}

# Where any exception may end: strangers' code is called; a command has ended whose result outranks
# a failure of ours; the last door before the user, who gets a sentence.
MAY_CATCH_ALL = {
    # bcc raises bare Exceptions and nothing else.
    ROOT / "plugins/tracer_ebpf/src/roar_tracer_ebpf/roard/programs.py",
    # In the user's driver and workers: what goes wrong on our side ends there.
    ROOT / "plugins/ray/src/roar_ray/driver/faults.py",
    ROOT / "plugins/ray/src/roar_ray/hook/environment.py",
    *(ROOT / "plugins/ray/src/roar_ray/agent").glob("*.py"),
    CORE / "plugins.py",
    CORE / "in_place.py",
    CORE / "fragment_sessions" / "waiting.py",
    CORE / "run" / "coordinator.py",
    CORE / "cli" / "failures.py",
}


# In a worker these are a package of another name, so that they find each other by none.
RENAMED = {ROOT / "plugins/ray/src/roar_ray" / name for name in ("agent", "hook")}


class Import(NamedTuple):
    """One imported module, and where."""

    source: Path
    line: int
    module: str
    is_inside_function: bool

    def __str__(self) -> str:
        return f"{self.source.relative_to(ROOT)}:{self.line} imports {self.module}"


def python_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if "_native" not in p.parts)


@functools.cache
def imports_of(source: Path) -> tuple[Import, ...]:
    """Every module a file imports; `from x import y` gives `x.y`. Imports for types count too."""
    return tuple(_imports_of(source))


def _imports_of(source: Path) -> Iterator[Import]:
    tree = ast.parse(source.read_text(encoding="utf-8"), str(source))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level == 1 and source.parent in RENAMED:
                continue
            assert node.level == 0, f"{source}:{node.lineno}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield Import(source, node.lineno, name, id(node) in inside)


def part_of_core(module: str) -> str | None:
    """`store` for `roar_core.store.writer`, None for other people's modules and for `roar_core`."""
    head, _, rest = module.partition(".")
    part = rest.partition(".")[0]
    is_ours = (CORE / part).is_dir() or (CORE / f"{part}.py").is_file()
    return part if head == "roar_core" and is_ours and part else None


def test_every_core_module_has_a_layer() -> None:
    parts = {p.stem for p in CORE.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    unplaced = parts - LAYER_OF.keys() - {"__init__"}
    assert not unplaced


def test_imports_point_one_way() -> None:
    wrong = [
        f"{found}: {part} is below {imported}"
        for source in python_files(CORE)
        for part in [source.relative_to(CORE).with_suffix("").parts[0]]
        if part != "__init__"
        for found in imports_of(source)
        if (imported := part_of_core(found.module))
        and LAYER_OF.get(imported, 0) > LAYER_OF.get(part, 0)
    ]
    assert not wrong, "\n".join(wrong)


def test_model_and_errors_import_nothing_of_ours() -> None:
    wrong = [
        str(found)
        for source in [*python_files(CORE / "model"), CORE / "errors.py"]
        for found in imports_of(source)
        if part_of_core(found.module) not in {None, "model"}
    ]
    assert not wrong, "\n".join(wrong)


def test_the_core_imports_no_plugin() -> None:
    names = {folder.name for plugin in PLUGINS for folder in (plugin / "src").iterdir()}
    wrong = [
        str(found)
        for source in python_files(CORE)
        for found in imports_of(source)
        if found.module.partition(".")[0] in names
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_imports_only_the_public_modules(plugin: Path) -> None:
    own = {folder.name for folder in (plugin / "src").iterdir()}
    others = {f.name for p in PLUGINS for f in (p / "src").iterdir()} - own
    wrong = [
        str(found)
        for source in python_files(plugin)
        for found in imports_of(source)
        if (part_of_core(found.module) or PUBLIC[0]) not in PUBLIC
        or found.module.partition(".")[0] in others
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_builds_without_the_core(plugin: Path) -> None:
    hook = plugin / "hatch_build.py"
    wrong = [found for found in imports_of(hook) if "roar" in found.module] if hook.exists() else []
    assert not wrong, f"pip builds in isolation, where no roar is installed: {wrong}"


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    wrong = [
        str(found)
        for source in python_files(CORE)
        for found in imports_of(source)
        if any(f"{found.module}.".startswith(f"{late}.") for late in LATE)
        if not found.is_inside_function and not in_type_checking(found)
    ]
    assert not wrong, "\n".join(wrong)


def test_only_commands_know_what_talks_to_other_machines() -> None:
    wrong = [
        str(found)
        for source in python_files(CORE)
        for part in [source.relative_to(CORE).parts[0]]
        for found in imports_of(source)
        if part_of_core(found.module) in OUTWARD
        if part not in ("cli", "testing", "fragment_sessions", part_of_core(found.module))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_reached_through_its_doors(library: str) -> None:
    wrong = [
        str(found)
        for source in python_files(CORE)
        for found in imports_of(source)
        if found.module.partition(".")[0] == library
        if not str(source.relative_to(CORE)).startswith(DOORS[library])
    ]
    assert not wrong, "\n".join(wrong)


def in_type_checking(found: Import) -> bool:
    """Whether the import is for annotations alone, below `if TYPE_CHECKING:`."""
    tree = ast.parse(found.source.read_text(encoding="utf-8"))
    return any(
        node.lineno <= found.line <= (node.body[-1].end_lineno or node.body[-1].lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    )


def test_modules_are_named_for_what_they_hold_and_stay_small() -> None:
    folders = [CORE, *(plugin / "src" for plugin in PLUGINS)]
    wrong = [
        f"{source.relative_to(ROOT)}: {complaint}"
        for folder in folders
        for source in python_files(folder)
        for complaint in complaints(source)
    ]
    assert not wrong, "\n".join(wrong)


def complaints(source: Path) -> Iterator[str]:
    text = source.read_text(encoding="utf-8")
    tree = ast.parse(text)
    if source.stem in EMPTY_NAMES:
        yield f"{source.stem} says nothing of what it holds"
    # The whole extension surface is one page on purpose.
    if (lines := text.count("\n")) > MAX_LINES and source.stem != "hookspecs":
        yield f"{lines} lines; look for a seam"
    if not ast.get_docstring(tree):
        yield "begins without a docstring"
    if "TODO" in text or "FIXME" in text:
        yield "leaves work for later"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            yield f"line {node.lineno} prints; results go through cli.output"
        if isinstance(node, ast.ExceptHandler):
            yield from complaints_about_handler(source, node)


def complaints_about_handler(source: Path, handler: ast.ExceptHandler) -> Iterator[str]:
    """Nothing is swallowed; who catches everything raises it again when the cleaning up is done."""
    caught = ast.unparse(handler.type) if handler.type else "everything"
    is_broad = caught in {"Exception", "BaseException", "everything"}
    last = handler.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    if is_broad and not raises_again and source not in MAY_CATCH_ALL:
        yield f"line {handler.lineno} catches {caught}"
    if isinstance(handler.body[0], ast.Pass):
        yield f"line {handler.lineno} passes over {caught}"


def test_the_page_for_writers_of_plugins_names_what_is_public() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    named = re.findall(r"`roar_core\.(\w+)`", page.partition("\n| ")[0])
    assert sorted(named) == sorted(PUBLIC)


def test_changelog_fragments_say_which_distribution_they_are_about() -> None:
    names = {"roar-lineage", "roar-core", *(f"roar-{p.name.replace('_', '-')}" for p in PLUGINS)}
    for fragment in sorted((ROOT / "changelog.d").glob("*.md")):
        assert fragment.suffixes[-2] in {".added", ".changed", ".fixed", ".removed"}, fragment.name
        assert fragment.read_text(encoding="utf-8").split(":")[0] in names, fragment.name
