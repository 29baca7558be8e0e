"""One job of the graph document, without its machine and without secrets."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from roar_core.export.portable import Portable
from roar_core.redaction import mask, mask_command, mask_in, mask_named
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
    with_secrets: bool


def tell_job(job: Job, telling: Telling, bits: Mapping[tuple[bool, str], bytes]) -> Document:
    """A job; `bits` are the members it touched of a dataset, by (is output, hash)."""
    portable = Portable(job.project, job.cwd, telling.host, absolute=telling.absolute_paths)
    teller = _Teller(portable, telling.with_secrets)
    command = teller.command(job.command)
    cwd = portable.place(job.cwd)
    document = {
        "uid": job.uid,
        "hash": job.hash,
        "session": None if job.session is None else telling.sessions[job.session]["id"],
        "step": None if job.step is None else str(job.step),
        "attempt": None if job.step is None else job.step.attempt,
        "kind": job.kind,
        "name": None if job.name is None else text(teller.sentence(job.name, "name")),
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
                    "detail": text(teller.sentence(reason.detail, "coverage")),
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
                "url": tracker.url and teller.masked(tracker.url, "trackers"),
                "host": tracker.host and teller.masked(tracker.host, "trackers"),
                "title": tracker.title,
            }
            for tracker in job.trackers
        ],
        "labels": teller.labels(job.labels),
    }
    raw: Document = {}
    if not all(map(is_text, command)):
        raw["command"] = [base64_of(argument) for argument in command]
    if not is_text(cwd):
        raw["cwd"] = base64_of(cwd)
    document["masked"] = teller.found
    return document | ({"raw": raw} if raw else {})


class _Teller:
    """Masks secrets, and keeps a list of what it masked."""

    def __init__(self, portable: Portable, with_secrets: bool) -> None:
        self.portable = portable
        self._with_secrets = with_secrets
        self.found: list[Document] = []

    def command(self, command: tuple[str, ...]) -> list[str]:
        arguments = list(command)
        if not self._with_secrets:
            arguments, found = mask_command(arguments)
            for place, what in found:
                self._note("command", what.name, place)
        told = [self.portable.words(argument) for argument in arguments]
        if told and command[0].startswith("/") and told[0].startswith("/…"):
            told[0] = told[0].rpartition("/")[2]  # a program is found along PATH
        return told

    def masked(self, words: str, where: str, name: str = "") -> str:
        if self._with_secrets:
            return words
        masked = mask_named(name, words) if name else mask(words)
        for what in masked.what:
            self._note(where, what)
        return masked.text

    def sentence(self, words: str, where: str, name: str = "") -> str:
        return self.portable.words(self.masked(words, where, name))

    def labels(self, labels: Mapping[str, Any]) -> Any:
        if self._with_secrets:
            return dict(labels)
        told, found = mask_in(dict(labels))
        for what in found:
            self._note("labels", what)
        return told

    def _note(self, where: str, what: str, argument: int | None = None) -> None:
        self.found.append({"where": where, "argument": argument, "what": text(what)})


def _ended_at(job: Job) -> str | None:
    if job.duration_s is None:
        return None
    return exact_timestamp(job.started_at_ns + round(job.duration_s * 1e9))


def _edge(
    edge: Edge, teller: _Teller, bits: Mapping[tuple[bool, str], bytes], *, is_output: bool
) -> Document:
    is_object = edge.kind == "object"
    path = teller.masked(edge.path, "paths") if is_object else teller.portable.place(edge.path)
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
        "remote": None if git.remote is None else text(teller.sentence(git.remote, "git")),
        "dirty": git.dirty,
        "snapshot": git.snapshot,
    }


def _environment(job: Job, teller: _Teller) -> Document | None:
    environment = job.environment
    if environment is None:
        return None
    variables = {
        name: teller.sentence(environment.variables[name], "variables", name)
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
