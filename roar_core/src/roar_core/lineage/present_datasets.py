"""Whether a dataset still is what a job read of it.

A dataset that was read whole is looked up by its files' fingerprints at once; else, and when that
is no answer, each member that was read is compared by its own. New members count where the job read
all there were.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from roar_core.lineage.present import look_at
from roar_core.store.composites import members_of

if TYPE_CHECKING:
    import sqlite3

    from roar_core.composites.grouping import Grouping
    from roar_core.hashing.cache import StatCache
    from roar_core.lineage.stale_facts import Consumed
    from roar_core.store.member_lists import MemberList

# From one of its files to the datasets there are; None when the settings say to look for none.
Group = Callable[[list[str]], "Grouping | None"]


class Look(NamedTuple):
    """How a dataset stands. `difference` says in words what is other, "" when nothing is known to
    be; `is_open`: something could not be compared."""

    difference: str = ""
    is_missing: bool = False
    is_open: bool = False


class DatasetLook:
    """Looks at datasets; `members_at_most` and `read_at_most` (bytes) bound each, None: any."""

    def __init__(
        self,
        cache: StatCache,
        group: Group,
        *,
        members_at_most: int | None = None,
        read_at_most: int | None = None,
    ) -> None:
        self._cache = cache
        self._group = group
        self._members_at_most = members_at_most
        self._read_at_most = read_at_most
        self._known: dict[tuple[str, int | None, bytes | None], Look] = {}

    def look(self, db: sqlite3.Connection, consumed: Consumed) -> Look:
        """Compare the folder with what a job read of it."""
        row = db.execute(
            "SELECT bitmap, is_whole, members, layout, member_count FROM composite_use used"
            " LEFT JOIN composite ON composite.artifact = ? WHERE used.edge = ?",
            (consumed.artifact, consumed.edge),
        ).fetchone()
        if row is None:
            return Look(is_open=True)
        bitmap, is_whole, members, layout, count = row
        key = (consumed.path, consumed.artifact, bitmap)
        if key not in self._known:
            is_all = bitmap is None and bool(is_whole) and members == count
            too_many = self._members_at_most is not None and (count or 0) > self._members_at_most
            self._known[key] = (
                Look(is_open=True)
                if too_many or consumed.artifact is None
                else self._compare(db, consumed, bitmap, layout, is_all=is_all)
            )
        return self._known[key]

    def _compare(
        self,
        db: sqlite3.Connection,
        consumed: Consumed,
        bitmap: bytes | None,
        layout: str,
        *,
        is_all: bool,
    ) -> Look:
        assert consumed.artifact is not None
        if not os.path.lexists(consumed.path):
            return Look(is_missing=True)
        members = members_of(db, consumed.artifact)
        if members is None:  # only a filter of them is kept
            return Look(is_open=True)
        fresh: set[str] | None = set()
        if is_all:
            fresh = self._new_members(consumed.path, members)
            if fresh == set() and self._is_version(
                db, consumed.path, layout, members, consumed.artifact
            ):
                return Look()
        look = self._members(consumed.path, members, bitmap)
        words = [look.difference] if look.difference else []
        if fresh:
            words.append(_words(len(fresh), "new", min(fresh)))
        return Look(", ".join(words), is_open=look.is_open or fresh is None)

    def _new_members(self, path: str, members: MemberList) -> set[str] | None:
        """Names that are there and were not; None when no format says what belongs to it."""
        from roar_core.composites.grouping import members_on_disk

        known = {component.path for component in members}
        inside = f"{path}/{next(iter(known), '')}"
        grouping = self._group([inside])
        root = None if grouping is None else grouping.root_of(inside)
        if root is None or root.path != path:
            return None
        return {name for name, _ in members_on_disk(root)} - known

    def _is_version(
        self, db: sqlite3.Connection, path: str, layout: str, members: MemberList, artifact: int
    ) -> bool:
        from roar_core.model.fingerprint import Fingerprint
        from roar_core.run.datasets import dataset_version

        now = time.time_ns()
        try:
            files = [
                (component.path, Fingerprint.from_stat(os.stat(f"{path}/{component.path}")))  # noqa: PTH116
                for component in sorted(members)
            ]
        except OSError:
            return False
        version = dataset_version(layout, files, now)
        row = db.execute(
            "SELECT artifact FROM composite_version WHERE version = ?", (version,)
        ).fetchone()
        return row is not None and row[0] == artifact

    def _members(self, path: str, members: MemberList, bitmap: bytes | None) -> Look:
        """Compare the members that were read one by one."""
        from blake3 import blake3

        kinds = {component.path: component for component in members}
        read = [os.fsdecode(name) for name, _ in members.pairs(bitmap)]
        files = {f"{path}/{name}": kinds[name] for name in read if kinds[name].kind == "file"}
        held = look_at(
            {place: frozenset((file.size,)) for place, file in files.items()},
            self._cache,
            read_at_most=self._read_at_most,
        )
        gone, other, is_open = [], [], False
        for place, file in files.items():
            now = held[place]
            if not now.exists:
                gone.append(file.path)
            elif not now.is_known_against(file.size):
                is_open = True
            elif now.digest != file.digest:
                other.append(file.path)
        for name in read:
            if kinds[name].kind == "symlink":
                try:
                    link = os.fsencode(os.readlink(f"{path}/{name}"))  # noqa: PTH115 - any bytes
                except OSError:
                    gone.append(name)
                    continue
                if blake3(link).hexdigest() != kinds[name].digest:
                    other.append(name)
        words = [
            _words(len(names), what, min(names))
            for what, names in (("changed", other), ("missing", gone))
            if names
        ]
        return Look(", ".join(words), is_open=is_open)


def _words(number: int, what: str, example: str) -> str:
    rest = f" and {number - 1:,} more members" if number > 1 else ""
    return f"{what} {example!r}{rest}"
