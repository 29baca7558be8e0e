"""Datasets of many files as jobs use them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import attrs

ComponentKind = Literal["file", "symlink", "composite"]


class Component(NamedTuple):
    """A member of a dataset: its name below the root, and its BLAKE3 digest in lower-case hex.

    The name is UTF-8 with surrogateescape whatever the locale (`identity.portable_name`).

    Of a symbolic link the digest is that of the link's text, of a composite its tree hash.
    """

    path: str
    digest: str
    size: int
    kind: ComponentKind = "file"


def in_order(component: Component) -> bytes:
    """The key by which components are sorted: their name as UTF-8."""
    return component.path.encode("utf-8", "surrogateescape")


@attrs.frozen
class CompositeUse:
    """How much of a dataset one job touched.

    `members` is how many there were, None when there were too many to count; `touched` of them were
    read, or written. `is_whole`: the hash is that of the whole dataset, else of the touched members
    alone.
    """

    layout: str
    touched: int
    members: int | None
    is_whole: bool = True


@attrs.frozen
class Dataset:
    """What a composite edge of one job stands for, for the store to keep.

    `path` and `is_output` say which edge. `components` are those that its hash covers, sorted by
    name; `touched` are the names of those that the job read, or wrote, None when it was all.
    `version` is set when their digests hold for as long as the files' fingerprints do: files of
    these fingerprints are this dataset.
    """

    path: str
    is_output: bool
    layout: str
    components: tuple[Component, ...]
    touched: frozenset[str] | None = None
    version: bytes | None = None


@attrs.frozen
class KnownDataset:
    """A dataset that the database knows by its files' fingerprints; `size` is in bytes."""

    hash: str
    size: int
    members: int
