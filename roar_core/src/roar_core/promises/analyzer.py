"""What roar relies on of an analyzer in every run, also one that never saw its tracker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from roar_core.hookspecs import Analyzer, ObservedRun
from roar_core.observe.patterns import Matcher, compile_patterns
from roar_core.promises.promise import Complaint, promise

# What every project has, and no tracker's analyzer may take out of lineage.
ORDINARY = ("data.csv", "train.py", "model.pkl", "params.yaml", "report/index.html", "runs/a.txt")

_PROJECT, _HOME = "/home/ada/project", "/home/ada"


@promise("it has a title for people")
def has_a_title(analyzer: Analyzer) -> Iterator[Complaint]:
    if not isinstance(analyzer.title, str) or not analyzer.title.strip():
        yield Complaint(f"its title is {analyzer.title!r}", "say what people call the tracker")


@promise("its patterns are a tuple of globs")
def has_patterns(analyzer: Analyzer) -> Iterator[Complaint]:
    patterns = analyzer.patterns
    if not isinstance(patterns, tuple) or not all(isinstance(each, str) for each in patterns):
        yield Complaint(
            f"its patterns are {patterns!r}", 'give a tuple of text, such as ("wandb/",)'
        )
        return
    for pattern in patterns:
        try:
            found = compile_patterns((pattern,), _PROJECT, _HOME)
        except re.error as error:
            yield Complaint(f"its pattern {pattern!r} is no glob: {error}", "correct its brackets")
            continue
        if found is None:
            yield Complaint(f"its pattern {pattern!r} matches nothing", "name a file or a folder")


@promise("its patterns take no ordinary file out of lineage")
def claims_nothing_ordinary(analyzer: Analyzer) -> Iterator[Complaint]:
    claims = claimed_by(analyzer)
    for name in ORDINARY:
        if claims(f"{_PROJECT}/{name}"):
            yield Complaint(
                f"its patterns take {name}, which may be anybody's",
                "name what only the tracker writes",
            )


@promise("its patterns match whole names")
def matches_whole_names(analyzer: Analyzer) -> Iterator[Complaint]:
    claims = claimed_by(analyzer)
    for pattern in analyzer.patterns:
        name = pattern.rstrip("/").rpartition("/")[2]
        stranger = f"my-{name}-notes/data.csv"
        if "*" not in name and claims(f"{_PROJECT}/{stranger}"):
            yield Complaint(f"its patterns take {stranger}", "name the whole folder or file")


@promise("a run that logged nothing has no reference")
def names_nothing_of_nothing(analyzer: Analyzer) -> Iterator[Complaint]:
    for reference in analyzer.references(ObservedRun(Path(_PROJECT), Path(_PROJECT))):
        yield Complaint(
            f"it names {reference!r} in a run without files, packages and variables",
            "name only what this run wrote",
        )


PROMISES = (
    has_a_title,
    has_patterns,
    claims_nothing_ordinary,
    matches_whole_names,
    names_nothing_of_nothing,
)


def claimed_by(analyzer: Analyzer, project: str = _PROJECT, home: str = _HOME) -> Matcher:
    """What roar makes of the patterns in a run of this project and this user."""
    found = compile_patterns(analyzer.patterns, project, home)
    return found or (lambda path: False)
