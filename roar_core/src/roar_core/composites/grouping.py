"""Which of the touched files belong to which dataset."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from roar_core.composites.formats import Marked
from roar_core.hookspecs import CompositeFormat
from roar_core.identity import in_identity


class Root(NamedTuple):
    """Where a dataset begins, and the format that says so."""

    path: str
    format: CompositeFormat

    def member(self, path: str) -> str | None:
        """A file's name below the root, None when it is no member."""
        relative = path[len(self.path) + 1 :]
        if not in_identity(relative) or not self.format.in_identity(relative):
            return None
        return relative


class TouchedFolder:
    """A `Folder` over what a run has touched and what is on the disk now."""

    def __init__(self, path: str, touched: Iterable[str], leads_to: Iterable[str]) -> None:
        self.name = path.rpartition("/")[2]
        self.touched = frozenset(touched)
        self.leads_to = frozenset(leads_to)
        self._path = path
        self._has: dict[str, bool] = {}
        self._names: dict[str, frozenset[str]] = {}

    def has(self, relative: str) -> bool:
        known = self._has.get(relative)
        if known is None:
            known = relative in self.touched or os.path.lexists(f"{self._path}/{relative}")
            self._has[relative] = known
        return known

    def names(self, relative: str = "") -> frozenset[str]:
        if relative not in self._names:
            try:
                found = os.listdir(f"{self._path}/{relative}")  # noqa: PTH208 - names, not paths
            except OSError:
                found = []
            self._names[relative] = frozenset(found)
        return self._names[relative]


class Grouping:
    """The datasets among a run's files.

    `tops` are folders too general to be a dataset, nor is any folder above one of them.
    `forced` says of a folder's path whether the user calls it a dataset.
    """

    def __init__(
        self,
        paths: Iterable[str],
        formats: Sequence[CompositeFormat],
        tops: Iterable[str],
        forced: Callable[[str], bool] | None = None,
    ) -> None:
        self._forced = forced
        self._formats = sorted(formats, key=lambda format_: format_.priority)
        self._touched: dict[str, list[str]] = defaultdict(list)
        self._leads_to: dict[str, set[str]] = defaultdict(set)
        # The root that each folder belongs to; outer folders are decided before inner ones.
        self._roots: dict[str, Root | None] = {"": None}
        for top in tops:
            while top and top not in self._roots:
                self._roots[top] = None
                top = top.rpartition("/")[0]
        for path in paths:
            folder, _, name = path.rpartition("/")
            self._touched[folder].append(name)
        for folder in list(self._touched):
            self._note_way_to(folder)

    def root_of(self, path: str) -> Root | None:
        """The dataset that a touched file lies in, whether or not it is a member."""
        return self._root_of_folder(path.rpartition("/")[0])

    def _note_way_to(self, folder: str) -> None:
        while folder:
            above, _, name = folder.rpartition("/")
            names = self._leads_to[above]
            if name in names:
                return
            names.add(name)
            folder = above

    def _root_of_folder(self, folder: str) -> Root | None:
        if folder in self._roots:
            return self._roots[folder]
        root = self._root_of_folder(folder.rpartition("/")[0])
        if root is None or (root.format.is_flat and root.path != folder):
            root = self._root_at(folder)
        self._roots[folder] = root
        return root

    def _root_at(self, path: str) -> Root | None:
        if self._forced is not None and self._forced(path):
            return Root(path, Marked())
        folder = TouchedFolder(path, self._touched.get(path, ()), self._leads_to.get(path, ()))
        for format_ in self._formats:
            if format_.is_root(folder):
                return Root(path, format_)
        return None


def members_on_disk(root: Root) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every member that is there now, by its name below the root: files and symbolic links."""
    folders = [""]
    while folders:
        below = folders.pop()
        try:
            entries = list(os.scandir(f"{root.path}/{below}"))
        except OSError:
            continue  # gone or unreadable: what is known of it is what was touched
        for entry in entries:
            relative = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if not root.format.is_flat:
                    folders.append(f"{relative}/")
                continue
            is_leaf = entry.is_file(follow_symlinks=False) or entry.is_symlink()
            if is_leaf and in_identity(relative) and root.format.in_identity(relative):
                yield relative, entry
