"""Which Python ran the program: the one that was observed, not the one roar runs on.

The interpreter itself is asked, once: `pyvenv.cfg` goes stale when the base Python is upgraded, and
headers need not be of the same patch version. It has just been run by the user's own command; `-I`
and `-S` keep site and the working directory out of it. The answer is kept under its fingerprint.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from roar_core.environment.cache import load_cache, save_cache, stamp_of, user_cache_dir
from roar_core.environment.output_of import output_of
from roar_core.environment.patterns import compiled

_NAME = r"(python|pypy|graalpy)[\d.]*t?(-dbg|d)?"
_ANSWER = r"[a-z]{2,20} \d+\.\d+[\w.+]{0,20}"
_ASK = (
    "import sys; print(sys.implementation.name, sys.version.split()[0]"
    " + ('t' if 't' in getattr(sys, 'abiflags', '') else ''))"
)
_TIMEOUT_S = 2.0
_MOST_KEPT = 64


def interpreters(programs: Iterable[str], environ: Mapping[str, str]) -> str | None:
    """`cpython 3.11.7`, several joined by commas, sorted; None without a Python in `programs`."""
    paths = sorted(
        {path for path in programs if compiled(_NAME).fullmatch(path.rpartition("/")[2])}
    )
    if not paths:
        return None
    folder = user_cache_dir(environ)
    cache = None if folder is None else f"{folder}/interpreters.json"
    kept = load_cache(cache)
    found: set[str] = set()
    asked: dict[str, str] = {}
    for path in paths:
        key = _fingerprint(path)
        answer = kept.get(key) if key is not None else None
        if not isinstance(answer, str) and key is not None:
            answer = _ask(path)
            if answer is not None:
                asked[key] = answer
        if isinstance(answer, str):
            found.add(answer)
    if asked:
        recent = dict(list(kept.items())[-_MOST_KEPT:])
        save_cache(cache, {**recent, **asked})
    return ", ".join(sorted(found)) or None


def _fingerprint(path: str) -> str | None:
    """Host (a home with its cache may be shared) and file; None when there is no such binary.

    A script called python, such as a pyenv shim, is none: what it starts depends on where it is
    asked, and has been observed itself.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 8 ms
            if file.read(2) == b"#!":
                return None
            stamp = stamp_of(os.fstat(file.fileno()))
    except OSError:
        return None
    return f"{os.uname().nodename} {stamp} {path}"


def _ask(path: str) -> str | None:
    try:
        output = output_of([path, "-I", "-S", "-c", _ASK], _TIMEOUT_S)
    except (OSError, ValueError):
        return None
    answer = output.out.decode(errors="replace").strip()
    return answer if output.ok and compiled(_ANSWER).fullmatch(answer) else None
