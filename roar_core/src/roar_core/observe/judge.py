"""What a run read and made: design rules 1 to 7 over the records of one journal. Pure.

The world is asked through `look` and `list_files` only, once for each path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from operator import itemgetter

from roar_core.garbage import collection_paused
from roar_core.journal_format import Record
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.observation import InputFile, Observation, OutputFile
from roar_core.observe.files import FOUND, GIVEN, WRITTEN, FileHistory, Read, same_version
from roar_core.observe.filters import Filters, Role
from roar_core.observe.history import History
from roar_core.observe.interpreters import interpreter_prefixes
from roar_core.observe.processes import ProcessTable, coverage_reasons, programs_named

Look = Callable[[str], Fingerprint | None]
ListFiles = Callable[[str], Iterable[str]]

# File times move with the kernel's tick, 10 ms at CONFIG_HZ=100: a write that soon after another
# may leave mtime as it was.
CLOCK_GRAIN_NS = 10_000_000

# PEP 3147: where the compiled form of `dir/name.py` lies.
_COMPILED = re.compile(r"(.*/)__pycache__/([^/]+?)\.[^./]+(?:\.opt-[^./]+)?\.pyc", re.DOTALL)


def judge(
    records: Iterable[Record],
    look: Look,
    filters: Filters,
    *,
    list_files: ListFiles = lambda directory: (),
    lost: int = 0,
    unreadable: int = 0,
    clock: int = 0,
    is_part: bool = False,
) -> Observation:
    """Return what the run's inputs and outputs are, as the journal and the files at the end tell.

    `look` gives what lstat(2) says of a path now, None when nothing is there; `list_files` the
    paths of all files below a directory. `lost` and `unreadable` are the journal's counts; `clock`
    is what to add to a record's time to get the wall clock's, in nanoseconds. `is_part`: it is only
    a part of what a process did, which had started before.
    """
    with collection_paused():
        return _judge(records, look, filters, list_files, lost, unreadable, clock, is_part)


def _judge(
    records: Iterable[Record],
    look: Look,
    filters: Filters,
    list_files: ListFiles,
    lost: int,
    unreadable: int,
    clock: int,
    is_part: bool,
) -> Observation:
    records = sorted(records, key=itemgetter(0))
    table = ProcessTable(records)
    history = History(records, table.executed)
    reads = history.reads
    programs = [*history.code, *programs_named(table.executed)]
    prefixes = interpreter_prefixes(programs, (read.path for read in reads))
    verdict = _Verdict(history, _remembering(look), filters.with_prefixes(prefixes), clock)
    verdict.judge_outputs()
    verdict.judge_moved_directories(list_files)
    verdict.judge_inputs(reads)
    reasons = coverage_reasons(table, lost=lost, unreadable=unreadable, is_part=is_part)
    if history.unresolved:
        reasons.append(CoverageReason("unresolved", history.unresolved, history.unresolved_example))
    return verdict.observation(table.programs, tuple(reasons))


class _Verdict:
    """Collects the answer; each `judge_…` takes one part of the history."""

    def __init__(self, history: History, look: Look, filters: Filters, clock: int) -> None:
        self._history = history
        self._look = look
        self._filters = filters
        self._clock = clock
        self._code = set(history.code)
        self._inputs: list[InputFile] = []
        self._source_code: list[InputFile] = []
        self._outputs: list[OutputFile] = []
        self._filtered: dict[str, set[str]] = {}
        self._taken: dict[str, set[str]] = {"packages": set(), "system": set()}
        self._claimed: dict[Role, set[str]] = {"input": set(), "output": set()}
        self._named: set[FileHistory] = set()
        self._sources: list[Read] = []
        self._scratch = 0

    def judge_outputs(self) -> None:
        """Rules 2 and 3: what exists now and was created, changed or named by the tree."""
        for file in self._history.names.files:
            exists = False
            for path, how in file.names.items():
                if how == FOUND and not file.is_created:
                    continue  # read and no more, as most files are: there is nothing to look at
                output = self._output(file, path, how)
                if output is None:
                    continue
                exists = True
                if how & GIVEN and path not in file.found:
                    self._named.add(file)
                if not self._take_out(path, "output"):
                    self._outputs.append(output)
            if file.is_created and not exists:
                self._scratch += 1
                if file.last_name and self._filters.policy.claims(file.last_name):
                    # A tool that uploads its files removes them; their names tell what it logged.
                    self._claimed["output"].add(file.last_name)
        self._sources = [read for read in self._history.names.sources if read.file in self._named]

    def judge_moved_directories(self, list_files: ListFiles) -> None:
        """Untouched files below a renamed directory: they have a new name and were not opened."""
        for directory, origin in self._history.names.moved_directories.items():
            for path in list_files(directory):
                now = self._look(path)
                if now is None or not now.is_regular or self._history.names.at(path) is not None:
                    continue
                if not self._take_out(path, "output"):
                    self._outputs.append(OutputFile(path, now))
                file = FileHistory(now)
                file.names[path] = GIVEN
                file.is_touched = True
                self._sources.append(Read(origin + path[len(directory) :], now, file))

    def judge_inputs(self, reads: list[Read]) -> None:
        """Rules 1 and 4: versions the tree used that it had not made itself."""
        sources = self._unread_sources(reads)
        paths = {read.path for read in reads}
        compiled = [read for read in reads if read.path.endswith(".pyc")]
        imported = {
            source.path: source for read in compiled if (source := self._imported(read, paths))
        }
        for read in (*reads, *sources.values(), *imported.values()):
            taken = self._take_out(read.path, "input")
            if taken is not None and taken != "source":
                continue
            changed = self._is_changed(read)
            now_at = self._present_place(read) if changed else None
            version = read.fingerprint
            if sources and _version(read) in sources:
                # Naming a file moves its ctime, and nobody read it before: its version is today's.
                version = self._same_today(read, now_at if changed else read.path)
            files = self._inputs if taken is None else self._source_code
            files.append(InputFile(read.path, version, changed, now_at))

    def _unread_sources(self, reads: list[Read]) -> dict[tuple[str, int, int], Read]:
        """Versions that the tree gave another name, where nobody had opened them."""
        if not self._sources:
            return {}
        versions = {_version(read) for read in reads}
        newest = {(read.path, read.file): read for read in self._sources}
        return {_version(read): read for read in newest.values() if _version(read) not in versions}

    def observation(self, processes: int, reasons: tuple[CoverageReason, ...]) -> Observation:
        """Everything collected, sorted."""
        return Observation(
            inputs=tuple(sorted(self._inputs, key=_in_order)),
            outputs=tuple(sorted(self._outputs, key=_in_order)),
            sources=tuple(sorted(self._source_code, key=_in_order)),
            code=frozenset(self._code),
            packages=frozenset(self._taken["packages"]),
            system=frozenset(self._taken["system"]),
            filtered={name: len(paths) for name, paths in sorted(self._filtered.items())},
            filtered_paths={
                name: tuple(sorted(paths)) for name, paths in sorted(self._filtered.items())
            },
            claimed_inputs=frozenset(self._claimed["input"]),
            claimed_outputs=frozenset(self._claimed["output"]),
            scratch=self._scratch,
            processes=processes,
            coverage=Coverage(reasons),
        )

    def _output(self, file: FileHistory, path: str, how: int) -> OutputFile | None:
        now = self._look(path)
        if now is None or not now.is_regular:
            return None
        if now[:2] != file.identity and now.mtime_ns < file.latest.mtime_ns:
            # Another, older file was put here by somebody we did not see: not our bytes. A younger
            # one is the tree's as far as anybody can tell: an unseen part of it (a gap) replaced
            # its file, or the file system renumbers (FUSE); losing it would be the worse answer.
            return None
        if file.is_created:
            return OutputFile(path, now)
        if how & GIVEN and path not in file.found:
            return OutputFile(path, now)
        before = file.before
        if not how & WRITTEN or before is None:
            return None
        if file.is_written or now.size != before.size:
            return OutputFile(path, now)
        is_newer = now.mtime_ns != before.mtime_ns
        if is_newer and file.is_replaced:
            return OutputFile(path, now)
        if now.size and (is_newer or self._was_young(file, before)):
            # Same size, never emptied, no write seen: touch(1) opens like this too. Digests decide.
            return OutputFile(path, now, doubtful=before)
        return None

    def _was_young(self, file: FileHistory, version: Fingerprint) -> bool:
        return version.mtime_ns > file.before_time_ns + self._clock - CLOCK_GRAIN_NS

    def _is_changed(self, read: Read) -> bool:
        """Whether the tree made the bytes at this path other bytes than those it used."""
        file, version = read.file, read.fingerprint
        if file.before is None and not file.is_touched:
            return False
        now = self._look(read.path)
        if now is None or now[:2] != file.identity or not same_version(now, version):
            return file.is_touched
        if file.before is None:
            return False
        return file.is_written or (bool(now.size) and self._was_young(file, version))

    def _present_place(self, read: Read) -> str | None:
        file, version = read.file, read.fingerprint
        if file.is_written or (file.before and self._was_young(file, version)):
            return None
        for path in file.names:
            now = self._look(path)
            if (
                now
                and path != read.path
                and now[:2] == file.identity
                and same_version(now, version)
            ):
                return path
        return None

    def _same_today(self, read: Read, place: str | None) -> Fingerprint:
        now = self._look(place) if place is not None else None
        if now and now[:2] == read.file.identity and same_version(now, read.fingerprint):
            return now
        return read.fingerprint

    def _imported(self, read: Read, paths: set[str]) -> Read | None:
        """The module whose compiled form was read: Python then never opens the source itself."""
        match = _COMPILED.fullmatch(read.path)
        if match is None:
            return None
        source = f"{match[1]}{match[2]}.py"
        taken = self._filters.classify(read.path, role="input", is_code=True)
        if source in paths or taken in ("packages", "system", "internal"):
            return None
        now = self._look(source)
        file = self._history.names.at(source)
        if now is None or not now.is_regular or (file is not None and not file.is_untouched):
            return None
        self._code.add(source)
        return Read(source, now, file or FileHistory(now))

    def _take_out(self, path: str, role: Role) -> str | None:
        """The class that takes a path out of the lineage, which is counted; None when none does."""
        name = self._filters.classify(path, role=role, is_code=path in self._code)
        if name is None:
            return None
        self._filtered.setdefault(name, set()).add(path)
        if name == "claimed":
            self._claimed[role].add(path)
        if role == "input" and name in self._taken:
            self._taken[name].add(path)
        return name


def _version(read: Read) -> tuple[str, int, int]:
    return (read.path, read.fingerprint.size, read.fingerprint.mtime_ns)


def _in_order(file: InputFile | OutputFile) -> tuple[str, int]:
    return (file.path, file.fingerprint.mtime_ns)


def _remembering(look: Look) -> Look:
    """`look`, asked once for each path: the answers of one judgement agree with each other."""
    known: dict[str, Fingerprint | None] = {}

    def remembered(path: str) -> Fingerprint | None:
        if path not in known:
            known[path] = look(path)
        return known[path]

    return remembered
