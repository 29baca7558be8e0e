"""What `hf://[datasets/|models/|spaces/]owner/repo[@revision][/path]` names.

Paths are taken as they are: nothing in such a URL is escaped but a revision's slashes, as %2F.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from roar_core.errors import RoarError

SCHEME = "hf"
_KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
_NAME = r"[A-Za-z0-9][\w.-]{0,95}"
_URL = re.compile(
    rf"(?P<repository>hf://(?:(?P<kinds>models|datasets|spaces)/)?(?P<id>{_NAME}/{_NAME})"
    r"(?:@(?P<revision>refs/(?:pr|convert)/[^/@]+|[^/@]+))?)(?:/(?P<path>.*))?",
    re.S | re.A,
)


class Address(NamedTuple):
    """A repository at a revision (None: its main one), and a path in it.

    `repository` is the URL of it as it was written, and `kind` is model, dataset or space.
    """

    repository: str
    kind: str
    id: str
    revision: str | None
    path: str

    def __str__(self) -> str:
        return f"{self.repository}/{self.path}" if self.path else self.repository


def address_of(url: str) -> Address:
    """Read a URL. RoarError when it names no repository or no possible path."""
    found = _URL.fullmatch(url)
    if found is None:
        raise RoarError(
            f"{url} names no repository; write hf://datasets/owner/repo/path, with models/ or "
            "spaces/ for these, and @revision after repo for another than the main one"
        )
    path = (found["path"] or "").removesuffix("/")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise RoarError(f"the hub takes names in UTF-8 only, which {path!r} is not") from error
    if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise RoarError(f"{url} has an empty part, `.` or `..` in its path; leave it out")
    revision = None if found["revision"] is None else unquote(found["revision"])
    kind = _KINDS[found["kinds"] or "models"]
    return Address(found["repository"], kind, found["id"], revision, path)


def file_of(url: str) -> Address:
    """Read the URL of one file. RoarError when it has no path."""
    address = address_of(url)
    if not address.path:
        raise RoarError(f"{url} is a repository, not a file; add the file's path in it")
    return address


def below(url: str, name: str) -> str:
    """The URL of `name` below `url`."""
    return str(file_of(f"{address_of(url)}/{name}"))
