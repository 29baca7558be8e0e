"""What a job's metadata tells of where it ran, and labels as lines: both hold anything at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_MOST_PAIRS = 500
_MOST_PACKAGES = 2_000
_MOST_VALUE = 2_000
_DEEPEST = 20
_PACKAGES = {
    "pip": "Python packages",
    "python": "Python packages",
    "dpkg": "system packages",
    "build_pip": "Python packages of the build",
    "build_dpkg": "system packages of the build",
}
# Where the facts of an environment stand, in roar-cli's metadata (`runtime`) and in roar's.
_LINES = (
    ("Python", ("python",)),
    ("system", ("os",)),
    ("architecture", ("arch",)),
    ("host", ("hostname",)),
    ("processor", ("cpu",)),
    ("memory", ("memory",)),
    ("GPU", ("gpu",)),
    ("CUDA", ("cuda",)),
    ("container", ("container",)),
    ("virtual machine", ("vm",)),
)


class Line(NamedTuple):
    """One fact: its name and what it is."""

    name: str
    value: str


class Packages(NamedTuple):
    """Packages of one kind, by name."""

    name: str
    versions: list[tuple[str, str]]


class Environment(NamedTuple):
    """Where a job ran, as far as its metadata tells."""

    lines: list[Line]
    packages: list[Packages]


class Pairs(NamedTuple):
    """A document as dotted keys and values; how many there were beyond what is shown."""

    pairs: list[tuple[str, str]]
    left_out: int


def metadata_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata document of a job that `describe_jobs` told."""
    told = job.get("metadata")
    found = json.loads(told) if isinstance(told, str) and told else told
    return found if isinstance(found, dict) else {}


def environment(metadata: Mapping[str, Any]) -> Environment:
    """The environment that a job's metadata describes."""
    runtime = metadata.get("runtime")
    places = [place for place in (runtime, metadata.get("environment")) if isinstance(place, dict)]
    lines = []
    for name, (key,) in _LINES:
        told = next((place[key] for place in places if place.get(key)), None)
        text = _version(told) or _in_words(told)
        if text:
            lines.append(Line(name, text))
    folder = metadata.get("cwd")
    if isinstance(folder, str) and folder:
        lines.append(Line("folder", folder[:_MOST_VALUE]))
    version = metadata.get("roar_version")
    if isinstance(version, str) and version:
        lines.append(Line("roar", version[:_MOST_VALUE]))
    return Environment(lines, _packages(metadata.get("packages")))


def _version(told: object) -> str | None:
    """`CPython 3.11.2` and `Linux 6.1.0`, where that is all there is to it."""
    if not isinstance(told, Mapping):
        return None
    names = [key for key in ("implementation", "system", "name", "id") if told.get(key)]
    versions = [key for key in ("version", "release") if told.get(key)]
    if len(names) != 1 or len(versions) != 1 or len(told) != 2:
        return None
    return _in_words([told[names[0]]]) + " " + _in_words([told[versions[0]]])


def _packages(told: object) -> list[Packages]:
    if not isinstance(told, Mapping):
        return []
    found = []
    for kind, versions in told.items():
        if isinstance(versions, Mapping) and versions:
            listed = [(str(name), _in_words(version)) for name, version in versions.items()]
            listed.sort(key=lambda pair: pair[0].lower())
            name = _PACKAGES.get(str(kind), f"packages of {kind}"[:80])
            found.append(Packages(name, listed[:_MOST_PACKAGES]))
    return found


def _in_words(value: object) -> str:
    """A value of any shape in one line: `version 3.11.2, implementation CPython`."""
    if isinstance(value, Mapping):
        told = ((str(key), _in_words(inner)) for key, inner in value.items())
        text = ", ".join(f"{key} {inner}" for key, inner in told if inner)
    elif isinstance(value, list):
        text = "; ".join(filter(None, map(_in_words, value)))
    elif value is None or value == "":
        text = ""
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _MOST_VALUE else f"{text[:_MOST_VALUE]}…"


def pairs_of(document: Mapping[str, Any]) -> Pairs:
    """A label document, line by line in its own order; lists stay whole."""
    found: list[tuple[str, str]] = []
    left_out = 0
    for key, value in _walk(document, "", 0):
        if len(found) < _MOST_PAIRS:
            found.append((key, value))
        else:
            left_out += 1
    return Pairs(found, left_out)


def _walk(document: Mapping[str, Any], start: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        key = f"{start}{name}"
        if isinstance(value, Mapping) and value and depth < _DEEPEST:
            yield from _walk(value, f"{key}.", depth + 1)
        elif isinstance(value, list):
            yield key, ", ".join(map(_in_words, value))[:_MOST_VALUE]
        else:
            yield key, _in_words(value)
