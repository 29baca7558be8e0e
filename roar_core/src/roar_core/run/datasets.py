"""From touched files to datasets: one edge stands for all members of one dataset.

The hash of such an edge names the whole dataset where that can be known: members that the run did
not touch are hashed too, as long as that stays within `composites.untouched_max`. Else it names
what was touched, and says so. A dataset that was read before and has not changed since is known by
its files' fingerprints, without their digests.
"""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from blake3 import blake3

from roar_core.composites.grouping import Grouping, Root, members_on_disk
from roar_core.errors import RoarError
from roar_core.hashing.cache import StatCache, is_settled, key_of
from roar_core.hashing.digests import Digested
from roar_core.hashing.pool import HashFailure
from roar_core.identity import Leaf, portable_name, tree_hash
from roar_core.model.composite import Component, CompositeUse, Dataset, KnownDataset, in_order
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Edge
from roar_core.model.observation import InputFile

Digests = Mapping[str, str]
Hash = Callable[[Sequence[tuple[str, Fingerprint | None]]], Mapping[str, Digested | HashFailure]]

# Listing more than this would take longer than a user waits for one chunk of a large dataset.
UNTOUCHED_COUNT_MAX = 200_000


class Touched(NamedTuple):
    """A file that the run read or wrote; `digests` are None when they are unknown."""

    path: str
    fingerprint: Fingerprint
    digests: Digests | None
    was_changed: bool = False

    @property
    def size(self) -> int:
        return self.fingerprint.size


class Recalled(NamedTuple):
    """Edges of datasets known as they are, and the paths of the inputs that these stand for."""

    edges: tuple[Edge, ...]
    paths: frozenset[str]


class Grouped(NamedTuple):
    """The edges that stand for datasets, what they stand for, and the files that are in none."""

    edges: tuple[Edge, ...]
    datasets: tuple[Dataset, ...]
    others: tuple[Touched, ...]


class Known(StatCache, Protocol):
    """What was learnt in earlier runs; the session database implements it."""

    def dataset_of_version(self, version: bytes) -> KnownDataset | None:
        """The dataset that files of these fingerprints are."""


class DatasetMaker:
    """Makes datasets of the files of one run that started at `started_at_ns`.

    `untouched_max` is in bytes.
    """

    def __init__(
        self,
        grouping: Grouping,
        known: Known,
        hash_files: Hash,
        *,
        untouched_max: int,
        started_at_ns: int,
    ) -> None:
        self._grouping = grouping
        self._known = known
        self._hash = hash_files
        self._untouched_max = untouched_max
        self._started_at_ns = started_at_ns

    def recall(self, inputs: Iterable[InputFile], written: Iterable[str]) -> Recalled:
        """Datasets of which every member was read and which are as they were in an earlier run."""
        spoilt = {root.path for path in written if (root := self._grouping.root_of(path))}
        roots: dict[str, Root] = {}
        members: dict[str, dict[str, InputFile]] = defaultdict(dict)
        for file in inputs:
            root = self._grouping.root_of(file.path)
            name = root and root.member(file.path)
            if root is None or name is None or root.path in spoilt:
                continue
            roots[root.path] = root
            if file.changed or name in members[root.path]:
                spoilt.add(root.path)
            members[root.path][name] = file
        edges: list[Edge] = []
        paths: set[str] = set()
        for path in roots.keys() - spoilt:
            files = members[path]
            if any(name not in files for name, _ in members_on_disk(roots[path])):
                continue
            version = dataset_version(
                roots[path].format.name,
                ((name, file.fingerprint) for name, file in files.items()),
                self._started_at_ns,
            )
            known = version and self._known.dataset_of_version(version)
            if known:
                layout = roots[path].format.name
                use = CompositeUse(layout, len(files), len(files), is_whole=True)
                edges.append(_edge(path, known.hash, known.size, use))
                paths.update(file.path for file in files.values())
        return Recalled(tuple(edges), frozenset(paths))

    def group(
        self, files: Iterable[Touched], *, written: frozenset[str], is_output: bool
    ) -> Grouped:
        """Put members of datasets together.

        `written` are the paths of all outputs: what of them was not read is no part of an input.
        """
        others: list[Touched] = []
        members: dict[str, dict[str, Touched]] = defaultdict(dict)
        roots: dict[str, Root] = {}
        for file in files:
            root = self._grouping.root_of(file.path)
            name = root and root.member(file.path)
            if root is None or name is None:
                others.append(file)
            elif file.digests is None or name in members[root.path]:
                # Unknown bytes, and a second version of one name, are told one by one.
                others.append(file)
            else:
                roots[root.path] = root
                members[root.path][name] = file
        edges: list[Edge] = []
        datasets: list[Dataset] = []
        for path in sorted(roots):
            made = self._make(roots[path], members[path], written, is_output=is_output)
            if made is None:
                others.extend(members[path].values())
            else:
                edges.append(made[0])
                datasets.append(made[1])
        return Grouped(tuple(edges), tuple(datasets), tuple(others))

    def _make(
        self,
        root: Root,
        touched: Mapping[str, Touched],
        written: frozenset[str],
        *,
        is_output: bool,
    ) -> tuple[Edge, Dataset] | None:
        """The edge of one dataset and what it stands for; None when it is none after all."""
        rest = _Untouched()
        for name, entry in members_on_disk(root):
            if name in touched:
                continue
            if not is_output and entry.path in written:
                # New, or overwritten unread: what the dataset was before is not known.
                rest.is_known = False
            elif not rest.add(name, entry):
                break
        count = None if rest.is_too_many else len(touched) + rest.count
        if count is not None and count < 2:
            return None
        components = [
            Component(portable_name(name), (file.digests or {})["blake3"], file.size)
            for name, file in touched.items()
        ]
        untouched = self._digested(rest)
        ordered = tuple(sorted([*components, *(untouched or ())], key=in_order))
        try:
            tree = tree_hash(Leaf(c.path, "blake3", c.digest) for c in ordered)
        except RoarError:  # two names that a registry cannot tell apart, such as a\b and a/b
            return None
        use = CompositeUse(root.format.name, len(touched), count, untouched is not None)
        was_changed = any(file.was_changed for file in touched.values())
        size = sum(component.size for component in ordered)
        is_all = len(ordered) == len(touched)
        version = None
        if use.is_whole and is_all and not (is_output or was_changed):
            version = dataset_version(
                root.format.name,
                ((n, file.fingerprint) for n, file in touched.items()),
                self._started_at_ns,
            )
        return _edge(root.path, str(tree), size, use, was_changed=was_changed), Dataset(
            root.path,
            is_output,
            root.format.name,
            ordered,
            touched=None if is_all else frozenset(map(portable_name, touched)),
            version=version,
        )

    def _digested(self, rest: _Untouched) -> list[Component] | None:
        """Members the run did not touch, as they are now; None when they cannot all be known."""
        if not rest.is_known or rest.is_too_many:
            return None
        known = self._known.digests_for(rest.files.values(), "blake3")
        unknown = [path for path, file in rest.files.items() if key_of(file) not in known]
        if sum(rest.files[path].size for path in unknown) > self._untouched_max:
            return None
        hashed = self._hash([(path, None) for path in unknown])
        components = list(rest.links)
        for path, file in rest.files.items():
            digest = known.get(key_of(file))
            if digest is None:
                result = hashed[path]
                if isinstance(result, HashFailure):
                    return None
                file, digest = result.fingerprint, result.digests["blake3"]
            components.append(Component(rest.names[path], digest, file.size))
        return components


class _Untouched:
    """Members of a dataset that the run left alone: files by their paths, and links."""

    def __init__(self) -> None:
        self.files: dict[str, Fingerprint] = {}
        self.names: dict[str, str] = {}
        self.links: list[Component] = []
        self.is_known = True
        self.is_too_many = False

    @property
    def count(self) -> int:
        return len(self.files) + len(self.links)

    def add(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Take one in; False when there are too many."""
        if self.count == UNTOUCHED_COUNT_MAX:
            self.is_too_many = True
            return False
        try:
            if entry.is_symlink():
                text = os.fsencode(os.readlink(entry.path))  # noqa: PTH115 - any bytes
                digest = blake3(text).hexdigest()
                self.links.append(Component(portable_name(name), digest, len(text), "symlink"))
            else:
                self.files[entry.path] = Fingerprint.from_stat(entry.stat(follow_symlinks=False))
                self.names[entry.path] = portable_name(name)
        except OSError:
            self.is_known = False  # it went while we looked
        return True


def dataset_version(
    layout: str, files: Iterable[tuple[str, Fingerprint]], read_from_ns: int
) -> bytes | None:
    """The name of a dataset's files as they are; None when their digests may not be kept by it.

    `files` are (name below the root, fingerprint) in the order of their names as text.
    """
    names: list[str] = []
    numbers = array("Q")
    for name, file in files:
        if not is_settled(file, read_from_ns):
            return None
        names.append(name)
        try:
            numbers.extend(file[:5])
        except OverflowError:  # a time before 1970
            return None
    text = "\0".join((layout, *names)).encode("utf-8", "surrogateescape")
    return blake3(numbers.tobytes()).update(text).digest()


def _edge(path: str, name: str, size: int, use: CompositeUse, *, was_changed: bool = False) -> Edge:
    algorithm, _, digest = name.partition(":")
    return Edge(
        path,
        size,
        {algorithm: digest},
        kind="composite",
        hash_state="before_change" if was_changed else "exact",
        composite=use,
    )
