"""Where the interpreters of a run live, told from what it started and read: pure.

/proc/self/exe of a virtual environment's Python is the base interpreter, so the environment itself
is known by the path that was executed and by the pyvenv.cfg the interpreter reads. In one with a
copy of the program (`venv --copies`) it is the base that is known only by what is read of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# sys.prefix/bin/python3.11, also as python, python3 and with ABI letters (3.13t).
_PROGRAM = re.compile(r"(?P<prefix>/.*)/bin/python(?:\d+(?:\.\d+)?[a-z]*)?", re.DOTALL)
# What every Python reads first of its standard library.
_LIBRARY = re.compile(r"(?P<prefix>/.*)/lib(?:64)?/python\d+\.\d+t?/encodings/.*", re.DOTALL)
_PYENV = re.compile(r"(?P<root>/.*/\.?pyenv)/versions/[^/]+", re.DOTALL)
_SHARED = ("/usr", "/usr/local", "/opt", "/var", "/home", "/root", "/tmp")  # noqa: S108 - compared


def interpreter_prefixes(programs: Iterable[str], read: Iterable[str]) -> frozenset[str]:
    """Return the prefixes of the Pythons among the `programs` executed and the files `read`."""
    prefixes = {match["prefix"] for match in map(_PROGRAM.fullmatch, programs) if match}
    marker = "/pyvenv.cfg"
    for path in read:
        if path.endswith(marker):
            prefixes.add(path.removesuffix(marker))
        elif "/encodings/" in path and (match := _LIBRARY.fullmatch(path)):
            prefixes.add(match["prefix"])
    # pyenv's shims are scripts of its own, beside the versions it keeps.
    prefixes |= {match["root"] for match in map(_PYENV.fullmatch, prefixes) if match}
    prefixes.discard("")
    return frozenset(prefixes)


def package_roots(prefix: str, project: str, home: str) -> tuple[str, ...]:
    """Return what below `prefix` is the interpreter's own, as path beginnings.

    All of it, when the interpreter has the prefix to itself; only its library and binaries when the
    prefix is shared (/usr, ~/.local), or holds the project (`python -m venv .`) or the home.
    """
    inside = prefix + "/"
    shared = prefix in _SHARED or prefix == f"{home}/.local"
    if not shared and not f"{project}/".startswith(inside) and not f"{home}/".startswith(inside):
        return (inside,)
    parts = ("lib/python", "lib64/python", "bin/python", "include/python", "lib/libpython")
    return (*(inside + part for part in parts), inside + "pyvenv.cfg")
