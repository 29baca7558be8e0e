"""Plan what `roar get` fetches and where it goes, see what is there already, fetch the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from roar_core.errors import AlreadyThereError, RoarError, UsageError
from roar_core.hashing.pool import Progress
from roar_core.hookspecs import RemoteObject, Transfer
from roar_core.transfer.crew import Crew, Task
from roar_core.transfer.fetching import Fetch, Fetched, Fetching
from roar_core.transfer.names import is_folder_mark, problem_below, problem_of, refuse_clashes
from roar_core.transfer.parts import finish_folder, part_path
from roar_core.transfer.same import Known, Pair, same_ones
from roar_core.transfer.schemes import Transfers, as_url

_NAMED_MAX = 3


class GetWishes(NamedTuple):
    """What was asked for: `sources` as typed; without a `dest` names come from the sources.

    `is_file`: `dest` names the file itself, whatever there is. `wanted` are digests that the one
    file must have. `fold`: names that differ only in case cannot stand side by side.
    """

    sources: tuple[str, ...]
    cwd: str
    dest: str | None = None
    is_file: bool = False
    limit: int | None = None
    force: bool = False
    fold: bool = False
    wanted: Mapping[str, str] = {}


class GetPlan(NamedTuple):
    """What is to be fetched, and what is there already with the same bytes."""

    fetches: tuple[Fetch, ...]
    same: tuple[Fetched, ...] = ()

    @property
    def bytes_to_move(self) -> int:
        """Of objects whose size is known."""
        return sum(fetch.source.size or 0 for fetch in self.fetches)


class _Listed(NamedTuple):
    url: str
    transfer: Transfer
    objects: tuple[RemoteObject, ...]
    is_folder: bool


def plan_get(wishes: GetWishes, transfers: Transfers) -> list[Fetch]:
    """Which objects become which files; nothing is fetched yet.

    Raises RoarError when two would become one, or one would lie outside of its folder.
    """
    listed: list[_Listed] = []
    left = wishes.limit
    for word in wishes.sources:
        if left == 0:
            break
        listed.append(_list(as_url(word, wishes.cwd), transfers, left))
        if left is not None:
            left -= len(listed[-1].objects)
    found = [(source, part) for part in listed for source in part.objects]
    is_one = len(wishes.sources) == 1 and not listed[0].is_folder
    if wishes.wanted and len(found) != 1:
        raise UsageError(f"--hash is of one file, and these are {len(found):,}; get it alone")
    if wishes.is_file and not is_one:
        raise UsageError("-o names one file; name a folder behind the sources instead")
    fetches = [_fetch(source, part, wishes, is_one=is_one) for source, part in found]
    pairs = ((fetch.source.url, fetch.target) for fetch in fetches)
    refuse_clashes(pairs, "on this machine", fold=wishes.fold)
    return fetches


def look_around(
    fetches: Sequence[Fetch],
    wishes: GetWishes,
    known: Known,
    crew: Crew,
    *,
    algorithms: tuple[str, ...],
    on_progress: Progress | None = None,
) -> GetPlan:
    """Compare with what is there. Raises AlreadyThereError for other bytes, unless forced."""
    there = [fetch for fetch in fetches if os.path.lexists(fetch.target)]
    found = same_ones(
        [Pair(fetch.target, fetch.source, fetch.transfer, wishes.wanted) for fetch in there],
        known,
        crew,
        algorithms=algorithms,
        on_progress=on_progress,
    )
    differ = [fetch.target for fetch in there if fetch.target not in found]
    if differ and not wishes.force:
        raise AlreadyThereError(
            f"{named(differ)} there already with other bytes; --force replaces"
            f" {'it' if len(differ) == 1 else 'them'}"
        )
    same = tuple(
        Fetched(fetch.source, fetch.target, digested.fingerprint, digested.digests)
        for fetch in there
        if (digested := found.get(fetch.target)) is not None
    )
    return GetPlan(tuple(fetch for fetch in fetches if fetch.target not in found), same)


def require_room(plan: GetPlan) -> None:
    """Raise RoarError when a file system has too little room for what goes there."""
    needs: dict[int, int] = {}
    places: dict[int, str] = {}
    for fetch in plan.fetches:
        folder = _existing(os.path.dirname(fetch.target))
        device = os.stat(folder).st_dev
        places.setdefault(device, folder)
        needs[device] = needs.get(device, 0) + (fetch.source.size or 0) - _part_bytes(fetch)
    for device, size in needs.items():
        stat = os.statvfs(places[device])
        free = stat.f_bavail * stat.f_frsize
        if stat.f_blocks and size > free:
            raise RoarError(
                f"{size:,} bytes are to be fetched, and {places[device]} has room for {free:,};"
                " make room, or fetch less with --limit"
            )


def fetch_all(
    plan: GetPlan,
    wishes: GetWishes,
    crew: Crew,
    *,
    algorithms: tuple[str, ...],
    done: list[Fetched],
    advance: Callable[[int, int], None],
    tick: Callable[[], None],
) -> None:
    """Fetch what is to be fetched, into `done`; what failed is in `crew`.

    `advance` gets (bytes, files). On Ctrl-C `done` holds what came until then.
    """
    under_way: dict[str, Fetching] = {}

    def arrived(count: int) -> None:
        crew.check()
        advance(count, 0)

    def finished(fetched: Fetched) -> None:
        del under_way[fetched.target]
        done.append(fetched)
        advance(0, 1)

    def tasks() -> Iterator[Task]:
        for fetch in plan.fetches:
            fetching = Fetching(
                *(fetch, arrived, crew.stop),
                wanted=wishes.wanted,
                algorithms=algorithms,
                on_done=finished,
            )
            under_way[fetch.target] = fetching
            try:
                _make_folder(fetch)
                each = fetching.tasks()
            except RoarError as error:
                each = iter((_raising(error),))
            yield from each

    try:
        crew.carry_out(tasks(), tick)
    finally:
        for fetching in under_way.values():
            fetching.close()
        for folder in sorted({os.path.dirname(fetched.target) for fetched in done}):
            finish_folder(folder)


def named(names: Sequence[str]) -> str:
    """`a is`, `a, b and c are`, `a, b, c and 7 more are`."""
    if len(names) == 1:
        return f"{names[0]} is"
    if len(names) > _NAMED_MAX + 1:
        return f"{', '.join(names[:_NAMED_MAX])} and {len(names) - _NAMED_MAX:,} more are"
    return f"{', '.join(names[:-1])} and {names[-1]} are"


def _list(url: str, transfers: Transfers, limit: int | None) -> _Listed:
    transfer = transfers.of(url)
    every: Iterable[RemoteObject] = (
        found for found in transfer.list(url) if not is_folder_mark(found.name, found.size)
    )
    objects = tuple(islice(every, limit))
    return _Listed(url, transfer, objects, [found.url for found in objects] != [url])


def _fetch(source: RemoteObject, part: _Listed, wishes: GetWishes, *, is_one: bool) -> Fetch:
    cwd, dest = wishes.cwd, wishes.dest
    if dest is not None:
        is_folder = dest.endswith("/") or os.path.isdir(os.path.join(cwd, dest))
        dest = os.path.normpath(os.path.join(cwd, dest))
        if is_one and (wishes.is_file or not is_folder):
            return Fetch(source, part.transfer, dest, os.path.dirname(dest), wishes.force)
    problem = problem_below(source.name)
    if problem is not None:
        raise RoarError(
            f"{source.url} {problem}, so it cannot be a file of that name below a folder;"
            " get it alone and name the file: -o NAME"
        )
    root = dest or (os.path.join(cwd, _last_part(part.url)) if part.is_folder else cwd)
    return Fetch(source, part.transfer, os.path.join(root, source.name), root, wishes.force)


def _last_part(url: str) -> str:
    """What a folder is called here, after the last part of its URL."""
    parts = urlsplit(url)
    path = f"{parts.netloc}{parts.path}".rstrip("/").rpartition("/")[2]
    name = os.fsdecode(unquote_to_bytes(path)) if parts.scheme == "file" else path
    if problem_of(name) is not None or "/" in name:
        raise UsageError(f"{url} gives its folder no name; name one behind it")
    return name


def _make_folder(fetch: Fetch) -> None:
    """Make the folder of a file. Raises RoarError when a link leads it out of its root."""
    folder = os.path.dirname(fetch.target)
    root = os.path.realpath(fetch.root)
    is_inside = os.path.commonpath([root, os.path.realpath(folder)]) == root
    try:
        if is_inside:
            os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise RoarError(f"cannot make the folder {folder}: {error.strerror}") from error
    if not is_inside or os.path.commonpath([root, os.path.realpath(folder)]) != root:
        raise RoarError(
            f"{folder} leads out of {fetch.root} by a symbolic link, and nothing is written there;"
            " remove the link, or fetch to where it leads"
        )


def _raising(error: RoarError) -> Task:
    def carry_out() -> None:
        raise error

    return carry_out


def _existing(folder: str) -> str:
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _part_bytes(fetch: Fetch) -> int:
    """What an unfinished fetch takes up already."""
    try:
        return os.stat(part_path(fetch.target)).st_blocks * 512
    except OSError:
        return 0
