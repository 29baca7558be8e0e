"""Read one `site-packages` directory: which distribution installed what.

The files are read directly. `importlib.metadata` would answer for roar's own environment and
version of Python, and takes 30 ms to import.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any

import attrs

from roar_core.environment.cache import stamp_of
from roar_core.environment.patterns import compiled

_METADATA_SUFFIXES = (".dist-info", ".egg-info")
_RECORD_TOPS = rb'(?m)^"?([^/,\r\n"]+)'
_ABSOLUTE_IN_QUOTES = r"""['"](/[^'"\n]+)['"]"""
_SETTLE_NS = 2_000_000_000
_HEADER_BYTES = 1 << 14


@attrs.frozen
class Site:
    """A directory into which distributions are installed.

    A distribution goes by the name of its metadata in `folder`, e.g. `six-1.16.0.dist-info`.
    `tops` maps the first component of installed paths to the distributions that have files there;
    `editable` pairs directories of code outside with the distributions they belong to.
    """

    folder: str
    tops: dict[str, list[str]]
    editable: list[list[str]]

    @classmethod
    def from_cache(cls, folder: str, kept: object, stamp: str | None) -> Site | None:
        """The site as it was stored, unless the directory has changed since or may be changing."""
        if not isinstance(kept, dict) or stamp is None or kept.get("stamp") != stamp:
            return None
        tops, editable = kept.get("tops"), kept.get("editable")
        if not isinstance(tops, dict) or not isinstance(editable, list):
            return None
        return cls(folder, tops, editable)

    def to_cache(self, stamp: str) -> dict[str, Any]:
        return {"stamp": stamp, "tops": self.tops, "editable": self.editable}

    def owner(self, relative: str) -> str | None:
        """The distribution that installed the file at `relative`, None when no metadata says so."""
        top = relative.partition("/")[0]
        candidates = self.tops.get(top) or self.tops.get(top.partition(".")[0]) or []
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        # A namespace shared by several, or remains of an older version: the RECORDs decide.
        line = re.compile(rb'^"?' + re.escape(os.fsencode(relative)) + rb'"?(,|$)', re.MULTILINE)
        listing = [name for name in candidates if line.search(self._read(name, "RECORD"))]
        return max(listing, key=self._mtime_ns) if listing else None

    def name_and_version(self, owner: str) -> tuple[str, str]:
        """As the metadata spells them, else as the directory's name does."""
        for file in ("METADATA", "PKG-INFO", "EGG-INFO/PKG-INFO", ""):
            text = self._read(owner, file, _HEADER_BYTES).decode(errors="replace")
            headers = dict(re.findall(r"^(Name|Version):[ \t]*(\S+)", text, re.MULTILINE))
            if len(headers) == 2:
                return headers["Name"], headers["Version"]
        name, _, rest = owner.removesuffix(".egg").partition("-")
        for suffix in _METADATA_SUFFIXES:
            rest = rest.removesuffix(suffix)
        return name, rest.partition("-py")[0]

    def _read(self, owner: str, file: str, most: int = -1) -> bytes:
        return _bytes(f"{self.folder}/{owner}/{file}".rstrip("/"), most)

    def _mtime_ns(self, owner: str) -> int:
        return os.stat(f"{self.folder}/{owner}").st_mtime_ns  # noqa: PTH116 - pathlib costs 8 ms


def read_site(folder: str) -> Site:
    """Read every distribution's list of files below `folder`; empty when it cannot be listed."""
    site = Site(folder, {}, [])
    for owner in _names(folder):
        if owner.endswith(_METADATA_SUFFIXES):
            for top in _tops(folder, owner):
                site.tops.setdefault(top, []).append(owner)
            site.editable.extend([root, owner] for root in _editable_roots(folder, owner))
    return site


def settled_stamp(folder: str) -> str | None:
    """A text that differs once the directory has changed; None when it may be changing now."""
    try:
        found = os.stat(folder)  # noqa: PTH116 - pathlib costs 8 ms
    except OSError:
        return None
    return stamp_of(found) if time.time_ns() - found.st_ctime_ns > _SETTLE_NS else None


def _tops(folder: str, owner: str) -> set[str]:
    """First components of what the distribution installed; of a bare egg-info file, its name."""
    record = _bytes(f"{folder}/{owner}/RECORD") or _relative_lines(folder, owner)
    if record:
        found = {os.fsdecode(top) for top in compiled(_RECORD_TOPS).findall(record)}
        return found - {"..", "__pycache__", owner}
    listed = _bytes(f"{folder}/{owner}/top_level.txt").split()
    name = owner.partition("-")[0]
    return {os.fsdecode(line) for line in listed} or {name, name.lower(), name.replace(".", "_")}


def _relative_lines(folder: str, owner: str) -> bytes:
    """setuptools' `installed-files.txt`, whose paths start at the metadata directory."""
    lines = _bytes(f"{folder}/{owner}/installed-files.txt").splitlines()
    return b"\n".join(line[3:] for line in lines if line.startswith(b"../"))


def _editable_roots(folder: str, owner: str) -> set[str]:
    """Directories and modules outside that an editable install reaches: PEP 610, PEP 660."""
    if not re.search(rb'"editable"\s*:\s*true', _bytes(f"{folder}/{owner}/direct_url.json")):
        return set()
    roots: set[str] = set()
    for top in _tops(folder, owner):
        text = os.fsdecode(_bytes(f"{folder}/{top}"))
        if top.endswith(".pth"):
            roots.update(line.strip() for line in text.splitlines() if line.startswith("/"))
        elif top.startswith("__editable__") and top.endswith(".py"):
            # setuptools' finder holds its mapping of names to places as a dict literal on one line.
            for line in re.findall(r"^(?:MAPPING|NAMESPACES)\b.*$", text, re.MULTILINE):
                roots.update(compiled(_ABSOLUTE_IN_QUOTES).findall(line))
    return {os.path.realpath(root) for root in roots}


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - pathlib costs 8 ms
    except OSError:
        return []


def _bytes(path: str, most: int = -1) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 8 ms
            return file.read(most)
    except OSError:
        return b""
