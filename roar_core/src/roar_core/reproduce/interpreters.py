"""Virtual environments for recorded interpreters and packages: which, and from what here."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

from roar_core.environment.interpreter import interpreters
from roar_core.environment.output_of import output_of, program
from roar_core.model.job import Job
from roar_core.reproduce.plan import EnvironmentPlan

_TIMEOUT_S = 20.0
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_INTERPRETER = re.compile(r"[a-z]{2,20} \d+\.\d+[\w.+]{0,20}")
_ASK_DISTRIBUTIONS = """
import json, importlib.metadata as m
print(json.dumps([[d.metadata['Name'], d.version, d.read_text('direct_url.json')]
                  for d in m.distributions()]))
"""


def plan_environments(
    jobs: Sequence[Job], environ: Mapping[str, str]
) -> tuple[list[EnvironmentPlan], dict[str, str]]:
    """The environments that jobs need, and the name of each job's by uid.

    Jobs share one when they ran on the same interpreter and agree on every package's version. Jobs
    that ran no Python need none.
    """
    groups: list[tuple[str, dict[str, str]]] = []
    member_of: dict[str, int] = {}
    for job in jobs:
        interpreter = recorded_interpreter(job)
        if interpreter is None:
            continue
        packages = dict(job.packages.python)
        for number, (known, together) in enumerate(groups):
            if known == interpreter and all(
                together.get(name, version) == version for name, version in packages.items()
            ):
                together.update(packages)
                member_of[job.uid] = number
                break
        else:
            member_of[job.uid] = len(groups)
            groups.append((interpreter, packages))
    here = _interpreters_here(environ) if groups else {}
    local = _local_packages(here)
    for job in jobs:
        # Code of an editable install that was read from its checkout, outside of any project.
        if job.uid in member_of:
            packages = groups[member_of[job.uid]][1]
            packages.update(_read_editable((edge.path for edge in job.inputs), local))
    origins = {key: what for key, (what, _) in local.items()}
    plans = [
        _plan(f"env{number + 1}", interpreter, packages, here, origins)
        for number, (interpreter, packages) in enumerate(groups)
    ]
    return plans, {uid: f"env{number + 1}" for uid, number in member_of.items()}


def recorded_interpreter(job: Job) -> str | None:
    """`cpython 3.11.7`; of several that a job ran, the first. None when it ran no Python."""
    recorded = job.environment.interpreter if job.environment else None
    first = (recorded or "").partition(",")[0]
    return first if _INTERPRETER.fullmatch(first) else None


def is_pin(name: str, version: str) -> bool:
    """Whether these are a name and a version that an index can be asked for: PEP 508, PEP 440."""
    return bool(_NAME.fullmatch(name) and _VERSION.fullmatch(version))


def _plan(
    name: str,
    interpreter: str,
    packages: Mapping[str, str],
    here: Mapping[str, str],
    local: Mapping[tuple[str, str], str],
) -> EnvironmentPlan:
    base_version, base = _closest(interpreter, here)
    odd = {
        package: "its name or version is none that an index has"
        for package, version in packages.items()
        if not is_pin(package, version)
    }
    known = {
        package: local[_normal(package), version]
        for package, version in packages.items()
        if (_normal(package), version) in local
    }
    return EnvironmentPlan(name, interpreter, packages, base, base_version, {**known, **odd})


def _closest(interpreter: str, here: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The same version, else another patch release of it: (version, path)."""
    if interpreter in here:
        return interpreter, here[interpreter]
    minor = re.match(r"[a-z]+ \d+\.\d+", interpreter)
    for version, path in here.items():
        # A free-threaded build ("3.13.1t") is another ABI: PEP 703.
        is_same_kind = version.endswith("t") == interpreter.endswith("t")
        if minor and is_same_kind and re.fullmatch(re.escape(minor[0]) + r"(\D.*)?", version):
            return version, path
    return None, None


def _interpreters_here(environ: Mapping[str, str]) -> dict[str, str]:
    """Version -> path of the Pythons on PATH, and of the one that roar runs on."""
    found: dict[str, str] = {}
    names = ["python", "python3", *(f"python3.{minor}" for minor in range(20, 7, -1))]
    for path in (*filter(None, map(program, names)), sys.executable):
        version = interpreters([os.path.realpath(path)], environ)
        if version is not None:
            found.setdefault(version, path)
    return found


def _read_editable(
    paths: Iterable[str], local: Mapping[tuple[str, str], tuple[str, str | None]]
) -> dict[str, str]:
    """Name -> version of the editable installs whose checkouts hold any of `paths`."""
    roots = {f"{root}/": key for key, (_, root) in local.items() if root is not None}
    return {
        name: version
        for path in paths
        for root, (name, version) in roots.items()
        if path.startswith(root) and path.endswith(".py")
    }


def _local_packages(
    here: Mapping[str, str],
) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(name, version) -> what it is, of distributions here that came from no index: PEP 610.

    Of an editable install also where its checkout is.
    """
    found: dict[tuple[str, str], tuple[str, str | None]] = {}
    for path in here.values():
        output = output_of([path, "-I", "-c", _ASK_DISTRIBUTIONS], _TIMEOUT_S)
        if not output.ok:
            continue
        for name, version, direct_url in json.loads(output.out):
            what, root = _origin(direct_url)
            if what and name:
                found[_normal(name), version] = (what, root)
    return found


def _origin(direct_url: str | None) -> tuple[str | None, str | None]:
    try:
        fields = json.loads(direct_url or "{}")
    except ValueError:
        return None, None
    url = fields.get("url") if isinstance(fields, dict) else None
    if not isinstance(url, str):
        return None, None
    information = fields.get("dir_info")
    if isinstance(information, dict) and information.get("editable"):
        root = unquote(url.removeprefix("file://"))
        return f"an editable checkout of {root}", os.path.realpath(root)
    return f"installed from {url.removeprefix('file://')}", None


def _normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
