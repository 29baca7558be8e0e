"""Put the inputs of a step where it reads them, and check that they are the recorded bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from roar_core.reproduce.finding import digest_of
from roar_core.reproduce.places import leads_outside
from roar_core.reproduce.plan import Plan, PlannedInput, PlannedStep


class Placed:
    """Copies inputs into the target. `data` are the relative paths that hold data, not code."""

    def __init__(self, plan: Plan) -> None:
        self._root = plan.target_project
        self._in_place = plan.in_place
        self.data: dict[str, None] = {}

    def code_of(self, step: PlannedStep) -> list[str]:
        """The data that a change of code must leave alone: all but what the code itself brings."""
        brought = {i.relative for i in step.inputs if i.origin in ("commit", "snapshot")}
        return [relative for relative in self.data if relative not in brought]

    def place(self, step: PlannedStep) -> list[str]:
        """Put every input of the step in its place; returns what is wrong, in sentences."""
        problems: list[str] = []
        for planned in step.inputs:
            try:
                problems += self._place(planned)
            except OSError as error:
                problems.append(f"{planned.path!r} cannot be placed: {error.strerror}")
        return problems

    def _place(self, planned: PlannedInput) -> Iterator[str]:
        if planned.relative is None or planned.kind == "object":
            if planned.origin == "missing":
                yield f"{planned.path!r} is not there with the recorded bytes"
            return
        if planned.members:
            yield from self._place_members(planned, planned.relative)
            return
        place = f"{self._root}/{planned.relative}"
        if planned.origin == "step":
            if not os.path.exists(place):  # noqa: PTH110 - names of any bytes
                # What the step wrote was moved by hand before it was read here.
                made = planned.producer_path and f"{self._root}/{planned.producer_path}"
                if not made or not os.path.isfile(made):  # noqa: PTH113
                    yield f"{planned.relative!r} was not made by the step before it"
                    return
                yield from self._copy(made, planned.relative)
        elif planned.origin in ("commit", "snapshot"):
            now = digest_of(place)
            if now is None or (planned.hash is not None and now != planned.hash):
                yield (
                    f"{planned.relative!r} is not in the {planned.origin} with the recorded bytes"
                    f"{_known(planned)}"
                )
        elif planned.origin in ("copy", "unverified") and not self._in_place:
            if planned.found is None:
                return
            if planned.hash is None or digest_of(place) != planned.hash:
                yield from self._copy(planned.found, planned.relative)
                if planned.hash is not None and digest_of(place) != planned.hash:
                    yield f"{planned.found!r} changed while it was copied"
            self.data[planned.relative] = None
        elif planned.origin == "missing":
            yield f"{planned.relative!r} is not to be had with the recorded bytes{_known(planned)}"

    def _place_members(self, planned: PlannedInput, relative: str) -> Iterator[str]:
        for name in planned.lacking:
            yield f"{relative}/{name} is not to be had with the recorded bytes"
        for member in planned.members:
            path = f"{relative}/{member.name}"
            if self._in_place or member.found is None:
                continue
            place = f"{self._root}/{path}"
            if os.path.islink(member.found):  # noqa: PTH114
                if not os.path.lexists(place) and not leads_outside(self._root, _above(path)):
                    os.makedirs(f"{self._root}/{_above(path)}", exist_ok=True)  # noqa: PTH103
                    os.symlink(os.readlink(member.found), place)  # noqa: PTH115, PTH211
                    if leads_outside(self._root, path):
                        os.unlink(place)  # noqa: PTH108
                        yield f"{path!r} is a link that leads outside"
            elif digest_of(place) != member.hash:
                yield from self._copy(member.found, path)
                if digest_of(place) != member.hash:
                    yield f"{member.found!r} changed while it was copied"
            self.data[path] = None

    def _copy(self, source: str, relative: str) -> Iterator[str]:
        if leads_outside(self._root, relative):
            yield f"{relative!r} would be written through a link, outside"
            return
        place = f"{self._root}/{relative}"
        os.makedirs(f"{self._root}/{_above(relative)}", exist_ok=True)  # noqa: PTH103
        # A copy and no hard link: a step may write into it, and the original is not ours.
        shutil.copy(source, place)


def _known(planned: PlannedInput) -> str:
    return f"; they were fetched from {planned.source}" if planned.source else ""


def _above(relative: str) -> str:
    return relative.rpartition("/")[0] or "."
