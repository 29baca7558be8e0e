"""The pages for plugin authors and about settings say what the code says, neither more nor less."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from roar_core import fragments, hookspecs, reports
from roar_core.config.layers import load
from roar_core.config.schema import SECTIONS
from roar_core.config.values import kind_of, shown
from roar_core.contracts import CONTRACTS
from roar_core.discovery import KINDS
from roar_core.hookspecs import ConfigKey
from roar_core.model import fragment
from roar_core.scaffold.kinds import KINDS as KINDS_TO_MAKE
from roar_core.scaffold.kinds import Kind
from roar_core.scaffold.naming import checked_name
from roar_core.scaffold.packages import package_files
from roar_core.testing.analyzer import AnalyzerContract
from roar_core.testing.backend import BackendContract, PlanningContract, ProcessContract
from roar_core.testing.composite import CompositeContract
from roar_core.testing.exporter import ExporterContract
from roar_core.testing.storage_proxy import StorageProxyContract
from roar_core.testing.tracer import TracerContract
from roar_core.testing.transfer import ReadingContract, TransferContract

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "plugins" / "_template"


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def signature(function: Callable[..., Any]) -> str:
    """`launch(plan: LaunchPlan) -> Launch`, as the page writes it."""
    whole = inspect.signature(function)
    kept = [p for p in whole.parameters.values() if p.name != "self"]
    text = re.sub(r"(: |-> )'(.+?)'", r"\1\2", str(whole.replace(parameters=kept)))
    return f"{function.__name__}{text}"


def sections(text: str) -> dict[str, str]:
    """Heading -> what stands below it, for the second and third level."""
    parts = re.split(r"^#{2,3} (.+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


HOOKS = {
    name: function
    for name, function in vars(hookspecs).items()
    if hasattr(function, f"{hookspecs.PROJECT}_spec")
}
CLASSES = {
    name: cls
    for module in (hookspecs, fragment, fragments, reports)
    for name, cls in vars(module).items()
    if inspect.isclass(cls) and cls.__module__ == module.__name__ and not name.startswith("_")
}
# Of `fragment` as well, which passes it on: runs without tasks do without the rest of that module.
CLASSES["TaskCoverage"] = fragment.TaskCoverage


def test_every_hook_is_documented_with_exactly_its_arguments() -> None:
    documented = [head for head in sections(page("hooks.md")) if head.startswith("`roar_")]
    assert sorted(documented) == sorted(f"`{signature(hook)}`" for hook in HOOKS.values())


def test_every_class_is_documented_and_no_other() -> None:
    documented = {head for head in sections(page("hooks.md")) if head.isidentifier()}
    assert documented == set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_documented_with_exactly_its_members(name: str) -> None:
    text = sections(page("hooks.md"))[name]
    documented = re.findall(r"^- `(.+?)`", text, re.M)
    assert documented == list(members(CLASSES[name]))


def members(cls: type) -> Iterator[str]:
    """Fields as `name: type = default`, then methods by their signature."""
    if attrs.has(cls):
        for field in attrs.fields(cls):
            yield f"{field.name}: {field.type}{default(field)}"
        return
    defaults = getattr(cls, "_field_defaults", {})  # of a NamedTuple
    for name, type_ in inspect.get_annotations(cls).items():
        value = f" = {defaults[name]!r}" if name in defaults else ""
        yield f"{name}: {getattr(type_, '__forward_arg__', type_)}{value}"
    for name, member in vars(cls).items():
        if isinstance(member, property):
            assert member.fget is not None
            yield f"{name}: {inspect.signature(member.fget).return_annotation}"
    for name, method in vars(cls).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            yield signature(method)


def default(field: Any) -> str:
    if field.default is attrs.NOTHING:
        return ""
    value = "{}" if isinstance(field.default, attrs.Factory) else repr(field.default)  # type: ignore[arg-type]
    return f" = {value}"


def test_the_table_of_groups_is_complete() -> None:
    rows = re.findall(r"^\| `(roar\.\w+)` \| ([\w ]+) \| (.+?) \|", page("hooks.md"), re.M)
    hooks = {group: f"`{contract.hook}`" for group, contract in CONTRACTS.items()}
    assert rows == [(group, kind, hooks.get(group, "none")) for group, kind in KINDS.items()]


@pytest.mark.parametrize("kind", KINDS_TO_MAKE, ids=lambda kind: kind.word)
def test_the_code_of_each_kind_is_what_plugins_new_writes(kind: Kind) -> None:
    """Which tests/test_plugins_new.py installs, type-checks and runs."""
    files = package_files(checked_name(kind, "logbook"))
    shown = blocks(page("plugins.md"), "python")
    missing = [n for n, text in files.items() if '"""' in text and text not in shown]
    assert missing == ["tests/conftest.py"]


def test_the_metadata_of_the_worked_example_is_the_template() -> None:
    text = page("plugins.md")
    assert (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8") in blocks(text, "toml")


def test_the_promises_listed_are_those_of_the_kits() -> None:
    kits = (
        AnalyzerContract,
        TracerContract,
        PlanningContract,
        BackendContract,
        ProcessContract,
        StorageProxyContract,
        CompositeContract,
        ExporterContract,
        ReadingContract,
        TransferContract,
    )
    promises = [name for kit in kits for name in vars(kit) if name.startswith("test_")]
    assert re.findall(r"^- `(test_\w+)`", page("plugins.md"), re.M) == promises


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_every_setting_is_documented_as_the_schema_has_it(section: Any) -> None:
    text = sections(page("configuration.md"))[section.name]
    assert section.help in text
    assert re.findall(r"^- .+(?:\n  .+)*", text, re.M) == [
        entry(section.name, key) for key in section.keys
    ]


def entry(section: str, key: ConfigKey) -> str:
    """The lines of the page about one setting."""
    kind = kind_of(key)
    if key.choices:
        choices = ", ".join(f"`{choice}`" for choice in key.choices)
        kind = f"list of {choices}" if kind == "list of text" else choices
    value = f"default `{shown(key, key.default)}`"
    head = textwrap.wrap(f"- `{section}.{key.name}`: {kind}; {value}", 118)
    return "\n  ".join([*head, key.help])


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = re.findall(r"^- `(\w+\.\w+)`: ", page("configuration.md"), re.M)
    assert documented == [f"{s.name}.{key.name}" for s in SECTIONS for key in s.keys]


def test_every_example_in_the_page_about_settings_holds(tmp_path: Path) -> None:
    text = page("configuration.md")
    for number, block in enumerate(blocks(text, "toml")):
        root = tmp_path / str(number)
        root.mkdir()
        (root / "roar.toml").write_text(block, encoding="utf-8")
        assert load(root, None, {}).warnings == ()
