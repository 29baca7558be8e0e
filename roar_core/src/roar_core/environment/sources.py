"""Decide which untracked files are source code, and which of them look like secrets.

An untracked data file is no part of the code's version: when a run reads it, it is an input. What
git ignores never comes here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple

from roar_core.environment.patterns import compiled

# Besides the configured suffixes: what a run is built or set up from, when it is small.
_SETUP_SUFFIXES = (".toml", ".cfg", ".ini", ".yaml", ".yml", ".ipynb", ".dockerfile", ".j2", ".nix")
_SETUP_NAMES = (
    r"(GNU)?[Mm]akefile|(Docker|Container|Snake|Jenkins|Just|just|Rake|Gem|Proc)file([.-].*)?"
    r"|CMakeLists\.txt|requirements.*\.(txt|in)|constraints.*\.txt|package\.json|tsconfig.*\.json"
    r"|\.git(ignore|attributes|modules)|\.dockerignore|go\.(mod|sum)"
)
_SETUP_MOST_BYTES = 1 << 20

_SENSITIVE_NAMES = (
    r"(?i)\.env(\..+)?|.+\.env|\.netrc|_netrc|\.pypirc|\.npmrc|\.pgpass|\.htpasswd|\.git-credentials"
    r"|\.s3cfg|\.boto|\.dockercfg|kubeconfig|id_(rsa|dsa|ecdsa|ed25519).*|service[-_]account.*\.json"
    r"|credentials?.*|.+\.(pem|key|p12|pfx|p8|jks|keystore|kdbx|ppk|ovpn|token)"
)
_SENSITIVE_WORDS = (
    r"(?i)(^|[._-])(secrets?|tokens?|passwords?|passwd|api[_-]?keys?|credentials?)($|[._-])"
)
_SENSITIVE_FOLDERS = frozenset({".aws", ".ssh", ".gnupg", ".kube", ".docker", ".azure", ".gcloud"})
_SENSITIVE_STEMS = r"(?i)\.?(secrets?|credentials?|tokens?|passwords?|api[_-]?keys?)"
_HARMLESS = r"(?i).*\.(example|sample|template|dist|pub)"
# Only forms that nothing else has: RFC 7468, and the prefixes that GitHub, AWS, Slack and Hugging
# Face give their tokens so that scanners can find them.
_SENSITIVE_CONTENT = (
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{40}"
    rb"|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[0-9]+-[0-9A-Za-z-]{10}|\bhf_[A-Za-z]{34}\b"
)


class Untracked(NamedTuple):
    """Untracked files by what they mean for the version of the code. Absolute paths, sorted.

    `sources` belong to it, `secrets` look like secrets by name, source or not, and `outputs` would
    be source but were written by an earlier recorded run.
    """

    sources: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def sort_untracked(
    paths: Iterable[str],
    root: str,
    known_output: Callable[[str], bool],
    source_suffixes: Iterable[str],
) -> Untracked:
    """Sort `paths`, all below `root`; `known_output` is asked only about what would be source.

    What lies in a `.roar` directory is roar's own and nothing of these.
    """
    suffixes = tuple(source_suffixes)
    sources: list[str] = []
    secrets: list[str] = []
    outputs: list[str] = []
    for path in sorted(paths):
        if is_roars_own(path, root):
            continue
        if looks_secret(path, suffixes):
            secrets.append(path)
        elif is_source(path, suffixes):
            (outputs if known_output(path) else sources).append(path)
    return Untracked(tuple(sources), tuple(secrets), tuple(outputs))


def is_roars_own(path: str, root: str) -> bool:
    """Whether `path` lies in a `.roar` directory of the checkout at `root`."""
    return "/.roar/" in path[len(root) :]


def is_source(path: str, suffixes: tuple[str, ...]) -> bool:
    """Whether the file is code, by suffix or as a script, or what a run is set up from."""
    if path.endswith(suffixes):
        return True
    name = path.rpartition("/")[2]
    if name.endswith(_SETUP_SUFFIXES) or compiled(_SETUP_NAMES).fullmatch(name):
        found = _regular(path)
        return found is not None and found.st_size <= _SETUP_MOST_BYTES
    return "." not in name and _is_script(path)


def looks_secret(path: str, source_suffixes: tuple[str, ...] = ()) -> bool:
    """Whether the name says that the file holds secrets.

    Code is judged by its whole stem, so that `tokenizer.py` and `token_counts.py` are just code.
    """
    *folders, name = path.split("/")
    if compiled(_HARMLESS).fullmatch(name):
        return False
    if not _SENSITIVE_FOLDERS.isdisjoint(folders[-3:]):
        return True
    if name.endswith(source_suffixes):
        return compiled(_SENSITIVE_STEMS).fullmatch(name.rpartition(".")[0]) is not None
    return bool(
        compiled(_SENSITIVE_NAMES).fullmatch(name) or compiled(_SENSITIVE_WORDS).search(name)
    )


def holds_secret(content: bytes) -> bool:
    """Whether the bytes hold a private key or a token of unmistakable form."""
    return compiled(_SENSITIVE_CONTENT).search(content) is not None


def _is_script(path: str) -> bool:
    """Whether the file is a small executable that begins with `#!`."""
    found = _regular(path)
    if found is None or not found.st_mode & 0o111 or found.st_size > _SETUP_MOST_BYTES:
        return False
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - run start-up, and names of any bytes
            return file.read(2) == b"#!"
    except OSError:
        return False


def _regular(path: str) -> os.stat_result | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None
