"""What lies in the folder that roar gives the backend for a run, and in each of its clusters'.

python/                  what the command's Pythons run first
journals/                of workers that share this machine, one each; `nonce` tells the folder
nodes/<node>/            of workers elsewhere, as they were brought here
drivers/ submissions/    a document for each driver, and for each job that was submitted
drivers/<pid>.edges      which results a driver passed on to tasks, and fetched, JSON a line
known.jsonl              attempts that Ray knows of, [task, node, pid where it was cut short] a line
faults.jsonl             what the driver's side failed at
clusters/<number>/       the same of a cluster that a driver has made, see `roar_ray.clusters`
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from roar_ray.driver.places import DRIVERS, FAULTS, JOURNALS, KNOWN, NODES, SUBMISSIONS, SWEPT


class Driver(NamedTuple):
    """A process that was connected to a cluster."""

    document: Mapping[str, Any]

    @property
    def has_ended(self) -> bool:
        """Whether it left the cluster, and brought in all there was."""
        return bool(self.document.get("has_ended"))

    @property
    def is_alive(self) -> bool:
        """Whether the process is there still. It runs on this machine: it could write here."""
        started = _started(self.document["pid"])
        return started is not None and started == self.document.get("pid_started")

    @property
    def is_own(self) -> bool:
        """Whether the cluster was the driver's own, and is gone with it."""
        return bool(self.document.get("is_own"))

    @property
    def job(self) -> str:
        """Which of its cluster's jobs it is: the last digits of each of its tasks' ids."""
        return str(self.document["job"])

    @property
    def was_fetched_late(self) -> bool:
        """Whether roar has fetched what it left in the cluster's store."""
        return bool(self.document.get("was_fetched_late"))

    @property
    def submission(self) -> str:
        """Under which id it was submitted; empty when it was not."""
        return str(self.document.get("submission") or "")

    def texts(self, key: str) -> list[str]:
        """A list of texts in its document."""
        found = self.document.get(key)
        return [str(each) for each in found] if isinstance(found, list) else []


def started_of(journal: Path) -> str | None:
    """When the process was started whose number a journal's name ends with; None when it is gone.

    In the kernel's clock ticks. A number may be another process's by now.
    """
    return _started(journal.stem.rpartition(".")[2])


def _started(pid: object) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    # What nobody has waited for yet, Z, is dead all the same.
    return fields[19] if fields[0] not in "ZX" else None


class Report:
    """The report of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def journals(self) -> Iterator[tuple[str, Path]]:
        """The node of each journal, empty for this machine, and where it lies."""
        for path in sorted((self.folder / JOURNALS).glob("*.jnl")):
            yield "", path
        for path in sorted((self.folder / NODES).glob("*/*.jnl")):
            yield path.parent.name, path

    def drivers(self) -> list[Driver]:
        """Every stay of a driver in a cluster."""
        return [Driver(told) for told in self._documents(DRIVERS)]

    def submissions(self) -> list[Mapping[str, Any]]:
        """Every job that was submitted, with `submission`, `address` and the client's `python`."""
        return list(self._documents(SUBMISSIONS))

    def edges(self) -> Iterator[Mapping[str, Any]]:
        """What drivers passed on: `needs`, tasks whose results were given to `task`, or fetched."""
        for path in sorted((self.folder / DRIVERS).glob("*.edges")):
            for told in self._lines(f"{DRIVERS}/{path.name}"):
                if isinstance(told, dict):
                    yield told

    def ours(self) -> set[str]:
        """The tasks by which drivers asked nodes for the rest."""
        return {task for driver in self.drivers() for task in driver.texts("sweeps")}

    def fetched_by(self, pid: int) -> tuple[str, ...]:
        """The tasks whose results the driver of that number fetched for its program."""
        found: dict[str, None] = {}
        for told in self._lines(f"{DRIVERS}/{pid}.edges"):
            if isinstance(told, dict) and "task" not in told:
                found |= dict.fromkeys(map(str, told.get("needs", ())))
        ours = self.ours()
        return tuple(task for task in found if task not in ours)

    def known(self) -> set[str]:
        """The tasks of which Ray knows."""
        return {task for task, _ in self._attempts()}

    def cut_short(self) -> dict[str, set[tuple[str, int]]]:
        """The tasks that Ray knows to have begun and never to have finished: nodes and processes.

        Not those of which it does not know where all their attempts were.
        """
        found: dict[str, set[tuple[str, int]]] = {}
        for task, place in self._attempts():
            found.setdefault(task, set()).add(place)
        return {task: places for task, places in found.items() if all(pid for _, pid in places)}

    def _attempts(self) -> Iterator[tuple[str, tuple[str, int]]]:
        for told in self._lines(KNOWN):
            if isinstance(told, list) and len(told) == 3 and isinstance(told[2], int):
                yield str(told[0]), (str(told[1]), told[2])

    def faults(self) -> list[str]:
        """What the driver's side failed at."""
        return [str(each) for each in self._lines(FAULTS)]

    def digests(self, node: str) -> Iterator[Mapping[str, Any]]:
        """What a node has said of its files when it was swept."""
        for told in self._lines(f"{NODES}/{node}/{SWEPT}"):
            if isinstance(told, dict):
                yield told

    def _documents(self, name: str) -> Iterator[Mapping[str, Any]]:
        for path in sorted((self.folder / name).glob("*.json")):
            try:
                told = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(told, dict):
                yield told

    def _lines(self, name: str) -> Iterator[Any]:
        """The whole lines of a file of JSON, if it is there."""
        try:
            lines = (self.folder / name).read_bytes().split(b"\n")
        except OSError:
            return
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:  # cut short by a kill, or the end
                continue
