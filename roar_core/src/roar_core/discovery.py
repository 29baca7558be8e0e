"""Find the plugins advertised along `sys.path`, without importing them or `importlib.metadata`.

Reading `entry_points.txt` here takes a few milliseconds with hundreds of distributions installed;
`importlib.metadata.entry_points` takes ten times that, and every `roar run` would pay for it.

The rules are the import system's: the first folder of the path that holds a distribution decides
about it, also when that copy advertises nothing. Format: the entry points specification,
https://packaging.python.org/specifications/entry-points/
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

KINDS = {
    "roar.tracers": "tracer",
    "roar.analyzers": "analyzer",
    "roar.storage_proxies": "storage proxy",
    "roar.backends": "backend",
    "roar.transfers": "transfer",
    "roar.composites": "composite",
    "roar.exporters": "exporter",
    "roar.commands": "command",
}

# Names of plugins or of distributions to leave out, separated by commas, or `all`.
DISABLE = "ROAR_DISABLE_PLUGINS"

_METADATA_LIMIT = 1 << 20
_CHUNK = 8192  # os.read allocates what it is asked for: 1 MiB a file would take 2 ms of 300
_SUFFIXES = (".dist-info", ".egg-info")

_Read = Callable[[str], bytes | None]


class PluginRef(NamedTuple):
    """A plugin that was found, not imported: who advertises which object under which name.

    `kind` is the singular of `KINDS`, or the group itself when roar knows no such group.
    """

    kind: str
    name: str
    value: str
    distribution: str
    version: str
    group: str


def find_plugins(
    groups: Iterable[str] | None = None, path: Sequence[str] | None = None
) -> list[PluginRef]:
    """Every plugin of `groups` (None: every group named `roar.*`), ordered by name.

    Folders and metadata that cannot be read are passed over, as the import system does.
    """
    found = _scan(tuple(sys.path if path is None else path))
    if groups is None:
        return list(found)
    wanted = frozenset(groups)
    return [ref for ref in found if ref.group in wanted]


def disabled_names(environ: Mapping[str, str]) -> frozenset[str]:
    """What ROAR_DISABLE_PLUGINS names."""
    return frozenset(filter(None, map(str.strip, environ.get(DISABLE, "").split(","))))


def is_disabled(ref: PluginRef, names: frozenset[str]) -> bool:
    """Whether `names` has this plugin, its distribution, or `all`."""
    return not names.isdisjoint({"all", ref.name, ref.distribution})


@functools.cache
def _scan(path: tuple[str, ...]) -> tuple[PluginRef, ...]:
    seen: set[str] = set()
    found: set[PluginRef] = set()
    for entry in path:
        for project, folder, read in _distributions(entry or "."):
            if project not in seen:
                seen.add(project)
                found.update(_advertised(folder, read))
    return tuple(sorted(found, key=lambda ref: (ref.name, ref.group, ref.distribution, ref.value)))


def _distributions(entry: str) -> list[tuple[str, str, _Read]]:
    """(normalised project, metadata folder, reader) of each distribution in one path entry."""
    read: _Read = _read_file
    try:
        names = os.listdir(entry)  # noqa: PTH208 - a Path for each of 300 names costs 1 ms
    except NotADirectoryError:
        names, read = _zip_contents(entry)
    except (OSError, ValueError):  # ValueError: a NUL byte in the path
        return []
    folders = [name for name in names if name.endswith(_SUFFIXES) and not name.startswith("~")]
    if entry.endswith(".egg") and "EGG-INFO" in names:
        folders.append("EGG-INFO")
    best: dict[str, str] = {}
    egg = os.path.basename(entry)  # noqa: PTH119
    for folder in folders:
        project = _project(egg if folder == "EGG-INFO" else folder)
        # An interrupted upgrade leaves two versions of one project in a folder: take the newer.
        if project not in best or _natural(folder) > _natural(best[project]):
            best[project] = folder
    return [(project, f"{entry}/{folder}", read) for project, folder in best.items()]


def _advertised(folder: str, read: _Read) -> Iterator[PluginRef]:
    data = read(f"{folder}/entry_points.txt")
    if data is None or b"roar." not in data:
        return
    pairs = [(g, n, v) for g, n, v in _parse(data.decode("utf-8", "replace")) if g[:5] == "roar."]
    if not pairs:
        return
    distribution, version = _identity(folder, read)
    for group, name, value in pairs:
        yield PluginRef(KINDS.get(group, group), name, value, distribution, version, group)


def _parse(text: str) -> Iterator[tuple[str, str, str]]:
    """(group, name, value) of each line of an `entry_points.txt`; malformed lines are left out."""
    group = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and line[0] not in "#;":
            name, equals, value = line.partition("=")
            value = value.partition("[")[0].strip()  # extras, as in `module:attr [extra]`
            if equals and name.strip() and value:
                yield group, name.strip(), value


def _identity(folder: str, read: _Read) -> tuple[str, str]:
    """Distribution name and version: what METADATA says, else what the folder is called."""
    facts: dict[str, str] = {}
    data = read(f"{folder}/METADATA") or read(f"{folder}/PKG-INFO") or b""
    for line in data.decode("utf-8", "replace").splitlines():
        if not line:  # the end of the headers
            break
        key, _, value = line.partition(":")
        facts.setdefault(key.lower(), value.strip())
    stem = os.path.basename(folder).rpartition(".")[0]  # noqa: PTH119
    name, _, version = stem.partition("-")
    return facts.get("name") or name, facts.get("version") or version or "unknown"


def _project(folder: str) -> str:
    """The normalised project name in `Some_Name-1.0.dist-info`: `some-name`."""
    name = folder.rpartition(".")[0].partition("-")[0].lower().replace("_", "-").replace(".", "-")
    return re.sub("-+", "-", name) if "--" in name else name


def _natural(folder: str) -> list[tuple[int, str]]:
    """A sort key under which 1.10 comes after 1.9."""
    return [(int(part or 0), text) for text, part in re.findall(r"(\D*)(\d*)", folder)]


def _read_file(path: str) -> bytes | None:
    # O_NONBLOCK: a FIFO of this name must not make every command hang.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        data = chunk = os.read(fd, _CHUNK)
        while len(chunk) == _CHUNK and len(data) < _METADATA_LIMIT:
            chunk = os.read(fd, _CHUNK)
            data += chunk
        return data
    except OSError:
        return None
    finally:
        os.close(fd)


def _zip_contents(archive: str) -> tuple[list[str], _Read]:
    """Top-level folder names of a zip on the path, and a reader; nothing for what is no zip."""
    import zipfile
    import zlib

    def read(path: str) -> bytes | None:
        member = path[len(archive) + 1 :]
        try:
            with zipfile.ZipFile(archive) as opened, opened.open(member) as stream:
                return stream.read(_METADATA_LIMIT)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError):
            return None  # RuntimeError: an encrypted member

    try:
        with zipfile.ZipFile(archive) as opened:
            return sorted({name.partition("/")[0] for name in opened.namelist()}), read
    except (OSError, ValueError, zipfile.BadZipFile):
        return [], read
