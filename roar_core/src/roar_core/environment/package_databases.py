"""The formats in which operating systems record who owns a file: dpkg, apk, rpm.

Each reader takes the root directory and the paths asked about, and returns path -> (name, version)
for those that are owned; None when it could not be found out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from roar_core.environment.output_of import output_of, program

_RPM_TIMEOUT_S = 10.0
_RPM_BATCH = 500
# Where /bin, /lib … are links into /usr, packages may still list the short name (usrmerge).
_MERGED = re.compile(rb"^/usr(/(?:bin|sbin|lib\w*)/)")


def dpkg_owners(root: str, paths: set[str]) -> Mapping[str, tuple[str, str]] | None:
    """From `/var/lib/dpkg`: `info/*.list` and `diversions` for files, `status` for versions."""
    folder = f"{root}/var/lib/dpkg"
    # dpkg-divert(1): (the name that packages list, where it is put instead, by which package).
    lines = _read(f"{folder}/diversions").split(b"\n")
    diversions = list(zip(lines[::3], lines[1::3], lines[2::3], strict=False))
    original = {moved: name for name, moved, _ in diversions}
    diverter = {name: os.fsdecode(by) for name, _, by in diversions}
    names = {path: _spellings(path) for path in paths}
    spelled = {name for each in names.values() for name in each}
    listers = _dpkg_listers(
        f"{folder}/info", spelled | {original.get(name, name) for name in spelled}
    )
    if listers is None:
        return None
    owners: dict[str, str] = {}
    for path, each in names.items():
        for name in each:
            by = diverter.get(original.get(name, name))
            packages = listers.get(original.get(name, name), ())
            if by is not None:
                # Where it was diverted from lies the diverter's file; where to, everyone else's.
                packages = [one for one in packages if (one == by) == (name in diverter)]
            if packages:
                owners.setdefault(path, packages[0])
    versions = _dpkg_versions(f"{folder}/status", set(owners.values()))
    return {path: (name, versions[name]) for path, name in owners.items() if name in versions}


def apk_owners(root: str, paths: set[str]) -> Mapping[str, tuple[str, str]]:
    """From `/lib/apk/db/installed`, apk-db(5): P: package, V: version, F: directory, R: file."""
    found: dict[str, tuple[str, str]] = {}
    package = version = folder = ""
    for line in os.fsdecode(_read(f"{root}/lib/apk/db/installed")).split("\n"):
        kind, value = line[:2], line[2:]
        if kind == "P:":
            package = value
        elif kind == "V:":
            version = value
        elif kind == "F:":
            folder = f"/{value}" if value else ""
        elif kind == "R:":
            path = f"{folder}/{value}"
            for alias in (path, f"/usr{path}"):
                if alias in paths:
                    found[alias] = (package, version)
    return found


def rpm_owners(root: str, paths: set[str]) -> Mapping[str, tuple[str, str]] | None:
    """What rpm says; None when it is not installed or does not answer.

    `rpm -qf` names the packages but not which path is whose (one has two owners, one no line at
    all), so a second question lists the files of those packages.
    """
    rpm = program("rpm")
    if rpm is None:
        return None
    query = [rpm, *(("--root", root) if root else ()), "-q"]
    packages: set[str] = set()
    asked = sorted(paths)
    for start in range(0, len(asked), _RPM_BATCH):
        batch = asked[start : start + _RPM_BATCH]
        lines = _rpm_lines([*query, "--qf", "\\t%{NAME}\\n", "-f", "--", *batch])
        if lines is None:
            return None
        packages.update(line[1:] for line in lines if line.startswith("\t"))
    if not packages:
        return {}
    listed: dict[str, tuple[str, str]] = {}
    every_file = "[%{=NAME}\\t%{=EVR}\\t%{FILENAMES}\\n]"
    lines = _rpm_lines([*query, "--qf", every_file, "--", *sorted(packages)])
    if lines is None:
        return None
    for line in lines:
        words = line.split("\t", 2)
        if len(words) == 3:
            listed.setdefault(words[2], (words[0], words[1]))
    names = {path: [os.fsdecode(name) for name in _spellings(path)] for path in paths}
    return {
        path: listed[name] for path, each in names.items() for name in each[::-1] if name in listed
    }


def _rpm_lines(argv: list[str]) -> list[str] | None:
    try:
        output = output_of(argv, _RPM_TIMEOUT_S)
    except OSError:
        return None
    # Its status counts the paths that nobody owns, so it says nothing about success.
    return None if output.cut else os.fsdecode(output.out).split("\n")


def _spellings(path: str) -> tuple[bytes, ...]:
    """How a package may list `path`: as it is, or without the `/usr` that a merged system adds."""
    name = os.fsencode(path)
    return tuple(dict.fromkeys((name, _MERGED.sub(rb"\1", name, count=1))))


def _dpkg_listers(folder: str, names: set[bytes]) -> dict[bytes, list[str]] | None:
    """Which packages list each of `names`, in order of package; None when there are no lists."""
    try:
        files = sorted(os.listdir(folder))  # noqa: PTH208 - pathlib costs 8 ms
    except OSError:
        return None
    found: dict[bytes, list[str]] = {}
    for file in files:
        if file.endswith(".list"):
            package = file.removesuffix(".list").partition(":")[0]
            for name in names.intersection(_read(f"{folder}/{file}").split(b"\n")):
                found.setdefault(name, []).append(package)
    return found


def _dpkg_versions(path: str, packages: set[str]) -> dict[str, str]:
    """The versions of installed packages: deb-control(5), one paragraph each."""
    found: dict[str, str] = {}
    for paragraph in _read(path).decode(errors="replace").split("\n\n"):
        name = re.search(r"^Package: (\S+)", paragraph, re.MULTILINE)
        version = re.search(r"^Version: (\S+)", paragraph, re.MULTILINE)
        if name and version and name[1] in packages:
            found[name[1]] = version[1]
    return found


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 8 ms
            return file.read()
    except OSError:
        return b""
