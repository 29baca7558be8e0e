"""Which files are no lineage, and of which class: rule 6 as data.

The classes, in the order in which they are asked: `internal` (git's and roar's own, not
configurable), `source` (inputs the commit stands for), then, unless the command line names the
file, `packages`, `system`, `caches`, `claimed`, `ignored`. What no class takes is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import attrs

from roar_core.observe.interpreters import package_roots
from roar_core.observe.patterns import compile_patterns

Role = Literal["input", "output"]

CLASSES = ("source", "packages", "system", "caches", "claimed", "ignored")

_SYSTEM = (
    *("/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"),
    *("/etc/", "/proc/", "/sys/", "/dev/", "/run/", "/var/"),
)
_VARIABLE = "/var/tmp/"  # noqa: S108 - a user's files, although below /var
_SITE = re.compile(r"/(?:site|dist)-packages/")
_INTERNAL = re.compile(r"/\.(?:git|roar)(?:/|$)")

# What a run can rebuild. Downloaded models and data sets (huggingface, torch/hub,
# tensorflow_datasets) lie beside these and are inputs: nothing here may contain them.
_CACHES_ANYWHERE = re.compile(
    r"/(?:__pycache__|\.(?:mypy|ruff|pytest)_cache|\.ccache|torchinductor_[^/]+)/"
    r"|/\.triton/cache/|\.pyc$"
)
_CACHES_BELOW_CACHE_HOME = (
    *(
        "roar",
        "pip",
        "uv",
        "pypoetry",
        "pre-commit",
        "ccache",
        "go-build",
        "matplotlib",
        "fontconfig",
    ),
    *("torch_extensions", "torch/kernels", "torch/inductor", "triton", "mesa_shader_cache"),
)
_CACHES_BELOW_HOME = (".ccache", ".triton/cache", ".nv/ComputeCache", ".config/matplotlib")


def _never(path: str) -> bool:
    return False


@attrs.frozen
class FilterPolicy:
    """What the classes depend on. Directories are absolute, without a slash at their end.

    `argv_paths` are the absolute paths the command line names; `tracked` says whether git has a
    file unmodified at the recorded commit or in its snapshot, `claims` whether an analyzer wants
    it, `opt_owned` whether a package owns a file below /opt, `is_roars` whether one belongs to the
    roar that runs, wherever that is installed. A class whose name maps to False in
    `enabled` takes nothing out. `cache_home` is $XDG_CACHE_HOME.
    """

    project: str
    roar_dir: str
    home: str
    argv_paths: frozenset[str] = frozenset()
    interpreter_prefixes: frozenset[str] = frozenset()
    tracked: Callable[[str], bool] = _never
    source_suffixes: frozenset[str] = frozenset()
    enabled: Mapping[str, bool] = attrs.field(factory=dict)
    ignore: tuple[str, ...] = ()
    claims: Callable[[str], bool] = _never
    opt_owned: Callable[[str], bool] = _never
    is_roars: Callable[[str], bool] = _never
    cache_home: str | None = None


class Filters:
    """Classifies paths by one policy."""

    def __init__(self, policy: FilterPolicy) -> None:
        self.policy = policy
        self._project = policy.project + "/"
        self._roar = policy.roar_dir + "/"
        self._packages = tuple(
            root
            for prefix in policy.interpreter_prefixes
            for root in package_roots(prefix, policy.project, policy.home)
        )
        cache_home = policy.cache_home or f"{policy.home}/.cache"
        self._caches = tuple(
            [f"{cache_home}/{name}/" for name in _CACHES_BELOW_CACHE_HOME]
            + [f"{policy.home}/{name}/" for name in _CACHES_BELOW_HOME]
        )
        self._ignored = compile_patterns(policy.ignore, policy.project, policy.home)
        self._order: tuple[tuple[str, Callable[[str], bool]], ...] = tuple(
            (name, test)
            for name, test in (
                ("packages", self._is_package),
                ("system", self._is_system),
                ("caches", self._is_cache),
                ("claimed", policy.claims),
                ("ignored", self._ignored or _never),
            )
            if policy.enabled.get(name, True) and test is not _never
        )
        self._sources = policy.enabled.get("source", True)
        self._order_inside = tuple(
            (name, test) for name, test in self._order if name in ("claimed", "ignored")
        )
        self._special_inside = tuple(
            root
            for root in (*self._packages, *self._caches)
            if root.startswith(self._project) or self._project.startswith(root)
        )

    def with_prefixes(self, prefixes: Iterable[str]) -> Filters:
        """The same policy, knowing further interpreter prefixes."""
        known = self.policy.interpreter_prefixes | frozenset(prefixes)
        if known == self.policy.interpreter_prefixes:
            return self
        return Filters(attrs.evolve(self.policy, interpreter_prefixes=known))

    def classify(self, path: str, *, role: Role, is_code: bool) -> str | None:
        """Return the class that takes `path` out of the lineage, None when it is recorded.

        `is_code` says that the run executed, imported or loaded the file. A program or library of
        the system or of a package stays the system's even when the command line names it.
        """
        if path.startswith(self._roar) or ("/." in path and _INTERNAL.search(path)):
            return "internal"
        if role == "input" and self._sources and self._is_source(path, is_code):
            return "source"
        named = path in self.policy.argv_paths
        for name, test in self._order_inside if self._is_plain(path) else self._order:
            if test(path):
                if named and not (is_code and name in ("packages", "system")):
                    return None
                return name
        return None

    def _is_plain(self, path: str) -> bool:
        """Whether the project has this file, and no word in it hints at packages or caches."""
        return (
            path.startswith(self._project)
            and "cache" not in path
            and "-packages/" not in path
            and "torchinductor" not in path
            and not path.endswith(".pyc")
            and not path.startswith(self._special_inside)
        )

    def _is_source(self, path: str, is_code: bool) -> bool:
        if not path.startswith(self._project):
            return False
        if not is_code:
            dot = path.rfind(".")
            if dot < 0 or path[dot:] not in self.policy.source_suffixes:
                return False
        return self.policy.tracked(path)

    def _is_package(self, path: str) -> bool:
        if self._packages and path.startswith(self._packages):
            return True
        if "-packages/" in path and _SITE.search(path) is not None:
            return True
        # In a checkout its sources may lie anywhere; a run inside the run reads them.
        return "/roar_" in path and self.policy.is_roars(path)

    def _is_system(self, path: str) -> bool:
        # A project below /tmp, /opt, /var … records like any other.
        if path.startswith(self._project):
            return False
        if path.startswith(_SYSTEM):
            return not path.startswith(_VARIABLE)
        return path.startswith("/opt/") and self.policy.opt_owned(path)

    def _is_cache(self, path: str) -> bool:
        if path.startswith(self._caches):
            return True
        # Most paths have none of these words, and looking for a word is ten times the faster.
        if "cache" in path or "torchinductor" in path or path.endswith(".pyc"):
            return _CACHES_ANYWHERE.search(path) is not None
        return False
