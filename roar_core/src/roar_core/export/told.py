"""One job of the graph document, without its machine and without secrets.

Words are masked first and made portable then: a secret may look like a path. When the document is
done it is passed over as a whole, so that no field is left out because nobody thought of it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from roar_core.export.portable import Portable
from roar_core.redaction import Masked, Redactor, redact
from roar_core.spelling import base64_of, exact_timestamp, is_text, text

if TYPE_CHECKING:
    from roar_core.model.job import Edge, Job

Document = dict[str, Any]


class Telling(NamedTuple):
    """How jobs are told: the graph's sessions by number, its jobs, and what is kept back."""

    sessions: Mapping[int, Document]
    uids: frozenset[str]
    host: str
    absolute_paths: bool
    redactor: Redactor | None  # None: with secrets


def tell_job(
    job: Job,
    telling: Telling,
    bits: Mapping[tuple[bool, str], bytes],
    task: Document | None = None,
    needs: Sequence[str] = (),
) -> Document:
    """A job; `bits` are the members it touched of a dataset, by (is output, hash).

    `needs` are the uids of the tasks whose results it got.
    """
    portable = Portable(job.project, job.cwd, telling.host, absolute=telling.absolute_paths)
    teller = _Teller(portable, telling.redactor)
    command = teller.command(job.command)
    cwd = portable.place(job.cwd)
    document = {
        "uid": job.uid,
        "hash": job.hash,
        "session": None if job.session is None else telling.sessions[job.session]["id"],
        "step": None if job.step is None else str(job.step),
        "attempt": None if job.step is None else job.step.attempt,
        "kind": job.kind,
        "name": None if job.name is None else text(teller.sentence(job.name, "/name")),
        "command": [text(argument) for argument in command],
        "cwd": text(cwd),
        "state": job.state,
        "exit_code": job.exit_code,
        "signal": job.signal,
        "started_at": exact_timestamp(job.started_at_ns),
        "ended_at": _ended_at(job),
        "duration_s": job.duration_s,
        "rerun_of": job.rerun_of if job.rerun_of in telling.uids else None,
        "parent": job.parent,
        "tracer": job.tracer,
        "coverage": {
            "state": job.coverage.state,
            "reasons": [
                {
                    "code": reason.code,
                    "count": reason.count,
                    "detail": text(teller.sentence(reason.detail, "/coverage")),
                }
                for reason in job.coverage.reasons
            ],
        },
        "inputs": [_edge(edge, teller, bits, is_output=False) for edge in job.inputs],
        "outputs": [_edge(edge, teller, bits, is_output=True) for edge in job.outputs],
        "git": _git(job, teller),
        "packages": {
            "python": dict(sorted(job.packages.python.items())),
            "system": dict(sorted(job.packages.system.items())),
        },
        "environment": _environment(job, teller),
        "trackers": [
            {
                "tracker": tracker.tracker,
                "run_id": tracker.run_id,
                "project": tracker.project,
                "entity": tracker.entity,
                "name": tracker.name,
                "url": tracker.url and teller.masked(tracker.url, "/trackers"),
                "host": tracker.host and teller.masked(tracker.host, "/trackers"),
                "title": tracker.title,
            }
            for tracker in job.trackers
        ],
        "labels": teller.labels(job.labels),
        "task": task,
    }
    if needs:
        document["needs"] = list(needs)
    raw: Document = {}
    if not all(map(is_text, command)):
        raw["command"] = [base64_of(argument) for argument in command]
    if not is_text(cwd):
        raw["cwd"] = base64_of(cwd)
    return teller.finished(document | ({"raw": raw} if raw else {}))


def tell_masked(masked: Iterable[Masked]) -> list[Document]:
    """What was masked, as documents tell it: where, which argument of a command, the rule, what."""
    return [
        {
            "where": _WHERE.get(_parts(where)[0], "other"),
            "argument": int(_parts(where)[1]) if where.startswith("/command/") else None,
            "rule": rule,
            "what": text(name),
        }
        for where, rule, name in masked
    ]


_WHERE = {
    **{part: part for part in ("command", "name", "variables", "coverage", "git", "trackers")},
    **{part: part for part in ("labels", "packages", "environment", "task")},
    **dict.fromkeys(("inputs", "outputs", "cwd", "raw"), "paths"),
}


def _parts(pointer: str) -> list[str]:
    return pointer.split("/")[1:] or [""]


class _Teller:
    """Masks secrets, and keeps a list of what it masked."""

    def __init__(self, portable: Portable, redactor: Redactor | None) -> None:
        self.portable = portable
        self._redactor = redactor
        self._found: list[Masked] = []

    def command(self, command: tuple[str, ...]) -> list[str]:
        arguments = list(command)
        if self._redactor is not None:
            arguments, found = self._redactor.mask_command(arguments)
            self._found += [Masked(f"/command/{place}", *finding) for place, finding in found]
        told = [self.portable.words(argument) for argument in arguments]
        if told and command[0].startswith("/") and told[0].startswith("/…"):
            told[0] = told[0].rpartition("/")[2]  # a program is found along PATH
        return told

    def masked(self, words: str, where: str, name: str = "") -> str:
        if self._redactor is None:
            return words
        mask = self._redactor.mask_named(name, words) if name else self._redactor.mask(words)
        self._found += [Masked(where, *finding) for finding in mask.found]
        return mask.text

    def sentence(self, words: str, where: str, name: str = "") -> str:
        return self.portable.words(self.masked(words, where, name))

    def labels(self, labels: Mapping[str, Any]) -> Any:
        if self._redactor is None:
            return dict(labels)
        told = redact(dict(labels), self._redactor, at="/labels", again=True)
        self._found += told.masked
        return told.document

    def finished(self, document: Document) -> Document:
        """The document after one look at all of it, with what was masked."""
        if self._redactor is None:
            return document | {"masked": []}
        told = redact(document, self._redactor)
        return {**told.document, "masked": tell_masked([*self._found, *told.masked])}


def _ended_at(job: Job) -> str | None:
    if job.duration_s is None:
        return None
    return exact_timestamp(job.started_at_ns + round(job.duration_s * 1e9))


def _edge(
    edge: Edge, teller: _Teller, bits: Mapping[tuple[bool, str], bytes], *, is_output: bool
) -> Document:
    is_object = edge.kind == "object"
    where = "/outputs" if is_output else "/inputs"
    path = teller.portable.url(edge.path) if is_object else teller.portable.place(edge.path)
    path = teller.masked(path, where)
    name = edge.hash or (name_of(edge.digests) if edge.digests else None)
    document: Document = {
        "path": text(path),
        "place": "store" if is_object else "outside" if path.startswith("/") else "project",
        "hash": name,
        "size": edge.size,
        "kind": edge.kind,
        "hash_state": edge.hash_state,
        "producer": edge.producer,
        "further_producers": list(edge.further_producers),
        "composite": None,
    }
    if edge.composite is not None:
        touched = bits.get((is_output, name or ""))
        document["composite"] = {
            "layout": edge.composite.layout,
            "members": edge.composite.members,
            "touched": edge.composite.touched,
            "whole": edge.composite.is_whole,
            "bits": None if touched is None else b64encode(touched).decode(),
        }
    for field, value in (("version", edge.version), ("etag", edge.etag)):
        if value is not None:
            document[field] = teller.masked(value, "paths")
    if edge.ranges:
        document["ranges"] = [list(each) for each in edge.ranges]
    if not is_text(path):
        document["raw"] = base64_of(path)
    return document


def name_of(digests: Mapping[str, str]) -> str:
    """What bytes of these digests are called: by BLAKE3, of a dataset by its tree hash, else any.

    The same choice as everywhere in roar: the first of blake3, composite-…, then by name.
    """
    best = min(digests, key=lambda name: (name != "blake3", not name.startswith("composite"), name))
    return f"{best}:{digests[best]}"


def _git(job: Job, teller: _Teller) -> Document:
    git = job.git
    return {
        "commit": git.commit,
        "branch": None if git.branch is None else text(git.branch),
        "remote": None if git.remote is None else text(teller.sentence(git.remote, "/git")),
        "dirty": git.dirty,
        "snapshot": git.snapshot,
    }


def _environment(job: Job, teller: _Teller) -> Document | None:
    environment = job.environment
    if environment is None:
        return None
    variables = {
        name: teller.sentence(environment.variables[name], "/variables", name)
        for name in sorted(environment.variables)
    }
    return {
        "os": environment.os,
        "arch": environment.arch,
        "interpreter": environment.interpreter,
        "cpu": environment.cpu,
        "memory_bytes": environment.memory_bytes,
        "gpus": [
            {"name": gpu.name, "memory_bytes": gpu.memory_bytes, "driver": gpu.driver}
            for gpu in environment.gpus
        ],
        "cuda": environment.cuda,
        "container": environment.container,
        "variables": {text(name): text(value) for name, value in variables.items()},
    }
