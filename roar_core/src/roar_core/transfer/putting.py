"""Plan what `roar put` uploads and to which keys, see what is there already, upload the rest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import attrs
from blake3 import blake3

from roar_core.errors import AlreadyThereError, NotFoundError, RoarError, TemporaryError
from roar_core.hashing.cache import StatCache
from roar_core.hashing.digests import Digested
from roar_core.hashing.pool import HashFailure, Progress, hash_files
from roar_core.hookspecs import RemoteObject, Transfer, Upload
from roar_core.model.fingerprint import Fingerprint
from roar_core.transfer.crew import Crew, Task
from roar_core.transfer.getting import named
from roar_core.transfer.names import refuse_clashes
from roar_core.transfer.patience import Patience
from roar_core.transfer.same import Known, Pair, same_ones
from roar_core.transfer.schemes import Transfers, as_url
from roar_core.transfer.walking import walk

# A folder may hold far more than is put there: beyond this, `put` itself finds what is in the way.
_LISTED_MAX = 10_000
_TICK_S = 0.1
_STOPPED_WITHIN_S = 2.0


class PutWishes(NamedTuple):
    """What was asked for: `sources` and `dest` as typed. `follow`: links may lead anywhere."""

    sources: tuple[str, ...]
    dest: str
    cwd: str
    force: bool = False
    follow: bool = False


@attrs.frozen
class Putting:
    """A file, and the object that it becomes."""

    path: str
    url: str
    fingerprint: Fingerprint
    transfer: Transfer


class Done(NamedTuple):
    """A file that is in its store."""

    put: Putting
    there: RemoteObject
    digests: Mapping[str, str]


class PutPlan(NamedTuple):
    """What is to be uploaded, what is there already, and which links were left out."""

    puts: tuple[Putting, ...]
    same: tuple[Done, ...]
    left_out: tuple[str, ...]
    replaced: int = 0

    @property
    def bytes_to_move(self) -> int:
        """Of all files to upload."""
        return sum(put.fingerprint.size for put in self.puts)


def plan_put(wishes: PutWishes, transfers: Transfers) -> tuple[list[Putting], tuple[str, ...]]:
    """Which files become which objects, and what is left out; nothing is uploaded yet.

    What lies in a folder gets its name from there, so that it comes to lie below `dest` as it lies
    below the folder. Raises RoarError when two files would get one URL, naming both.
    """
    dest = as_url(wishes.dest, wishes.cwd)
    transfer = transfers.of(dest)
    transfer.below(dest, "x")  # a store that takes nothing says so before anything is read
    walked = [walk(os.path.join(wishes.cwd, word), follow=wishes.follow) for word in wishes.sources]
    is_folder = len(walked) != 1 or walked[0].is_folder or _is_folder(dest, transfer)
    puts = []
    for found in (each for part in walked for each in part.files):
        url = transfer.below(dest, found.name) if is_folder else dest
        puts.append(Putting(found.path, url, found.fingerprint, transfer))
    refuse_clashes(((put.path, put.url) for put in puts), "in the store")
    left_out = tuple(link for part in walked for link in part.left_out)
    if not puts:
        raise NotFoundError(f"there is no file in {', '.join(wishes.sources)}; nothing is put")
    return puts, left_out


def look_there(
    puts: Sequence[Putting],
    wishes: PutWishes,
    left_out: tuple[str, ...],
    known: Known,
    crew: Crew,
    *,
    algorithms: tuple[str, ...],
    on_progress: Progress | None = None,
) -> PutPlan:
    """Compare with what the store has. Raises AlreadyThereError for other bytes, unless forced."""
    there = objects_there(puts, wishes)
    pairs = [put for put in puts if put.url in there]
    same = same_ones(
        [Pair(put.path, there[put.url], put.transfer) for put in pairs],
        known,
        crew,
        algorithms=algorithms,
        on_progress=on_progress,
    )
    differ = [put.url for put in pairs if put.path not in same]
    if differ and not wishes.force:
        raise AlreadyThereError(
            f"{named(differ)} there already with other bytes; --force replaces"
            f" {'it' if len(differ) == 1 else 'them'}, and nothing was uploaded"
        )
    is_same = {put.url for put in pairs if put.path in same}
    return PutPlan(
        tuple(put for put in puts if put.url not in is_same),
        tuple(Done(p, there[p.url], same[p.path].digests) for p in pairs if p.url in is_same),
        left_out,
        len(differ),
    )


def put_all(
    plan: PutPlan,
    wishes: PutWishes,
    crew: Crew,
    states: Path,
    *,
    done: list[Done],
    cache: StatCache,
    algorithms: tuple[str, ...],
    advance: Callable[[int, int], None],
    tick: Callable[[], None],
) -> None:
    """Upload what is to be uploaded, into `done`; what failed is in `crew`.

    Files are hashed meanwhile. `states` is where uploads that are cut short keep what they need to
    go on. On Ctrl-C `done` holds what came until then, as far as it is hashed.
    """
    arrived_at: dict[str, RemoteObject] = {}
    hashed: dict[str, Digested | HashFailure] = {}

    def arrived(count: int) -> None:
        crew.check()
        advance(count, 0)

    def uploading(put: Putting) -> Task:
        def carry_out() -> None:
            arrived_at[put.url] = _put(put, wishes, states, crew, arrived)
            advance(0, 1)

        return carry_out

    # The database, which knows what was hashed before, is this thread's.
    background = ThreadPoolExecutor(1)
    uploads = background.submit(crew.carry_out, map(uploading, plan.puts))
    try:
        hashed = hash_files(
            [(put.path, put.fingerprint) for put in plan.puts],
            cache=cache,
            algorithms=algorithms,
            on_progress=lambda *_: tick(),
        )
        while not uploads.done():
            wait([uploads], _TICK_S)
            tick()
        uploads.result()
    except BaseException:
        crew.stop.set()
        raise
    finally:
        if crew.stop.is_set():
            wait([uploads], _STOPPED_WITHIN_S)
        background.shutdown(wait=not crew.stop.is_set())
        for put in plan.puts:
            found, there = hashed.get(put.path), arrived_at.get(put.url)
            if isinstance(found, Digested) and there is not None:
                done.append(Done(put, there, found.digests))
            elif isinstance(found, HashFailure) and there is not None:
                crew.failures.append(RoarError(f"{put.path} cannot be hashed: {found.reason}"))


def _put(
    put: Putting, wishes: PutWishes, states: Path, crew: Crew, advance: Callable[[int], None]
) -> RemoteObject:
    state = states / _name_of_state(put)
    patience, told = Patience(crew.stop), 0

    def arrived(count: int) -> None:
        nonlocal told
        told += count
        if count > 0:
            patience.renew()
        advance(count)

    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RoarError(f"{state} cannot be made: {error.strerror}") from error
    upload = Upload(Path(put.path), put.url, put.fingerprint.size, state, wishes.force, arrived)
    while True:
        try:
            there = put.transfer.put(upload)
            break
        except TemporaryError as error:
            advance(-told)
            told = 0
            patience.wait_after(error)
        except AlreadyThereError as error:
            raise AlreadyThereError(
                f"something came to be at {put.url} meanwhile; --force replaces it"
            ) from error
    shutil.rmtree(state, ignore_errors=True)
    try:
        now = Fingerprint.from_stat(os.stat(put.path))
    except OSError as error:
        raise RoarError(
            f"{put.path} went while it was uploaded; {put.url} is not recorded"
        ) from error
    if not now.same_content(put.fingerprint):
        raise RoarError(
            f"{put.path} changed while it was uploaded, so nobody knows what is at {put.url} now;"
            " put it again with --force"
        )
    return there


def _name_of_state(put: Putting) -> str:
    """One for each file and URL, so that what was begun of a file as it was is found again."""
    facts = (put.url, put.path)
    return blake3("\0".join(facts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _is_folder(dest: str, transfer: Transfer) -> bool:
    """Whether a single file goes below `dest`, as with cp: it ends with a slash, or is a folder."""
    if dest.endswith("/"):
        return True
    try:
        first = next(iter(transfer.list(dest)), None)
    except NotFoundError:
        return os.path.isdir(_path_if_file(dest))
    return first is not None and first.url != dest


def _path_if_file(dest: str) -> str:
    from roar_core.transfer.file import path_of_url

    return path_of_url(dest) if dest.startswith("file://") else ""


def objects_there(puts: Sequence[Putting], wishes: PutWishes) -> dict[str, RemoteObject]:
    """What the store has at the URLs that are to be put to, as far as a listing tells."""
    if not puts:
        return {}
    wanted = {put.url for put in puts}
    transfer = puts[0].transfer
    place = puts[0].url if len(puts) == 1 else as_url(wishes.dest, wishes.cwd)
    limit = _LISTED_MAX + 10 * len(puts)
    try:
        listed = islice(transfer.list(place), limit)
        return {found.url: found for found in listed if found.url in wanted}
    except NotFoundError:
        return {}
