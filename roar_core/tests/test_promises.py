"""Each promise tells of a plugin that breaks it, with a remedy, and of no other."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from roar_core.hookspecs import Match
from roar_core.promises import backend, composite, exporter, importing, storage_proxy, transfer
from roar_core.promises.audit import started_processes
from roar_core.promises.importing import FreshImport
from roar_core.promises.promise import Complaint, Promise


class SoundExporter:
    format = "text+1.0"

    def write(self, graph: Any, target: Any) -> None:
        target.write(f"{len(graph['jobs'])} jobs\n".encode())


class Wrapping(SoundExporter):
    def write(self, graph: Any, target: Any) -> None:
        text = io.TextIOWrapper(target)
        text.write("closed when it is collected\n")
        text.flush()


class Seeking(SoundExporter):
    def write(self, graph: Any, target: Any) -> None:
        target.write(b"size?")
        target.seek(0)


class Changing(SoundExporter):
    def write(self, graph: Any, target: Any) -> None:
        super().write(graph, target)
        graph["root"].clear()


class Counting(SoundExporter):
    calls = 0

    def write(self, graph: Any, target: Any) -> None:
        self.calls += 1
        target.write(b"call %d" % self.calls)


class Silent(SoundExporter):
    def write(self, graph: Any, target: Any) -> None:
        target.write(b"")


def like(base: type, **members: Any) -> Any:
    return type("Odd", (base,), members)()


class SoundTransfer:
    schemes = ("s3", "s3+http")


class SoundFormat:
    name, priority, is_flat = "tiles", 10, False

    def is_root(self, folder: Any) -> bool:
        return bool(folder.has("tiles.json"))

    def in_identity(self, relative: str) -> bool:
        return relative.startswith("tiles")


class Wavering(SoundFormat):
    answer = False

    def in_identity(self, relative: str) -> bool:
        self.answer = relative == "part.bin" and not self.answer
        return self.answer


class SoundBackend:
    name, priority, collect_every_s = "grid", 50, 0.5
    calls = 0

    def detect(self, argv: Any, environ: Any, cwd: Any) -> Any:
        return Match(100) if argv[0] == "grid" else None

    def claims(self, run: Any, path: Any) -> bool:
        return False

    def adopt(self, run: Any, environ: Any) -> Any:
        return {"GRID": "1"}


class SoundProxy:
    name = "store"

    def start(self, run: Any, environ: Any) -> Any:
        return {}

    def objects(self, run: Any) -> Any:
        return ()

    def stop(self, run: Any) -> Any:
        return ()


def wavers(self: Any, argv: Any, environ: Any, cwd: Any) -> Any:
    self.calls += 1
    return Match(self.calls) if not argv[0] else None


def looks(self: Any, argv: Any, environ: Any, cwd: Any) -> Any:
    os.listdir("/")


def starts(self: Any, run: Any, environ: Any) -> Any:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    return {}


def of_csv(self: Any, folder: Any) -> bool:
    return "train.csv" in folder.names()


def asks_much(self: Any, folder: Any) -> bool:
    return folder.name == "data" and any(map(folder.has, "abcdef"))


BROKEN = [
    (backend.says_how_often, like(SoundBackend, collect_every_s=-1), "-1"),
    (
        backend.detects_nothing_ordinary,
        like(SoundBackend, detect=lambda s, argv, e, c: Match(1) if "make" in argv else None),
        "`make -j4`",
    ),
    (backend.detects_by_words, like(SoundBackend, detect=wavers), "changes its mind"),
    (backend.detects_by_words, like(SoundBackend, detect=looks), "calls os.listdir"),
    (
        backend.claims_nothing_ordinary,
        like(SoundBackend, claims=lambda s, run, path: path.suffix == ".parquet"),
        "out/part-0.parquet",
    ),
    (backend.adopts_cheaply, like(SoundBackend, adopt=starts), "calls os.posix_spawn"),
    (backend.adopts_cheaply, like(SoundBackend, adopt=lambda s, r, e: e.clear() or {}), "changes"),
    (backend.adopts_cheaply, like(SoundBackend, adopt=lambda s, r, e: {"GRID": 1}), "'GRID': 1"),
    (storage_proxy.stays_out_of_the_way, like(SoundProxy, start=starts), "calls os.posix_spawn"),
    (
        storage_proxy.stays_out_of_the_way,
        like(SoundProxy, start=lambda s, run, environ: {"STORE": "x"}),
        "start() adds",
    ),
    (
        storage_proxy.stays_out_of_the_way,
        like(SoundProxy, objects=lambda s, run: ["an object"]),
        "it tells of",
    ),
    (composite.says_whether_it_is_flat, like(SoundFormat, is_flat="no"), "'no'"),
    (composite.knows_what_is_ordinary, like(SoundFormat, is_root=of_csv), "data/ of train.csv"),
    (composite.judges_names_alone, Wavering(), "changes its mind"),
    (composite.looks_little, like(SoundFormat, is_root=asks_much), "asks 6 times"),
    (exporter.format_is_a_word, like(SoundExporter, format="My Format"), "'My Format'"),
    (exporter.only_writes, Wrapping(), "calls close()"),
    (exporter.only_writes, Seeking(), "calls seek()"),
    (exporter.leaves_the_graph_alone, Changing(), "changes the graph"),
    (exporter.writes_the_same_twice, Counting(), "other bytes"),
    (exporter.writes_every_graph, Silent(), "nothing of a graph of jobs"),
    (transfer.schemes_are_schemes, like(SoundTransfer, schemes="s3"), "'s3'"),
    (transfer.schemes_are_schemes, like(SoundTransfer, schemes=("s3://",)), "'s3://'"),
    (transfer.schemes_are_schemes, like(SoundTransfer, schemes=("S3",)), "'S3'"),
]
SOUND = [
    (backend.PROMISES, SoundBackend()),
    (storage_proxy.PROMISES, SoundProxy()),
    (composite.PROMISES, SoundFormat()),
    (exporter.PROMISES, SoundExporter()),
    (transfer.PROMISES, SoundTransfer()),
]


@pytest.mark.parametrize(
    ("promise", "candidate", "words"), BROKEN, ids=lambda value: getattr(value, "text", None)
)
def test_what_breaks_it_is_told(promise: Promise[Any], candidate: Any, words: str) -> None:
    [complaint] = promise.complaints(candidate)
    assert words in complaint.problem
    assert complaint.remedy
    assert "\n" not in str(complaint)


@pytest.mark.parametrize(("promises", "candidate"), SOUND)
def test_what_keeps_them_is_not(promises: tuple[Promise[Any], ...], candidate: Any) -> None:
    complaints: list[Complaint] = [c for p in promises for c in p.complaints(candidate)]
    assert not complaints
    assert {promise for promise, *_ in BROKEN} >= set(promises)


def test_a_slow_import_is_advised_against_and_a_quick_one_is_not() -> None:
    [complaint] = importing.is_quick.complaints(FreshImport("mytool", 310.2, ""))
    assert complaint.problem == "it took 310 ms"
    assert "python -X importtime -c 'import mytool'" in complaint.remedy
    assert importing.is_quick.is_remark
    assert not importing.is_quick.complaints(FreshImport("mytool", 50.0, ""))
    assert not importing.is_quick.complaints(FreshImport("mytool", None, ""))


def test_a_fresh_import_says_how_long_it_took_and_what_it_printed() -> None:
    fresh = importing.import_afresh("this")
    assert fresh.took_ms is not None
    assert fresh.took_ms > 0
    assert fresh.said.startswith("The Zen of Python")
    assert importing.import_afresh("no_such_module") == FreshImport("no_such_module", None, "")


def test_a_started_process_is_told_to_everybody_who_listens_and_no_longer() -> None:
    with started_processes() as outer:
        with started_processes() as inner:
            os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    assert (len(inner), len(outer)) == (1, 2)
