"""From observed files to edges: each gets the digest of the bytes that were read or written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from roar_core.hashing.cache import StatCache, key_of
from roar_core.hashing.digests import Digested
from roar_core.hashing.pool import HashFailure, Progress, hash_files
from roar_core.model.composite import Dataset
from roar_core.model.coverage import CoverageReason
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Edge, HashState
from roar_core.model.observation import InputFile, Observation, OutputFile
from roar_core.run.datasets import DatasetMaker, Recalled, Touched

Digests = Mapping[str, str]


class Hasher(NamedTuple):
    """Where digests come from: taken early while the command ran, remembered, or computed now.

    `early` answers for a version of a file, by its fingerprint; None when it was not caught.
    """

    cache: StatCache
    algorithms: tuple[str, ...]
    early: Callable[[Fingerprint], Digests | None]
    workers: int = 0
    progress: Progress | None = None

    def hash(
        self, requests: Sequence[tuple[str, Fingerprint | None]]
    ) -> dict[str, Digested | HashFailure]:
        """Digest every (path, version wanted) there now; None wants whatever is there."""
        return hash_files(
            requests,
            cache=self.cache,
            algorithms=self.algorithms,
            workers=self.workers,
            on_progress=self.progress,
        )


class Edges(NamedTuple):
    """The edges of a job, what its composites are made of, and why some edges have no digest."""

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    datasets: tuple[Dataset, ...]
    reasons: tuple[CoverageReason, ...]


def make_edges(observation: Observation, hasher: Hasher, maker: DatasetMaker | None) -> Edges:
    """Hash what has to be hashed, all at once, and tie each observed file to its digests.

    `maker` puts members of datasets together; None leaves every file an edge of its own.
    """
    inputs: Sequence[InputFile] = observation.inputs
    known = Recalled((), frozenset())
    if maker is not None:
        known = maker.recall(inputs, (file.path for file in observation.outputs))
        inputs = [file for file in inputs if file.path not in known.paths]
    caught = _caught_early(inputs, hasher)
    read_now = [
        (place, None if file.changed else file.fingerprint)
        for file in inputs
        if file.fingerprint not in caught and (place := _place(file)) is not None
    ]
    # First: the cache keeps one version of a file, and hashing puts the new one in its place.
    before = _digests_before(observation.outputs, hasher)
    # Apart: one place may hold an input that is wanted as it was, and an output as it is.
    hashed = hasher.hash(read_now)
    written = hasher.hash([(file.path, None) for file in observation.outputs])
    read = _distinct(_read(file, caught, hashed) for file in inputs)
    made: list[Touched] = []
    for output in observation.outputs:
        result = written[output.path]
        if isinstance(result, HashFailure):
            made.append(Touched(output.path, output.fingerprint, None))
        elif before.get(output.path) != result.digests["blake3"]:
            made.append(Touched(output.path, result.fingerprint, result.digests))
    reasons = tuple(_reasons(read, made))
    if maker is None:
        return Edges(tuple(map(_edge, read)), tuple(map(_edge, made)), (), reasons)
    paths = frozenset(file.path for file in made)
    used = maker.group(read, written=paths, is_output=False)
    results = maker.group(made, written=paths, is_output=True)
    return Edges(
        (*known.edges, *used.edges, *map(_edge, used.others)),
        (*results.edges, *map(_edge, results.others)),
        used.datasets + results.datasets,
        reasons,
    )


def digests_read(files: Sequence[InputFile], hasher: Hasher) -> dict[str, str | None]:
    """BLAKE3 of the versions that were read, by path; None where it is not known any more."""
    caught = _caught_early(files, hasher)
    hashed = hasher.hash(
        [
            (place, None if file.changed else file.fingerprint)
            for file in files
            if file.fingerprint not in caught and (place := _place(file)) is not None
        ]
    )
    read = (_read(file, caught, hashed) for file in files)
    return {file.path: (file.digests or {}).get("blake3") for file in read}


def _caught_early(files: Sequence[InputFile], hasher: Hasher) -> dict[Fingerprint, Digests]:
    """Digests of the versions that were read, without a look at the files as they are now."""
    caught: dict[Fingerprint, Digests] = {}
    missing: list[Fingerprint] = []
    for file in files:
        digests = hasher.early(file.fingerprint)
        if digests is not None and all(name in digests for name in hasher.algorithms):
            caught[file.fingerprint] = digests
        elif file.changed:
            missing.append(file.fingerprint)
    if not missing:
        return caught
    remembered = {name: hasher.cache.digests_for(missing, name) for name in hasher.algorithms}
    for fingerprint in missing:
        key = key_of(fingerprint)
        known = {name: found[key] for name, found in remembered.items() if key in found}
        known |= hasher.early(fingerprint) or {}
        if "blake3" in known:
            caught[fingerprint] = known
    return caught


def _place(file: InputFile) -> str | None:
    """Where the bytes that were read should still lie; None when they are gone."""
    return file.now_at if file.changed else file.path


def _read(
    file: InputFile,
    caught: Mapping[Fingerprint, Digests],
    hashed: Mapping[str, Digested | HashFailure],
) -> Touched:
    digests = caught.get(file.fingerprint)
    place = _place(file)
    if digests is None and place is not None:
        result = hashed[place]
        if isinstance(result, Digested) and _is_version(result.fingerprint, file):
            digests = result.digests
    return Touched(file.path, file.fingerprint, digests, file.changed)


def _edge(file: Touched) -> Edge:
    if file.digests is None:
        return Edge(file.path, file.size, hash_state="unknown")
    state: HashState = "before_change" if file.was_changed else "exact"
    return Edge(file.path, file.size, file.digests, hash_state=state)


def _is_version(found: Fingerprint, file: InputFile) -> bool:
    """Whether what was hashed is what was read: the place may hold another version."""
    if file.now_at is not None:
        # Moving a file sets its ctime, so only the rest of the fingerprint can be the same.
        return found[:4] == file.fingerprint[:4]
    return found.same_content(file.fingerprint)


def _digests_before(outputs: Sequence[OutputFile], hasher: Hasher) -> dict[str, str]:
    """BLAKE3 of what outputs held before the run, by path: of those whose times cannot tell."""
    doubtful = {file.path: file.doubtful for file in outputs if file.doubtful is not None}
    remembered = hasher.cache.digests_for(doubtful.values(), "blake3")
    before: dict[str, str] = {}
    for path, version in doubtful.items():
        digest = (hasher.early(version) or {}).get("blake3") or remembered.get(key_of(version))
        if digest is not None:
            before[path] = digest
    return before


def _distinct(files: Iterable[Touched]) -> tuple[Touched, ...]:
    """Versions of one path with equal bytes (a file touched between two reads) are one input."""
    return tuple({(file.path, (file.digests or {}).get("blake3")): file for file in files}.values())


def _reasons(read: Iterable[Touched], made: Iterable[Touched]) -> Iterable[CoverageReason]:
    unknown = [file.path for file in read if file.digests is None]
    if unknown:
        yield CoverageReason(
            "unknown_hash", len(unknown), f"changed before its digest was taken: {unknown[0]}"
        )
    gone = sum(file.digests is None for file in made)
    if gone:
        yield CoverageReason(
            "output_gone", gone, "outputs vanished or kept changing while being hashed"
        )
