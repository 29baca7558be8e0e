"""The extension surface of roar: every hook, and every shape a plugin hands over or is handed.

A distribution advertises a plugin, a module or an object holding `@hookimpl` functions, under the
entry-point group of its kind; a command loads only the groups it needs.

    group                   hook                        gives
    roar.tracers            roar_tracers()              Tracer
    roar.analyzers          roar_analyzers(config)      Analyzer
    roar.storage_proxies    roar_storage_proxies(config)  StorageProxy
    roar.backends           roar_backends(config)       ExecutionBackend
    roar.transfers          roar_transfers(config)      Transfer
    roar.composites         roar_composite_formats()    CompositeFormat
    roar.exporters          roar_exporters()            Exporter
    roar.commands           (none)                      the entry point's value is `module:command`
    any of them             roar_config_sections()      ConfigSection
    any of them             roar_capabilities()         booleans

*Hooks offer objects; the core calls each object itself.* pluggy stops at the first exception, so no
work is done inside a hook. What an object raises is reported under its distribution's name and the
run goes on without it; only the failure of the tracer that was chosen stops a command, and only
before it started.

A plugin may set `roar_api_version = 1` in its module; one that asks for a newer version than
`API_VERSION` is not loaded and `roar plugins` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import attrs
import pluggy

from roar_core.model.coverage import CoverageReason
from roar_core.model.tracker import TrackerReference

if TYPE_CHECKING:
    # Every run imports this module, and few runs have a task or an object.
    from roar_core.model.fragment import ObservedObject, TaskCoverage, TaskFragment

API_VERSION = 1
PROJECT = "roar"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@attrs.frozen
class PluginConfig:
    """What a hook may look at: the project root, its plugin's settings, the command's variables.

    `section` is the configuration section named like the entry point. `environ` is empty where the
    command's variables are not known: outside of runs, and when a run is completed after a crash.
    """

    project: Path
    section: Mapping[str, Any]
    environ: Mapping[str, str] = attrs.field(factory=dict)


# --- tracers -------------------------------------------------------------------------------------


@attrs.frozen
class TracerAbilities:
    """What a mechanism can see and do; contract kits and `roar tracer` read it.

    `holds_writers`: can make a process wait before it changes a file the run has read, until roar
    has its digest. The `sees_*` flags say whether such programs are observed rather than reported
    as a gap. `tells_again`: to a journal without a table it tells of a file whenever it is opened,
    not once a run.
    """

    holds_writers: bool = True
    sees_static: bool = True
    sees_raw_syscalls: bool = True
    sees_setuid: bool = True
    sees_io_uring: bool = True
    sees_foreign_abi: bool = True
    needs_privileges: bool = False
    tells_again: bool = True
    cost: str = ""


@attrs.frozen
class Preflight:
    """Whether a tracer can be used here and now.

    `reason` says why not and `remedy` what to type, both empty when `ok`. `checks` lists what was
    looked at, as (what, passed, detail).
    """

    ok: bool
    reason: str = ""
    remedy: str = ""
    checks: tuple[tuple[str, bool, str], ...] = ()


@attrs.frozen
class LaunchPlan:
    """What the coordinator asks a tracer to observe.

    `journal` exists already, created and later grown by roar; the tracer only appends. `program` is
    the absolute path of the file to execute, as the PATH search found it, and `argv` what it is
    told, its own name first; both and `environ` are bytes because the kernel's are. `cwd` is the
    working directory, absolute. `successor` is a `Successor`'s program, empty when there is none: a
    tracer executes it in the place of a program that it cannot enter.
    """

    program: bytes
    argv: tuple[bytes, ...]
    environ: Mapping[bytes, bytes]
    cwd: Path
    journal: Path
    run_uid: str
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    successor: bytes = b""

    @property
    def spelling(self) -> bytes:
        """What to tell execve(2): the user's own words for the file, which a script sees as $0."""
        return self.argv[0] if b"/" in self.argv[0] else self.program


class Launch(Protocol):
    """How to start the command so that it is observed. The coordinator starts it, waits and reaps.

    `argv` and `environ` replace the plan's: preload returns the same argv and a few more variables,
    ptrace its helper in front. `pass_fds` stay open in the child.
    """

    argv: tuple[bytes, ...]
    environ: Mapping[bytes, bytes]
    pass_fds: tuple[int, ...]

    def started(self, pid: int) -> None:
        """Called once in roar when the child exists."""

    def catch_up(self) -> bool:
        """See to it that what happened until now is in the journal.

        Called when the command has ended, and again while what it left in the background ends: who
        is left is known from the journal. A tracer that reports late waits here for its reports.
        Return whether somebody is left whom the journal does not name.
        """

    def finished(self) -> Sequence[CoverageReason]:
        """Called once when the command has ended, before the journal is judged.

        Flush into the journal and let go of everything; return holes that the journal cannot tell.
        One with a gap's code (`static` …) names in `detail` the path of the program it is about.
        """


@runtime_checkable
class Tracer(Protocol):
    """A mechanism that writes what a process tree does into a journal.

    `priority` orders `auto`: lower is tried first; equal priorities go by name.
    """

    name: str
    priority: int
    abilities: TracerAbilities

    def preflight(self) -> Preflight:
        """Say whether this mechanism works here.

        At most 15 ms; must not raise for a mere absence.
        """

    def launch(self, plan: LaunchPlan) -> Launch:
        """Prepare to observe one command.

        Called once per run, in roar, before anything is started.
        """


@runtime_checkable
class Enableable(Tracer, Protocol):
    """A tracer with a service that root installs once for a machine.

    Called by `roar tracer enable NAME` and `disable NAME`, as the user who typed it; both return
    one sentence saying what was done, and raise `TracerError` with a remedy.
    """

    def enable(self, settings: Mapping[str, Any]) -> str:
        """Install and start the service; `settings` is the tracer's configuration section."""

    def disable(self) -> str:
        """Stop the service and remove all that `enable` has put anywhere."""


@runtime_checkable
class Successor(Tracer, Protocol):
    """A tracer that can go on where another one cannot enter.

    `successor` is an executable; `SUCCESSOR --journal JOURNAL -- PROGRAM ARGV0 [ARGUMENT …]`
    becomes PROGRAM, and reports what it and all its children do into that journal, beside other
    writers. It needs nothing of roar, and when it cannot observe it says so in the journal.
    """

    successor: Path


@hookspec
def roar_tracers() -> Iterable[Tracer]:  # type: ignore[empty-body]
    """Offer tracers. Called once per `roar run`, `build` or `tracer`, in roar's process."""


# --- analyzers -----------------------------------------------------------------------------------


@attrs.frozen
class ObservedRun:
    """What an analyzer sees of a run that has ended.

    `read` and `written` are the absolute paths that match its patterns, and no others: what a job
    has written it may also have read, or removed again. `packages` are the Python distributions
    that the job's programs imported, name to version. `environ` is as in `PluginConfig`. Times are
    nanoseconds since the epoch.
    """

    project: Path
    cwd: Path
    read: frozenset[PurePath] = frozenset()
    written: frozenset[PurePath] = frozenset()
    packages: Mapping[str, str] = attrs.field(factory=dict)
    environ: Mapping[str, str] = attrs.field(factory=dict)
    started_at_ns: int = 0
    ended_at_ns: int = 0


@runtime_checkable
class Analyzer(Protocol):
    """Knows the files that one experiment tracker leaves behind.

    `title` is what people call the tracker. `patterns` are globs of the files that belong to it:
    `wandb/` all below a folder of this name, `*.wandb` a file or folder of such a name, anywhere;
    one with a slash before its end starts at the project, or at `/` or `~/`. They match whole names
    and stay out of lineage, whether the job has read or written them.
    """

    name: str
    title: str

    @property
    def patterns(self) -> tuple[str, ...]:
        """Globs of what belongs to the tool; a class attribute does."""

    def references(self, run: ObservedRun) -> Iterable[TrackerReference]:
        """Name the runs that *this* job logged; may read their files, and writes none.

        Called once in roar's process after the command has ended, also when no file matches:
        at most 1 ms then. What it raises is noted in the job's coverage.
        """


@hookspec
def roar_analyzers(config: PluginConfig) -> Iterable[Analyzer]:  # type: ignore[empty-body]
    """Offer analyzers. Called once per run, while the command runs."""


# --- composites ----------------------------------------------------------------------------------


class Folder(Protocol):
    """A folder below which a run has touched files; what is asked of it is looked up once.

    `touched` holds the names of files in it that the run has read or written, `leads_to` those of
    folders in it below which there are such files.
    """

    name: str
    touched: frozenset[str]
    leads_to: frozenset[str]

    def has(self, relative: str) -> bool:
        """Whether `relative` (`meta/info.json`) is there now."""

    def names(self, relative: str = "") -> frozenset[str]:
        """What the folder, or one below it, holds now; empty when it cannot be read."""


@runtime_checkable
class CompositeFormat(Protocol):
    """Recognises one layout of datasets: many files under one root that are one thing.

    `priority` decides between formats that know the same folder: lower is asked first; of two roots
    one inside the other the outer one counts. `is_flat`: members lie in the root itself, never in
    folders below.
    """

    name: str
    priority: int
    is_flat: bool

    def is_root(self, folder: Folder) -> bool:
        """Whether a dataset begins here. Called once for each folder on the way to touched files.

        Once a job, after its command has ended. It may look at a few small files; most folders are
        no dataset, so what decides that should cost one look.
        """

    def in_identity(self, relative: str) -> bool:
        """Whether a file at `relative` below the root is a member. Pure.

        Files that are none stay files of their own. Of a dataset's usual companions (README.md,
        LICENSE …, see `roar_core.identity.in_identity`) roar takes care itself.
        """


@hookspec
def roar_composite_formats() -> Iterable[CompositeFormat]:  # type: ignore[empty-body]
    """Offer dataset layouts. Called once per run, after the command ended."""


# --- runs, as proxies and backends are told of them ----------------------------------------------


class RunContext(NamedTuple):
    """One run, the same for the roar that carries it out and for a later one that recovers it.

    `command` and `cwd` are what the user typed, and where. `folder` belongs to the object that is
    called, for this run alone: it exists, only its owner may look inside, it outlives roar, and
    roar deletes it when a proxy's objects are recorded, or `finalise` has succeeded. What a later
    roar needs to know goes there, not into the object: the one that collects may be another one.
    """

    uid: str
    command: tuple[str, ...]
    cwd: Path
    project: Path
    folder: Path


# --- storage proxies -----------------------------------------------------------------------------


@runtime_checkable
class StorageProxy(Protocol):
    """Stands between a command and an object store for the length of one run.

    The command talks to it, so it must not die with roar: listen in a process of its own, which
    ends when `run.folder` is gone, and holds none of the command's descriptors. Every method is
    called in a thread of roar's process in which signals are blocked: give what you start a mask of
    its own, and /dev/null for the first three descriptors (`os.posix_spawn`).
    """

    name: str

    def start(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Listen on loopback; return the variables to add to the command's environment.

        Called once per run, before the command starts; `environ` is what it gets otherwise. Return
        nothing, and start nothing, when no variable there concerns you. What this raises costs
        coverage: the command then talks to its store directly.
        """

    def objects(self, run: RunContext) -> Iterable[ObservedObject]:
        """Wait for the last byte of what is under way, then tell what passed, whole or cut short.

        Called when the command has ended, however it did; again by a later roar, with another
        object, when this one was killed, even after `stop`. An object read or written twice with
        one content is one.
        """

    def stop(self, run: RunContext) -> Sequence[CoverageReason]:
        """Stop listening and let go of everything; return what is known to have gone unseen.

        Called after `objects`, also when that failed, and when the command could not be started.
        Stopping twice is stopping once.
        """


@hookspec
def roar_storage_proxies(config: PluginConfig) -> Iterable[StorageProxy]:  # type: ignore[empty-body]
    """Offer storage proxies. Called once per run, before the command starts, and per recovery."""


# --- execution backends --------------------------------------------------------------------------


class Match(NamedTuple):
    """That a command line is a backend's: how sure it is, from 1 to 100, and why in a few words."""

    confidence: int
    reason: str = ""


class BackendPlan(NamedTuple):
    """How a backend wants a command run: argv and environment that replace the user's."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]


@runtime_checkable
class ExecutionBackend(Protocol):
    """A platform on which parts of a run happen out of roar's sight.

    In one run, in roar's process and in this order: `detect`; then `plan` of the one backend that
    is surest (equal ones by `priority`, lower first) and `adopt` of all others; the command runs as
    a local process; `collect`, `coverage` and, when that is final, `finalise`. The last three come
    again, from another object, when roar was killed or `roar collect` is called. A failure costs
    coverage, never the command. Signals are blocked in the thread of a call, as for a proxy.

    `collect_every_s`: also collect while the command runs, so often; 0: only afterwards.
    """

    name: str
    priority: int
    collect_every_s: float

    def detect(self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Match | None:
        """Whether this command line hands its work to the platform.

        Called for every run: pure, without a look at disk or network, without a heavy import.
        """

    def plan(self, run: RunContext, environ: Mapping[str, str]) -> BackendPlan:
        """Make the claimed command report back: called at most once, before it starts.

        The command must do what it would have done, with the same output and exit status. Keep the
        user's own argv[0], unless it is found on the PATH of `environ`. That has
        ROAR_NO_TELEMETRY=1, which every worker must get: its uses of roar are the driver's.
        """

    def adopt(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Variables to add to a command that may use the platform somewhere inside. Cheap.

        Called once in every run that the backend does not plan. Start nothing.
        """

    def claims(self, run: RunContext, path: PurePath) -> bool:
        """Whether `path` is the platform's own traffic, and so no input or output.

        Called for every file that the command or a task was seen to touch.
        """

    def collect(self, run: RunContext) -> Iterable[TaskFragment]:
        """Bring back what tasks have reported so far, from the beginning; empty when none did.

        May be called again and again: what was merged is passed over. Give what there is before
        raising. roar waits for each fragment as long as `run.patience` says.
        """

    def coverage(self, run: RunContext) -> TaskCoverage:
        """Say how much should have come back. Called after each `collect`."""

    def finalise(self, run: RunContext) -> None:
        """Let go of everything the run holds on the platform. Finalising twice is once."""


@runtime_checkable
class ServingBackend(ExecutionBackend, Protocol):
    """A backend whose platform starts servers in the run's tree, which may outlive the command."""

    def serves(self, run: RunContext, pid: int, words: Sequence[str]) -> bool:
        """Whether a process is the platform's own, so that nothing is missed of what it does yet.

        Asked of those that are there still when the command has ended: one that is, is no hole, and
        not waited for. `words` are its arguments as the kernel tells them, which a process may have
        overwritten with a title.
        """


@attrs.frozen
class ProcessTask:
    """Which task a process is: `task` and `name` as a `TaskFragment` has them, attempts from 1.

    `among` is how many such tasks run on this machine, 0 when that is not known.
    """

    task: str
    name: str = ""
    attempt: int = 1
    among: int = 0


@runtime_checkable
class ProcessBackend(ExecutionBackend, Protocol):
    """A backend whose tasks are processes of the run's own tree, such as the ranks of `torchrun`.

    Of a run that it plans, roar's own observation is told apart by task: nothing is added to any
    process. The run itself is recorded as ever, with all that they did.
    """

    def task_of(self, environ: Mapping[str, str]) -> ProcessTask | None:
        """The task of a program that has these variables, None when it is nobody's.

        Pure, and quick: called while the command runs, for each program that it starts. Children
        that say nothing of their own belong to their parent's task.
        """


@hookspec
def roar_backends(config: PluginConfig) -> Iterable[ExecutionBackend]:  # type: ignore[empty-body]
    """Offer execution backends. Called once per run, before planning, and per recovery."""


# --- transfers -----------------------------------------------------------------------------------


@attrs.frozen
class RemoteObject:
    """One object behind a URL, as the store describes it.

    `version` and `etag` name its bytes: when neither differs, nor the size, the bytes are the same.
    `digests` are what the store itself knows of the content, by algorithm (`sha256`, `md5`) and in
    lower-case hex. `ranges`: parts of it can be read alone. `name` is what a file of it is called
    below the URL that was listed, its parts between slashes: `a/deep.txt`, and its own last part
    where the URL is the object's own. Bytes that are no UTF-8 are as `os.fsdecode` gives them.
    """

    url: str
    size: int | None
    version: str | None = None
    etag: str | None = None
    digests: Mapping[str, str] = attrs.field(factory=dict)
    ranges: bool = True
    name: str = ""


@attrs.frozen
class Upload:
    """One file to put.

    `source` has `size` bytes. `state` is a folder of this upload's own: kept when it fails, given
    again for the same file and URL, for what is needed to go on, and deleted when it is done. The
    file may have changed meanwhile: what was begun of it is then to be given up.
    `replace`: what is at `url` may be replaced. `advance` is told of bytes that have arrived, from
    any thread, fewer than none when they turn out to be lost; what it raises ends the upload.
    """

    source: Path
    url: str
    size: int
    state: Path
    replace: bool
    advance: Callable[[int], None]


@runtime_checkable
class Transfer(Protocol):
    """Moves bytes for the URL schemes it names, in pieces: memory does not grow with an object.

    roar calls it from several threads at once. No URL holds a secret: credentials are found where
    the store's own tools look for them. What cannot be done is a `RoarError` with a remedy,
    `NotFoundError` where nothing is at a URL, and `TemporaryError` where trying again may help:
    roar does so, after a while.
    """

    @property
    def schemes(self) -> tuple[str, ...]:
        """What its URLs start with, in lower case: `("s3",)`; a class attribute does."""

    def list(self, url: str) -> Iterator[RemoteObject]:
        """Every object at `url`, or below it as a folder, once and in the order of their URLs."""

    def read(self, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
        """Give `length` bytes from `start` on, in pieces of at most a mebibyte; None: to the end.

        Bytes of the version or etag that `source` names, and of no other: when they are gone, raise
        `RoarError`. Called for several ranges of one object at once, for objects with `ranges`.
        Closing the iterator early lets go of everything.
        """

    def below(self, url: str, name: str) -> str:
        """The URL of what is called `name` below the folder `url`, as `list` would give it.

        Called before anything is put, so a store that takes nothing, or not this name, raises.
        """

    def put(self, upload: Upload) -> RemoteObject:
        """Upload one file, whole or not at all; return what the store now holds.

        Without `replace`, `AlreadyThereError` when something is there, whenever it came. Raise
        `RoarError` also when the file's size has changed.
        """


@hookspec
def roar_transfers(config: PluginConfig) -> Iterable[Transfer]:  # type: ignore[empty-body]
    """Offer transfers. Called once per `get` or `put`."""


# --- exporters -----------------------------------------------------------------------------------


@runtime_checkable
class Exporter(Protocol):
    """Writes a lineage graph in one open format."""

    format: str

    def write(self, graph: Mapping[str, Any], target: IO[bytes]) -> None:
        """Write `graph`, the document "graph" of docs/json.md, to `target`.

        In order, as into a pipe, and leave it open. The same graph gives the same bytes, and one
        without jobs is a graph too. Its `jobs`, `artifacts` and a dataset's `components` are
        sequences that are read from the database each time one goes through them: go through them
        instead of keeping them, and memory does not grow with the graph. `json.dumps(graph,
        default=list)` takes them. What the format cannot say is a `RoarError` with a remedy.
        """


@hookspec
def roar_exporters() -> Iterable[Exporter]:  # type: ignore[empty-body]
    """Offer exporters. Called once per `roar export`."""


# --- for every kind ------------------------------------------------------------------------------


@attrs.frozen
class ConfigKey:
    """One setting: its default gives its type, unless `kind` says otherwise."""

    name: str
    default: Any
    help: str
    kind: str | None = None
    choices: tuple[str, ...] = ()


@attrs.frozen
class ConfigSection:
    """A table of the configuration that a plugin owns; the core knows no plugin's keys."""

    name: str
    keys: tuple[ConfigKey, ...]
    help: str = ""
    variables: tuple[str, ...] = ()


@hookspec
def roar_config_sections() -> Iterable[ConfigSection]:  # type: ignore[empty-body]
    """Own a configuration section. Called when configuration is read for a command of this kind."""


@hookspec
def roar_capabilities() -> Mapping[str, bool]:  # type: ignore[empty-body]
    """Booleans for telemetry, e.g. `{"ebpf": True}`; only names on its allowlist are ever sent."""
