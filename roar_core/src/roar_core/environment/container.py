"""Which kind of container this process runs in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from roar_core.environment.patterns import compiled

# Each engine leaves one of these: its own variable, a marker file, or its name in a cgroup's path.
_VARIABLES = (
    ("KUBERNETES_SERVICE_HOST", "kubernetes"),
    ("APPTAINER_CONTAINER", "apptainer"),
    ("SINGULARITY_CONTAINER", "singularity"),
)
_FILES = (
    ("/run/.containerenv", "podman"),
    ("/.dockerenv", "docker"),
    ("/.singularity.d", "apptainer"),
)
_CGROUPS = (
    ("kubepods", "kubernetes"),
    ("libpod", "podman"),
    ("docker", "docker"),
    ("lxc", "lxc"),
    ("containerd", "containerd"),
)
_SAFE = r"[\w.-]{1,32}"


def container(environ: Mapping[str, str], root: str = "") -> str | None:
    """`docker`, `podman`, `kubernetes`, `lxc` …, or None; files are looked for below `root`."""
    for name, kind in _VARIABLES:
        if environ.get(name):
            return kind
    for path, kind in _FILES:
        if os.path.exists(root + path):  # noqa: PTH110 - pathlib costs 8 ms
            return kind
    # systemd's convention, "The Container Interface": the manager's kind in a file or a variable.
    told = _read(f"{root}/run/systemd/container").strip() or environ.get("container", "")
    if compiled(_SAFE).fullmatch(told):
        return told
    groups = _read(f"{root}/proc/self/cgroup")
    for word, kind in _CGROUPS:
        # The engine itself runs in `docker.service`; what it contains does not.
        if re.search(rf"[/-]{word}(?![\w-]*\.service)", groups):
            return kind
    return None


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 8 ms
            return file.read(1 << 14).decode(errors="replace")
    except OSError:
        return ""
