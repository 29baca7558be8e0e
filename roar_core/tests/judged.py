"""What the judge says of a model tree's records."""

from __future__ import annotations

from roar_core.model.observation import InputFile, Observation, OutputFile
from roar_core.observe.filters import FilterPolicy, Filters
from roar_core.observe.judge import judge
from roar_core.testing.traces import ModelTree

FILTERS = Filters(FilterPolicy(project="/p", roar_dir="/p/.roar", home="/home/u"))


def observe(tree: ModelTree, **known: int) -> Observation:
    return judge(tree.records, tree.look, FILTERS, list_files=tree.list_files, **known)


def inputs(tree: ModelTree) -> list[str]:
    return [file.path for file in observe(tree).inputs]


def outputs(tree: ModelTree) -> list[str]:
    return [file.path for file in observe(tree).outputs]


def only_input(tree: ModelTree) -> InputFile:
    [file] = observe(tree).inputs
    return file


def only_output(tree: ModelTree) -> OutputFile:
    [file] = observe(tree).outputs
    return file
