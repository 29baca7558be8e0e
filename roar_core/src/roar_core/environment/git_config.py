"""Read a repository's own configuration file, without running git.

Two questions need it before git may run: which content filters the *repository* defines (programs
that a hostile checkout would have us execute), and where it was cloned from. The format is that of
git-config(1), "CONFIGURATION FILE".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from roar_core.environment.patterns import compiled

Settings = tuple[tuple[str, str], ...]

_SECTION = r'\[\s*([-.\w]+)\s*(?:"((?:\\.|[^"\\])*)")?\s*\]'
_KEY = r"([A-Za-z][-\w]*)[ \t]*(=?)"
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}
_DEEPEST_INCLUDE = 10
_LARGEST_BYTES = 4 << 20


def read_settings(path: str, depth: int = 0) -> Settings:
    """Every (name, value) in the file, in order, with what it includes; () when there is no file.

    A name is `section.subsection.key`, section and key in lower case. A conditional include counts
    as if its condition held.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - run start-up, and names of any bytes
            text = os.fsdecode(file.read(_LARGEST_BYTES))
    except OSError:
        return ()
    found: list[tuple[str, str]] = []
    for name, value in parse_settings(text):
        found.append((name, value))
        if name.startswith(("include.", "includeif.")) and name.endswith(".path"):
            target = os.path.join(os.path.dirname(path), os.path.expanduser(value))  # noqa: PTH111,PTH118,PTH120 - bytes survive
            if depth < _DEEPEST_INCLUDE:
                found += read_settings(target, depth + 1)
    return tuple(found)


def parse_settings(text: str) -> Iterator[tuple[str, str]]:
    """The (name, value) pairs of a configuration text; what is no setting is passed over."""
    prefix = ""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] in "#;":
            at = _end_of_line(text, at)
        elif section := compiled(_SECTION).match(text, at):
            name, subsection = section.groups()
            quoted = "" if subsection is None else re.sub(r"\\(.)", r"\1", subsection) + "."
            prefix = f"{name.lower()}.{quoted}"
            at = section.end()
        elif key := compiled(_KEY).match(text, at):
            value, at = _value(text, key.end()) if key[2] else ("true", _end_of_line(text, at))
            yield f"{prefix}{key[1].lower()}", value
        else:
            at = _end_of_line(text, at)


def local_filters(settings: Settings) -> list[str]:
    """Names of the content filters that these settings define."""
    names = {name[len("filter.") : name.rindex(".")] for name, _ in settings if _is_filter(name)}
    return sorted(names)


def remote_of(settings: Settings, branch: str | None) -> str | None:
    """The URL of the branch's remote, else of `origin`, else of the first; without credentials."""
    values = dict(settings)
    urls: dict[str, str] = {}
    for name, value in settings:
        if name.startswith("remote.") and name.endswith(".url"):
            urls.setdefault(name[len("remote.") : -len(".url")], value)
    for name in (values.get(f"branch.{branch}.remote", ""), "origin", *urls):
        if name in urls:
            return without_credentials(urls[name])
    return None


def without_credentials(url: str) -> str:
    """`url` with nothing secret left in it, in every form that git takes.

    A login name alone is kept where it is needed to connect and is no secret: `git@host:path` and
    `ssh://git@host/path`. Of a web URL also query and fragment go.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        return _scp_without_password(url)
    authority, slash, path = rest.partition("/")
    port = authority.rpartition("@")[2].partition(":")[2]
    if port and not port.isdigit() and "@" in path:
        # A password with an unescaped slash in it: everything up to the last @ may be part of it.
        authority, slash, path = rest.rpartition("@")[2].partition("/")
    login, _, host = authority.rpartition("@")
    kept = login.partition(":")[0] if scheme.lower().endswith("ssh") else ""
    if scheme.lower().endswith(("http", "https")):
        path = re.split(r"[?#]", path, maxsplit=1)[0]
        host = re.split(r"[?#]", host, maxsplit=1)[0]
    return f"{scheme}://{kept}{'@' if kept else ''}{host}{slash}{path}"


def _scp_without_password(url: str) -> str:
    """`user:password@host:path` without the password; a plain path as it is."""
    head, slash, tail = url.partition("/")
    login, at, place = head.rpartition("@")
    if not at or ":" not in place:
        return url
    return f"{login.partition(':')[0]}@{place}{slash}{tail}"


def _is_filter(name: str) -> bool:
    return name.startswith("filter.") and name.count(".") > 1


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that starts at `at`, and where it ends."""
    out: list[str] = []
    kept = 0
    quoted = False
    while at < len(text) and (text[at] != "\n"):
        char = text[at]
        at += 1
        if char == "\\":
            escaped = text[at : at + 1]
            at += 1
            if escaped != "\n":
                out.append(_ESCAPES.get(escaped, escaped))
                kept = len(out)
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            at = _end_of_line(text, at)
        elif out or quoted or not char.isspace():
            out.append(char)
            kept = len(out) if quoted or not char.isspace() else kept
    return "".join(out[:kept]), at


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
