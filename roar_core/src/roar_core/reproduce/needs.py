"""Where each input of a step will come from when it is run again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs
from blake3 import blake3

from roar_core.errors import NotFoundError
from roar_core.model.composite import Component
from roar_core.model.job import Edge, Job
from roar_core.reproduce.finding import Finder
from roar_core.reproduce.history import History, blob_name
from roar_core.reproduce.places import inside, is_safe
from roar_core.reproduce.plan import Member, Origin, PlannedInput, PlannedStep
from roar_core.store.writer import Store

if TYPE_CHECKING:
    from roar_core.reproduce.planning import Where

_MOST_BYTES = 64 << 20
# Of bytes that everybody writes, such as none at all, the newest say where they are from.
_MOST_MAKERS = 10


class Needs:
    """Plans inputs, step by step in the order of the plan: `of` a step, then `add_outputs`."""

    def __init__(
        self,
        store: Store,
        finder: Finder,
        history: History | None,
        where: Where,
        replayed_by: Mapping[str, str],
        offset: str,
        sources: Mapping[str, str],
    ) -> None:
        self._store = store
        self._finder = finder
        self._history = history
        self._where = where
        self._replayed_by = replayed_by
        self._offset = f"{offset}/" if offset else ""
        self._sources = sources
        # What steps planned so far write: by uid, relative path of each hash; and every path.
        self._made: dict[str, dict[str | None, str]] = {}
        self._paths: set[str] = set()

    def of(self, group: list[Job]) -> tuple[PlannedInput, ...]:
        """The inputs of a job and the tasks below it, but for what they wrote themselves."""
        own = {job.uid for job in group}
        edges = {
            edge.path: (edge, job.uid)
            for job in reversed(group)
            for edge in job.inputs
            if edge.producer not in own
        }
        return tuple(self._plan(edge, uid, group[0]) for edge, uid in edges.values())

    def add_outputs(self, step: PlannedStep) -> None:
        """Have later steps read what this one writes."""
        made = self._made.setdefault(step.job.uid, {})
        for output in step.outputs:
            if output.relative is None:
                continue
            made[output.hash] = output.relative
            self._paths.add(output.relative)
            for member in output.members:
                made.setdefault(member.hash, f"{output.relative}/{member.name}")
                self._paths.add(f"{output.relative}/{member.name}")

    def components(self, edge: Edge) -> tuple[Component, ...]:
        """The members of a dataset, none when they are not kept; names that leave it are not."""
        if edge.hash is None:
            return ()
        try:
            listed = self._store.components(edge.hash)
        except NotFoundError:
            return ()
        return tuple(member for member in listed if is_safe(member.path))

    def _plan(self, edge: Edge, uid: str, job: Job) -> PlannedInput:
        relative = None if edge.kind == "object" else inside(edge.path, job.project)
        planned = PlannedInput(
            edge.path,
            relative,
            edge.hash,
            edge.size,
            edge.kind,
            origin="missing",
            source=self._fetched_from(edge),
        )
        if edge.kind == "composite":
            return self._plan_dataset(planned, edge, uid, job.project)
        producer = self._replayed_by.get(edge.producer or "")
        if producer in self._made:
            made = self._made[producer]
            return attrs.evolve(
                planned,
                origin="step",
                producer=producer,
                producer_path=made.get(edge.hash),
            )
        if edge.kind == "object":
            # Bytes of a store: the step fetches them itself, as it did.
            return attrs.evolve(planned, origin="unverified")
        if relative is None:
            is_there = self._finder.digest(edge.path) == edge.hash if edge.hash else True
            if is_there and os.path.exists(edge.path):  # noqa: PTH110 - names of any bytes
                return attrs.evolve(planned, origin="outside", found=edge.path)
            return planned
        return self._plan_file(planned, relative, job)

    def _fetched_from(self, edge: Edge) -> str | None:
        """The URL that a recorded `roar get`, or a registry, says these bytes were fetched from."""
        if edge.hash is None:
            return None
        try:
            uses = self._store.artifact(edge.hash).producers
        except NotFoundError:
            uses = ()
        for use in uses[:_MOST_MAKERS]:
            job = self._store.job(use.uid)
            if job.kind == "get":
                urls = [found.path for found in job.inputs if found.kind == "object"]
                same = [found.path for found in job.inputs if found.hash == edge.hash]
                return next(iter(same or urls), None)
        return self._sources.get(edge.hash)

    def _plan_file(self, planned: PlannedInput, relative: str, job: Job) -> PlannedInput:
        """A file of the project that no step of the plan makes."""
        place = f"{self._where.project}/{relative}"
        if planned.hash is None:
            if self._is_tracked(relative, job):
                return attrs.evolve(planned, origin="commit")
            is_there = os.path.isfile(place)  # noqa: PTH113 - names of any bytes
            return attrs.evolve(planned, origin="unverified", found=place) if is_there else planned
        if self._where.in_place:
            is_there = self._finder.digest(place) == planned.hash
            return attrs.evolve(planned, origin="outside", found=place) if is_there else planned
        commit = job.git.commit
        if commit and self._is_committed(planned.hash, planned.size, relative, commit):
            return attrs.evolve(planned, origin="commit")
        found = self._finder.find(planned.hash, planned.size, self._places(planned, place))
        if found is not None:
            return attrs.evolve(planned, origin="copy", found=found)
        if self._is_tracked(relative, job) and job.git.snapshot:
            return attrs.evolve(planned, origin="snapshot")
        if commit and (self._history is None or not self._history.has(commit)):
            return attrs.evolve(planned, origin="commit")  # told when it has been fetched
        return planned

    def _plan_dataset(
        self, planned: PlannedInput, edge: Edge, uid: str, project: str
    ) -> PlannedInput:
        root = planned.relative
        base = edge.path if root is None else f"{self._where.project}/{root}"
        components = self.components(edge)
        touched = self._store.touched_members(uid, edge.path, project)
        members: list[Member] = []
        lacking: list[str] = []
        for component in components:
            name = f"blake3:{component.digest}"
            if root is not None and f"{root}/{component.path}" in self._paths:
                members.append(Member(component.path, name))
                continue
            found = self._find_member(component, name, f"{base}/{component.path}", root)
            # What was not touched need not be there.
            if found is None and (touched is None or component.path in touched):
                lacking.append(component.path)
            members.append(Member(component.path, name, found))
        if not components:
            return planned
        producer = self._replayed_by.get(edge.producer or "")
        origin: Origin = "outside" if root is None or self._where.in_place else "copy"
        if producer in self._made:
            origin = "step"
        return attrs.evolve(
            planned, origin=origin, found=base, members=tuple(members), lacking=tuple(lacking)
        )

    def _find_member(
        self, component: Component, name: str, place: str, root: str | None
    ) -> str | None:
        if component.kind == "symlink":
            try:
                text = os.readlink(place)  # noqa: PTH115 - bytes survive
            except OSError:
                return None
            return place if f"blake3:{blake3(os.fsencode(text)).hexdigest()}" == name else None
        if component.kind == "composite":
            return None
        if root is None or self._where.in_place:
            return place if self._finder.digest(place, component.size) == name else None
        return self._finder.find(name, component.size, [place])

    def _is_committed(self, name: str, size: int, relative: str, commit: str) -> bool:
        """Whether the commit has these very bytes at this path."""
        if self._history is None:
            return False
        blob = self._history.blob(commit, self._offset + relative)
        if blob is None:
            return False
        place = f"{self._where.project}/{relative}"
        if size <= _MOST_BYTES and self._finder.digest(place, size) == name:
            # The file as it is now will do, and spares a git for each of thousands of inputs.
            try:
                with open(place, "rb") as file:  # noqa: PTH123 - names of any bytes
                    content = file.read(_MOST_BYTES)
            except OSError:
                return False
            return blob_name(content, uses_sha256=len(blob) == 64) == blob
        return self._history.digest(commit, self._offset + relative) == name

    def _is_tracked(self, relative: str, job: Job) -> bool:
        commit = job.git.commit
        if self._history is None or commit is None:
            return False
        return self._history.tracks(commit, self._offset + relative)

    def _places(self, planned: PlannedInput, place: str) -> Iterable[str]:
        yield place
        if planned.hash is None:
            return
        try:
            recorded = self._store.artifact(planned.hash).paths
        except NotFoundError:
            return
        yield from (path for path in recorded if path.startswith("/"))
