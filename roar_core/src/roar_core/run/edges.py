"""From observed files to edges: each gets the digest of the bytes that were read or written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from roar_core.hashing.cache import StatCache, key_of
from roar_core.hashing.digests import Digested
from roar_core.hashing.pool import HashFailure, Progress, hash_files
from roar_core.model.coverage import CoverageReason
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Edge
from roar_core.model.observation import InputFile, Observation, OutputFile

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
    """The edges of a job, and why some of them have no digest."""

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    reasons: tuple[CoverageReason, ...]


def make_edges(observation: Observation, hasher: Hasher) -> Edges:
    """Hash what has to be hashed, all at once, and tie each observed file to its digests."""
    caught = _caught_early(observation.inputs, hasher)
    read_now = [
        (place, None if file.changed else file.fingerprint)
        for file in observation.inputs
        if file.fingerprint not in caught and (place := _place(file)) is not None
    ]
    # First: the cache keeps one version of a file, and hashing puts the new one in its place.
    before = _digests_before(observation.outputs, hasher)
    # Apart: one place may hold an input that is wanted as it was, and an output as it is.
    hashed = hasher.hash(read_now)
    written = hasher.hash([(file.path, None) for file in observation.outputs])
    outputs: list[Edge] = []
    gone = 0
    for output in observation.outputs:
        result = written[output.path]
        if isinstance(result, HashFailure):
            gone += 1
            outputs.append(Edge(output.path, output.fingerprint.size, hash_state="unknown"))
        elif before.get(output.path) != result.digests["blake3"]:
            outputs.append(Edge(output.path, result.fingerprint.size, result.digests))
    inputs = _distinct(_input_edge(file, caught, hashed) for file in observation.inputs)
    return Edges(inputs, tuple(outputs), tuple(_reasons(inputs, gone)))


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


def _input_edge(
    file: InputFile,
    caught: Mapping[Fingerprint, Digests],
    hashed: Mapping[str, Digested | HashFailure],
) -> Edge:
    digests = caught.get(file.fingerprint)
    place = _place(file)
    if digests is None and place is not None:
        result = hashed[place]
        if isinstance(result, Digested) and _is_version(result.fingerprint, file):
            digests = result.digests
    size = file.fingerprint.size
    if digests is None:
        return Edge(file.path, size, hash_state="unknown")
    return Edge(file.path, size, digests, hash_state="before_change" if file.changed else "exact")


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


def _distinct(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Versions of one path with equal bytes (a file touched between two reads) are one input."""
    return tuple({(edge.path, edge.hash): edge for edge in edges}.values())


def _reasons(inputs: Iterable[Edge], gone: int) -> Iterable[CoverageReason]:
    unknown = [edge.path for edge in inputs if edge.hash_state == "unknown"]
    if unknown:
        yield CoverageReason(
            "unknown_hash", len(unknown), f"changed before its digest was taken: {unknown[0]}"
        )
    if gone:
        yield CoverageReason(
            "output_gone", gone, "outputs vanished or kept changing while being hashed"
        )
