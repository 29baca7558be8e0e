"""One registration, from its opening to `finalize`: begun once, continued where it stopped.

How far it has come is in the database after every answer. Whatever is sent twice counts once, so
that a client that was killed, run again, comes to the same session.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from roar_core.errors import ConflictError, RegistryError, UnauthorisedError, UnregisteredError
from roar_core.registry.answers import list_in, object_of
from roar_core.registry.labels.syncing import note_sent
from roar_core.registry.publishing.known import private_sessions
from roar_core.registry.publishing.pieces import (
    Ability,
    Request,
    digest_of_content,
    expected_of,
    label_requests,
    requests_of,
)
from roar_core.store.registrations import (
    Receipt,
    Unfinished,
    forget_unfinished,
    keep_receipts,
    keep_unfinished,
    read_receipts,
    read_unfinished,
)

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection
    from roar_core.registry.publishing.destination import Destination
    from roar_core.registry.publishing.tokens import Tokens
    from roar_core.registry.publishing.work import Wanted, Work
    from roar_core.store.database import Database

Document = dict[str, Any]

_HASH = re.compile(r"[0-9a-f]{64}")
_ALREADY, _COUNTS = "already_registered_session_hashes", ("created_count", "existing_count")


class Published(NamedTuple):
    """The session that some jobs became; `leaf` is its record's number in the registry's log, None
    where that was not told."""

    session_hash: str
    url: str
    uids: tuple[str, ...]
    leaf: int | None


class _Gone(Exception):
    """The registration that was begun is not there any more."""


@attrs.define
class Sender:
    """Sends jobs to one place. `advance` is told how many of how many requests were answered."""

    connection: Connection
    database: Database
    tokens: Tokens
    destination: Destination
    ability: Ability
    advance: Callable[[int, int], None]

    def unfinished(self, wanted: Wanted) -> Unfinished | None:
        """The registration that was begun here and can be finished: part of it, and the same.

        One that cannot is forgotten.
        """
        with self.database.reading() as db:
            begun = read_unfinished(db, *self.destination.place)
        if begun is None:
            return None
        work = wanted.work
        if (
            begun.uids
            and work.jobs.keys() >= set(begun.uids)
            and begun.content == self._content(work, begun.uids)
            and self._token(begun) is not None
        ):
            return begun
        self._forget(begun)
        return None

    def resume(self, wanted: Wanted) -> Published | None:
        """Finish what was begun here; None when there is nothing, or the registry gave it up."""
        begun = self.unfinished(wanted)
        if begun is None:
            return None
        try:
            return self._finish(begun, wanted.work)
        except _Gone:
            if begun.session_hash is not None:
                # Of what is registered the labels are missing, which another registration can tell.
                return self.send(wanted.work, begun.uids)
            self._forget(begun)
            return None

    def send(self, work: Work, uids: Sequence[str]) -> Published:
        """Register these jobs as one session. Raises RegistryError; `resume` then goes on."""
        for _ in range(2):
            begun = self._open(self._content(work, uids), uids)
            try:
                return self._finish(begun, work)
            except _Gone:
                self._forget_unregistered(begun)
        raise RegistryError(
            f"{self.destination.registry} forgets registrations while they are sent; try later"
        )

    def publish(self, session_hash: str, uids: Sequence[str]) -> Published:
        """Make a registered session public, all of it; these are the jobs that are here of it."""
        answer = object_of(self.connection.post(f"sessions/{session_hash}/publish"))
        if answer.get("visibility") != "public" or answer.get("session_hash") != session_hash:
            raise RegistryError(
                f"{self.destination.registry} did not say that session {session_hash[:12]} is "
                "public; try again"
            )
        link = answer.get("published_url")
        url = link if isinstance(link, str) else None
        receipts = [Receipt(uid, session_hash, "public", url) for uid in uids]
        with self.database.writing() as db:
            keep_receipts(db, *self.destination.place, receipts, time.time_ns())
        return Published(session_hash, url or "", tuple(uids), None)

    def _content(self, work: Work, uids: Sequence[str]) -> bytes:
        place = {"scope": self.destination.scope, "git": list(work.git_of(uids))}
        return digest_of_content(work, uids, self.ability, place)

    def _finish(self, begun: Unfinished, work: Work) -> Published:
        leaf = None
        if begun.session_hash is None:
            before = self._private_sessions(begun.uids)
            begun, leaf = self._finalize(self._send_all(begun, work), work)
            if begun.session_hash in before:
                # Only who sees it has changed: its labels may have been, too, by others.
                self._forget(begun)
                return Published(begun.session_hash, begun.url or "", begun.uids, leaf)
        assert begun.session_hash is not None
        try:
            labels = work.labels_of(begun.uids, begun.session_hash)
            for request in label_requests(labels):
                self._post(begun, request)
        except RegistryError as error:
            raise RegistryError(
                f"session {begun.session_hash[:12]} is registered, but its labels are not: {error};"
                " run it again",
                error.status,
                error.code,
            ) from error
        if not self.destination.is_anonymous:
            place = (self.destination.registry, begun.session_hash)
            with self.database.writing() as db:
                note_sent(db, *place, work.labelled, begun.uids, time.time_ns())
        self._forget(begun)
        return Published(begun.session_hash, begun.url or "", begun.uids, leaf)

    def _private_sessions(self, uids: Collection[str]) -> set[str]:
        """The sessions of these jobs that become public by this registration."""
        if not self.destination.is_public:
            return set()
        with self.database.reading() as db:
            known = read_receipts(db, *self.destination.place, uids).values()
        return private_sessions(known)

    def _open(self, content: bytes, uids: Collection[str]) -> Unfinished:
        is_anonymous = self.destination.is_anonymous
        mode = {"mode": "anonymous_public"} if is_anonymous else None
        answer = object_of(self.connection.post("registration-sessions", mode))
        name = answer.get("registration_session_id")
        secret = answer.get("registration_session_token")
        if not isinstance(name, str) or (is_anonymous and not isinstance(secret, str)):
            raise RegistryError(
                f"{self.destination.registry} did not say what the registration is called; "
                "is it a GLaaS registry?"
            )
        if is_anonymous:
            self.tokens.keep(name, str(secret))
        begun = Unfinished(name, content, tuple(uids), 0)
        self._keep(begun)
        return begun

    def _send_all(self, begun: Unfinished, work: Work) -> Unfinished:
        """Everything but `finalize`; what was answered before is passed over."""
        requests = list(requests_of(work, frozenset(begun.uids), self.ability))
        known = _Known()
        for number, request in enumerate(requests):
            if known.sessions and request.many != "jobs":
                break  # all of it may be registered already: then `finalize` says as what
            if number < begun.sent:
                continue
            answer = self._post(begun, request)
            if request.many == "jobs":
                known.note(answer)
            if not known.sessions:
                begun = begun._replace(sent=number + 1)
                self._keep(begun)
            self.advance(number + 1, len(requests) + 1)
        known.check(self.destination.registry)
        return begun

    def _finalize(self, begun: Unfinished, work: Work) -> tuple[Unfinished, int | None]:
        git = work.git_of(begun.uids)
        body: Document = {
            "git_repo": git.repo,
            "git_commit": git.commit,
            "git_branch": git.branch,
        }
        if self.destination.scope is not None:
            body["scope_request"] = self.destination.scope
        if self.destination.is_anonymous:
            body["expected"] = expected_of(work.jobs[uid] for uid in begun.uids)
        told = object_of(self._post(begun, Request("finalize", body)))
        names = ("published_session_hash", "lineage_published_session_hash", "session_hash", "hash")
        links = ("published_url", "lineage_published_url", "session_url", "url")
        digest = next((told[name] for name in names if isinstance(told.get(name), str)), "")
        if not _HASH.fullmatch(digest):
            raise RegistryError(
                f"{self.destination.registry} did not say which session this is; try again"
            )
        url = next((told[name] for name in links if isinstance(told.get(name), str)), None)
        done = begun._replace(session_hash=digest, url=url)
        receipts = [Receipt(uid, digest, self.destination.visibility, url) for uid in begun.uids]
        now = time.time_ns()
        with self.database.writing() as db:
            keep_receipts(db, *self.destination.place, receipts, now)
            keep_unfinished(db, *self.destination.place, done, now)
        leaf = told.get("logIndex")
        return done, leaf if type(leaf) is int and leaf >= 0 else None

    def _post(self, begun: Unfinished, request: Request) -> Any:
        """Send one request; halves of it where a registry finds it too large."""
        path = f"registration-sessions/{begun.name}/{request.path}"
        try:
            return self.connection.post(path, request.body, token=self._token(begun) or None)
        except UnregisteredError as error:
            raise _Gone from error
        except UnauthorisedError as error:
            # A secret that is not the registration's any more; credentials are another matter.
            if self.destination.is_anonymous and error.status == 401:
                raise _Gone from error
            raise
        except ConflictError as error:
            # Finalised by us, who did not live to hear it: `finalize` says once more as what.
            if error.code == "closed" and begun.session_hash is None:
                return {}
            raise
        except RegistryError as error:
            if error.status != 413 or not _can_be_halved(request):
                raise
            answers = [self._post(begun, half) for half in _halves(request)]
            return _both(answers)

    def _token(self, begun: Unfinished) -> str | None:
        """The secret that goes along; empty where credentials do, None when it is lost."""
        return self.tokens.read(begun.name) if self.destination.is_anonymous else ""

    def _keep(self, begun: Unfinished) -> None:
        with self.database.writing() as db:
            keep_unfinished(db, *self.destination.place, begun, time.time_ns())

    def _forget_unregistered(self, begun: Unfinished) -> None:
        """Forget it, unless it is registered and only its labels are missing."""
        with self.database.reading() as db:
            kept = read_unfinished(db, *self.destination.place)
        if kept is None or kept.session_hash is None:
            self._forget(begun)

    def _forget(self, begun: Unfinished) -> None:
        with self.database.writing() as db:
            forget_unfinished(db, *self.destination.place)
        self.tokens.forget(begun.name)


class _Known:
    """What the answers to `jobs/batch` say of jobs that are registered already."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()
        self._new = 0

    def note(self, answer: Any) -> None:
        for complaint in filter(None, list_in(answer, "errors")):
            raise RegistryError(f"the registry did not take a job: {str(complaint)[:300]}")
        self.sessions |= set(map(str, list_in(answer, _ALREADY)))
        self._new += sum(_counted(answer, name) for name in _COUNTS)

    def check(self, registry: str) -> None:
        """Raise ConflictError unless all of the jobs are registered, and in one session."""
        if len(self.sessions) > 1 or (self.sessions and self._new):
            names = ", ".join(sorted(name[:12] for name in self.sessions))
            raise ConflictError(
                f"{registry} has some of these jobs already, in session {names}, and did not say "
                "which; register what you need of the rest by its own reference (@N)",
                409,
            )


def _can_be_halved(request: Request) -> bool:
    return request.many is not None and len(request.body[request.many]) > 1


def _halves(request: Request) -> list[Request]:
    """The two halves of a list; of a dataset's members the first half, the filter has them all."""
    assert request.many is not None
    items = request.body[request.many]
    middle = len(items) // 2
    if request.many == "components":
        index = request.body["membership_index"] | {"stored_components": middle}
        cut = request.body | {"components": items[:middle], "membership_index": index}
        return [request._replace(body=cut)]
    return [
        request._replace(body=request.body | {request.many: part})
        for part in (items[:middle], items[middle:])
    ]


def _both(answers: Sequence[Any]) -> Any:
    """The answers to two halves as one, as far as anybody looks at them."""
    return {
        "errors": [error for answer in answers for error in list_in(answer, "errors")],
        _ALREADY: [name for answer in answers for name in list_in(answer, _ALREADY)],
        **{name: sum(_counted(answer, name) for answer in answers) for name in _COUNTS},
    }


def _counted(told: object, name: str) -> int:
    found = object_of(told).get(name)
    return found if type(found) is int else 0
