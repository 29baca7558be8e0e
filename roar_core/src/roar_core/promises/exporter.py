"""What roar relies on of an exporter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from roar_core.hookspecs import Exporter
from roar_core.promises.graphs import EMPTY, EXAMPLE, Read, as_handed_over
from roar_core.promises.pipe import Pipe
from roar_core.promises.promise import Complaint, promise

_FORMAT = re.compile(r"[a-z][a-z0-9.+-]*", re.ASCII)


@promise("its format is a word that a shell takes as it is")
def format_is_a_word(exporter: Exporter) -> Iterator[Complaint]:
    if not _FORMAT.fullmatch(exporter.format):
        yield Complaint(
            f"its format is {exporter.format!r}", "use lower-case letters, digits, '.', '+' and '-'"
        )


@promise("it writes every graph, one without jobs too")
def writes_every_graph(exporter: Exporter) -> Iterator[Complaint]:
    written(exporter, EMPTY)  # where a line is a job, there is nothing to say
    if not written(exporter, EXAMPLE):
        yield Complaint("it writes nothing of a graph of jobs", "write a document of its format")


@promise("the same graph gives the same bytes")
def writes_the_same_twice(exporter: Exporter) -> Iterator[Complaint]:
    if written(exporter, EXAMPLE) != written(exporter, EXAMPLE):
        yield Complaint(
            "it writes other bytes of the same graph",
            "add no clock, no random number, and nothing in the order of a set",
        )


@promise("the graph stays as it is")
def leaves_the_graph_alone(exporter: Exporter) -> Iterator[Complaint]:
    graph = as_handed_over(EXAMPLE)
    exporter.write(graph, Pipe())
    if {name: list(v) if isinstance(v, Read) else v for name, v in graph.items()} != EXAMPLE:
        yield Complaint("it changes the graph it is given", "build what you write anew")


@promise("the target is written in order, and stays open")
def only_writes(exporter: Exporter) -> Iterator[Complaint]:
    pipe = Pipe()
    exporter.write(as_handed_over(EXAMPLE), pipe)
    for deed in pipe.misdeeds:
        yield Complaint(
            f"it calls {deed} of its target",
            "only write; of an io.TextIOWrapper, detach() the target again",
        )


PROMISES = (
    format_is_a_word,
    writes_every_graph,
    writes_the_same_twice,
    leaves_the_graph_alone,
    only_writes,
)


def written(exporter: Exporter, graph: dict[str, Any]) -> bytes:
    """What `exporter` makes of `graph`."""
    pipe = Pipe()
    exporter.write(as_handed_over(graph), pipe)
    return pipe.content
