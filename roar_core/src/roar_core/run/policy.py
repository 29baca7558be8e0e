"""What this run's filters are."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator

from roar_core.config.layers import Config
from roar_core.discovery import find_plugins
from roar_core.environment.packages import system_packages
from roar_core.journal import Record
from roar_core.model.job import Job
from roar_core.observe.filters import CLASSES, FilterPolicy, Filters
from roar_core.project import Project

_PACKAGE = re.compile(r"/(roar_\w+)/")


def named_in(command: Iterable[str], cwd: str) -> frozenset[str]:
    """Absolute, resolved paths that the command names, also as the value of `--option=path`."""
    words: list[str] = []
    for word in command:
        words.append(word)
        if word.startswith("-") and "=" in word:
            words.append(word.partition("=")[2])
    return frozenset(
        os.path.realpath(os.path.join(cwd, word))  # noqa: PTH118 - any bytes
        for word in words
        if word and "\0" not in word and len(word) < 4096
    )


def all_paths_in(records: Iterable[Record]) -> Iterator[str]:
    """Every path that the journal names."""
    return (
        os.fsdecode(name)
        for record in records
        for name in record.strings[:2]
        if name.startswith(b"/")
    )


def paths_in(records: Iterable[Record], project: Project) -> frozenset[str]:
    """Every path of the project that the journal names: all that the filters may be asked about."""
    inside = os.fsencode(f"{project.root}/")
    return frozenset(
        os.fsdecode(name)
        for record in records
        for name in record.strings[:2]
        if name.startswith(inside)
    )


def filters_for(
    project: Project,
    config: Config,
    job: Job,
    tracked: frozenset[str],
    claims: Callable[[str], bool],
) -> Filters:
    """The filters of one run.

    `tracked` holds the files that commit or snapshot stand for; `claims` is what analyzers and
    backends say.
    """
    settings = config.section("filters")
    return Filters(
        FilterPolicy(
            project=os.fspath(project.root),
            roar_dir=os.fspath(project.roar_dir),
            home=os.path.expanduser("~"),  # noqa: PTH111 - no exception when there is no home
            argv_paths=named_in(job.command, job.cwd),
            tracked=tracked.__contains__,
            source_suffixes=frozenset(settings["source_suffixes"]),
            enabled={name: settings[name] for name in CLASSES if name in settings},
            ignore=tuple(settings["ignore"]),
            opt_owned=_owned_below_opt,
            is_roars=_is_roars,
            claims=claims,
            cache_home=os.environ.get("XDG_CACHE_HOME"),
        )
    )


def _is_roars(path: str) -> bool:
    """Whether a package of roar's own, or of a plugin that is found here, has this file."""
    name = _PACKAGE.search(path)
    return name is not None and path.startswith(_folders_of(name[1]))


@functools.cache
def _folders_of(package: str) -> tuple[str, ...]:
    from importlib.util import find_spec

    ours = {ref.value.partition(":")[0].partition(".")[0] for ref in find_plugins()}
    if package not in ours | {"roar_core"}:
        return ()
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return tuple(f"{os.path.realpath(folder)}/" for folder in folders or ())


@functools.cache
def _owned_below_opt(path: str) -> bool:
    """Whether a package of the system owns this file below /opt."""
    return bool(system_packages([path]))
