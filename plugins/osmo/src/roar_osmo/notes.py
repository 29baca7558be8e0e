"""What a later roar needs to know of a run, in the folder that the run has for this backend.

plan.json        the settings, the run, and where Python finds roar
begun            the workflow is being submitted
submitted.json   the workflow's id, null when it was refused
spec.yaml        the specification that was submitted
why.txt          why it was submitted as it was typed
problem.txt      what could not be done as it was asked for
progress.json    how far collecting has come
envelopes/       what launchers have sent, by the hash of its content
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from roar_osmo.settings import Settings

LABEL = "roar-run"


class Settled(NamedTuple):
    """An attempt that nothing will come back from any more, and why."""

    task: str
    retry: int
    reason: str

    @property
    def key(self) -> tuple[str, int]:
        return self.task, self.retry


class Progress(NamedTuple):
    """How far collecting has come. `known` counts tasks of which an attempt ran, None
    when osmo has not been asked yet.

    `never_ran` and `problems` are for people; `failures` counts, by task, how often what it sent
    could not be fetched after the workflow's end. `owners`: which attempt sent which envelope.
    """

    status: str
    is_final: bool
    known: int | None
    running: int = 0
    never_ran: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    settled: tuple[Settled, ...] = ()
    failures: Mapping[str, int] = {}
    owners: Mapping[str, tuple[str, int]] = {}


class Notes:
    """The notes of one run; every file is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def plan(self, settings: Settings, uid: str) -> None:
        """Keep what was chosen when the run began."""
        told = {"settings": settings._asdict(), "uid": uid, "path": sys.path}
        self._write("plan.json", json.dumps(told))

    @property
    def settings(self) -> Settings | None:
        found = self._document("plan.json")
        return None if found is None else Settings(**found["settings"])

    @property
    def label(self) -> str:
        """The label that names the run's workflow, empty without a plan."""
        found = self._document("plan.json")
        return "" if found is None else f"{LABEL}={found['uid'][:16]}"

    def begin(self) -> None:
        self._write("begun", "")

    @property
    def has_begun(self) -> bool:
        return (self.folder / "begun").exists()

    def submitted(self, workflow: str | None) -> None:
        """Keep how submitting ended: with a workflow, or without one."""
        self._write("submitted.json", json.dumps({"workflow": workflow}))

    @property
    def workflow(self) -> str | None:
        found = self._document("submitted.json")
        return None if found is None else found["workflow"]

    @property
    def was_refused(self) -> bool:
        """Whether submitting ended without a workflow."""
        found = self._document("submitted.json")
        return found is not None and found["workflow"] is None

    def keep_specification(self, text: str) -> None:
        self._write("spec.yaml", text)

    def forget_specification(self) -> None:
        """What was kept was not what was submitted in the end."""
        (self.folder / "spec.yaml").unlink(missing_ok=True)

    @property
    def specification(self) -> str | None:
        return self._read("spec.yaml")

    def tell_why(self, reason: str) -> None:
        """Keep why the workflow was submitted as it was typed."""
        self._write("why.txt", reason)

    @property
    def why(self) -> str:
        return self._read("why.txt") or ""

    def tell_problem(self, problem: str) -> None:
        """Keep what could not be done as it was asked for."""
        self._write("problem.txt", problem)

    @property
    def problem(self) -> str:
        return self._read("problem.txt") or ""

    def keep_progress(self, progress: Progress) -> None:
        self._write("progress.json", json.dumps(progress._asdict()))

    @property
    def progress(self) -> Progress | None:
        found = self._document("progress.json")
        if found is None:
            return None
        return Progress(
            **{
                **found,
                "never_ran": tuple(found["never_ran"]),
                "problems": tuple(found["problems"]),
                "settled": tuple(Settled(*each) for each in found["settled"]),
                "owners": {name: (task, retry) for name, (task, retry) in found["owners"].items()},
            }
        )

    def keep_envelope(self, name: str, content: bytes) -> None:
        """Keep what a launcher has sent; `name` is the hash of its content."""
        (self.folder / "envelopes").mkdir(exist_ok=True)
        self._write_bytes(f"envelopes/{name}.json", content)

    def envelopes(self) -> Iterator[tuple[str, bytes]]:
        """All that was kept, name and content, in the order of the names."""
        for path in sorted((self.folder / "envelopes").glob("*.json")):
            yield path.stem, path.read_bytes()

    def _write(self, name: str, text: str) -> None:
        self._write_bytes(name, text.encode("utf-8"))

    def _write_bytes(self, name: str, content: bytes) -> None:
        path = self.folder / name
        draft = path.with_name(path.name + ".draft")
        draft.write_bytes(content)
        draft.replace(path)

    def _read(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _document(self, name: str) -> Any:
        text = self._read(name)
        return None if text is None else json.loads(text)
