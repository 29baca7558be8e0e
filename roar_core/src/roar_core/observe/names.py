"""Which file each path names, as the tree's records tell it, through renames and links."""

from __future__ import annotations

from roar_core.model.fingerprint import Fingerprint
from roar_core.observe.files import FOUND, GIVEN, FileHistory, Read

# A place no path can name: paths are absolute.
_ASIDE = "aside"


class Names:
    """The namespace as far as the tree has touched it.

    `sources` are files of the world to which the tree gave another name, as reads of the old one:
    perhaps nobody opened them, yet their bytes are what the new name holds. `moved_directories`
    maps the present path of a directory the tree renamed to the path it had before the run.
    """

    def __init__(self) -> None:
        self.files: list[FileHistory] = []
        self.sources: list[Read] = []
        self.moved_directories: dict[str, str] = {}
        self._by_identity: dict[tuple[int, ...], FileHistory] = {}
        self._by_path: dict[str, FileHistory] = {}

    def file(
        self,
        fingerprint: Fingerprint,
        path: str | None,
        *,
        created: bool = False,
        before: Fingerprint | None = None,
    ) -> FileHistory:
        """Return the history of the file found at `path` (None: it has no name now).

        `before` is what it was before the event that `fingerprint` tells of, where that changed it.
        """
        key = fingerprint[:2]
        file = self._by_identity.get(key)
        if file is not None and (
            (file.is_dead and fingerprint.nlink)
            # Two processes may both find a file absent and create it; else it is a reused number.
            or (created and not (file.is_created and path in file.names))
        ):
            file = None
        if file is None:
            file = self._by_identity[key] = FileHistory(fingerprint)
            self.files.append(file)
        if path is not None and fingerprint.nlink and path not in file.names:
            self._first_seen(path, file, created, before or fingerprint)
        file.latest = fingerprint
        return file

    def known(self, fingerprint: Fingerprint) -> FileHistory | None:
        """The file with this identity, if anything was reported about it."""
        return self._by_identity.get(fingerprint[:2])

    def at(self, path: str) -> FileHistory | None:
        """The file the tree last saw at `path`."""
        return self._by_path.get(path)

    def is_now(self, file: FileHistory, fingerprint: Fingerprint) -> None:
        """`file` goes on under another identity."""
        file.identity = fingerprint[:2]
        self._by_identity[file.identity] = file

    def rename(
        self, old: str, new: str, moved: Fingerprint | None, replaced: Fingerprint | None
    ) -> None:
        """A file got another name; whatever had that name lost it."""
        if moved and replaced and moved.identity == replaced.identity:
            return  # rename(2): two names of one file, nothing is done
        self._replaced(new, replaced)
        file = self.file(moved, old) if moved else self._by_path.get(old)
        if file is None:
            return
        self._note_source(file, old)
        self._move(file, old, new)

    def rename_directory(self, old: str, new: str) -> None:
        """A directory got another name, and so did every file below it. Linear in known paths."""
        inside = old + "/"
        for path in [path for path in self._by_path if path.startswith(inside)]:
            file = self._by_path[path]
            self._note_source(file, path)
            self._move(file, path, new + path[len(old) :])
        origin = self.moved_directories.pop(old, old)
        for path in [path for path in self.moved_directories if path.startswith(inside)]:
            self.moved_directories[new + path[len(old) :]] = self.moved_directories.pop(path)
        if origin != new:
            self.moved_directories[new] = origin

    def exchange(
        self, one: str, other: str, first: Fingerprint | None, second: Fingerprint | None
    ) -> None:
        """Two names were swapped; either may be a directory's."""
        if first and second and first.identity == second.identity:
            return
        for old, new, moved in ((one, _ASIDE, first), (other, one, second), (_ASIDE, other, first)):
            if moved and not moved.is_regular:
                self.rename_directory(old, new)
                continue
            file = self._by_path.get(old)
            if file is None and moved and old is not _ASIDE:
                file = self.file(moved, old)
            if file is not None:
                file.latest = moved or file.latest
                self._note_source(file, old)
                self._move(file, old, new)

    def link(self, existing: str | None, new: str, fingerprint: Fingerprint) -> None:
        """A file got a further name, or (O_TMPFILE) its first."""
        file = self._by_identity.get(fingerprint[:2])
        if file is None:
            file = self.file(fingerprint, existing)
        file.latest = fingerprint
        if existing is not None:
            self._note_source(file, existing)
        file.is_dead = False
        self._put(new, file, GIVEN)

    def unlink(self, path: str, before: Fingerprint | None) -> None:
        """A name was taken away."""
        self._replaced(path, before)

    def _first_seen(
        self, path: str, file: FileHistory, created: bool, version: Fingerprint
    ) -> None:
        origin = path if created else self._origin(path)
        self._put(path, file, FOUND if origin == path and not created else GIVEN)
        if not created:
            file.found += (origin,)
            if origin != path:
                file.is_touched = True
                self.sources.append(Read(origin, version, file))

    def _origin(self, path: str) -> str:
        """Where a file at `path` was before the tree renamed a directory above it."""
        if self.moved_directories:
            end = path.rfind("/")
            while end > 0:
                before = self.moved_directories.get(path[:end])
                if before is not None:
                    return before + path[end:]
                end = path.rfind("/", 0, end)
        return path

    def _note_source(self, file: FileHistory, path: str) -> None:
        how = file.names.get(path, GIVEN)
        if not file.is_created and not file.is_replaced and not how & GIVEN:
            self.sources.append(Read(path, file.before or file.latest, file))

    def _move(self, file: FileHistory, old: str, new: str) -> None:
        how = file.names.pop(old, FOUND)
        if self._by_path.get(old) is file:
            del self._by_path[old]
        file.is_touched = True
        self._put(new, file, how | GIVEN)

    def _replaced(self, path: str, fingerprint: Fingerprint | None) -> None:
        file = self._by_path.pop(path, None)
        if fingerprint is not None:
            held = self._by_identity.get(fingerprint[:2])
            if held is not None and held is not file:
                # Reported under another path, or not by a record of ours: the number knows better.
                held.names.pop(path, None)
                _lose(held, fingerprint)
        if file is not None:
            file.names.pop(path, None)
            file.last_name = path
            same = fingerprint is not None and fingerprint[:2] == file.identity
            _lose(file, fingerprint if same else None)

    def _put(self, path: str, file: FileHistory, how: int) -> None:
        holder = self._by_path.get(path)
        if holder is not None and holder is not file:
            holder.names.pop(path, None)
        self._by_path[path] = file
        file.names[path] = how


def _lose(file: FileHistory, fingerprint: Fingerprint | None) -> None:
    file.is_touched = True
    if fingerprint is not None and fingerprint.nlink <= 1:
        file.is_dead = True
