"""A run's own fragment session, in a file of the folder that the run has for its backend.

The folder outlives roar, so that another roar carries on when this one was killed; roar deletes it,
and with it the secret, when nothing more can come of the run.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from roar_core.config.layers import load
from roar_core.errors import (
    ConfigError,
    RegistryError,
    RoarError,
    UnreachableError,
    UnregisteredError,
)
from roar_core.fragment_sessions.calls import CALL_S, TTL_S, Calls, open_at
from roar_core.fragment_sessions.pieces import Wholes, read_piece
from roar_core.fragment_sessions.sealing import Seal
from roar_core.fragment_sessions.session import Session
from roar_core.fragment_sessions.waiting import Asking
from roar_core.project import Project
from roar_core.registry.connection import connect

FILE = "fragment-session.json"
REGISTRY = "registry"
# So soon after a failure, a session is not tried to be opened again: a run may submit a lot.
_AGAIN_S = 60.0


class Received(NamedTuple):
    """What was left in a session: (name, JSON object) of each, and what is wrong with the rest.

    A name is the same however often something was sent, and no other has it.
    """

    documents: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    problems: tuple[str, ...] = ()


@attrs.frozen
class _State:
    """What the file tells; `session` is its text, empty while there is none."""

    session: str = ""
    expires_at_s: float | None = None
    failed_at_s: float = 0.0
    failure: str = ""
    has_received: bool = False
    problems: tuple[str, ...] = ()


def is_asked_for(project: Path, environ: Mapping[str, str]) -> bool:
    """Whether the user wants fragments to go through a registry. Raises ConfigError."""
    found = Project(project)
    carrier = load(found.root, found.roar_dir, environ).get("fragments.carrier")
    return bool(carrier == REGISTRY)


class RunSession:
    """The session that is kept in `folder`, if there is one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    @property
    def session(self) -> Session | None:
        """The session, once it was opened."""
        text = self._state().session
        return Session.from_text(text) if text else None

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about what is missing, as was found out last."""
        state = self._state()
        return (*((state.failure,) if state.failure else ()), *state.problems)

    @property
    def is_silent(self) -> bool:
        """Whether there is a session, and nothing has come through it."""
        state = self._state()
        return bool(state.session) and not state.has_received

    def open(self, project: Path, environ: Mapping[str, str]) -> Session:
        """The run's session, opened at the registry that holds in `project` if none is there yet.

        As the user, who must be known there, and for at most some seconds: nobody shall wait for
        it. Whoever else submits at the same time gets the same. Raises RoarError when it cannot be
        opened, for a minute without asking again.
        """
        with self._locked():
            state = self._state()
            if state.session:
                return Session.from_text(state.session)
            if state.failure and time.time() < state.failed_at_s + _AGAIN_S:
                raise UnreachableError(state.failure)
            try:
                session, expires_at_s = _opened(project, environ)
            except RoarError as error:
                failure = f"fragments do not go through a registry: {error}"
                self._keep(_State(failure=failure, failed_at_s=time.time()))
                raise UnreachableError(failure) from error
            self._keep(_State(session.text, expires_at_s))
            return session

    def adopt(self, session: Session) -> None:
        """Keep a session that somebody else has opened, unless there is one."""
        with self._locked():
            if not self._state().session:
                self._keep(_State(session.text))

    def receive(self) -> Received:
        """All that was left up to now, and of it what is whole and was sent by who has the secret.

        Renews the session when half of its time is over. Raises RegistryError when the registry
        does not answer, which may be tried again; a session that is gone is a problem.
        """
        session = self.session
        if session is None:
            return Received()
        calls = Calls.to(session, attempts=1)
        try:
            received = _received(session, calls)
            # What was received is not lost by a failure to keep the rest alive.
            with suppress(RegistryError):
                self._renew(calls)
        except UnregisteredError as error:
            lost = "what was sent there since, or not fetched before, is lost"
            received = Received(problems=(f"{error}; {lost}",))
        finally:
            calls.close()
        state = self._state()
        has_received = state.has_received or bool(received.documents)
        self._keep(attrs.evolve(state, has_received=has_received, problems=received.problems))
        return received

    def note(self, problem: str) -> None:
        """Add to the problems of what was received last."""
        state = self._state()
        self._keep(attrs.evolve(state, problems=(*state.problems, problem)))

    def _renew(self, calls: Calls) -> None:
        state = self._state()
        if state.expires_at_s is None or state.expires_at_s < time.time() + TTL_S / 2:
            self._keep(attrs.evolve(state, expires_at_s=calls.renew()))

    def _state(self) -> _State:
        try:
            told = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return _State()
        return _State(**{**told, "problems": tuple(told["problems"])})

    def _keep(self, state: _State) -> None:
        """Write the file, which is there whole or not at all, and for its owner alone."""
        draft = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as target:
            json.dump(attrs.asdict(state), target)
        draft.replace(self._file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(
            self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _opened(project: Path, environ: Mapping[str, str]) -> tuple[Session, float | None]:
    found = Project(project)
    config = load(found.root, found.roar_dir, environ)
    with connect(config, environ, attempts=1) as connection:
        if not connection.address.is_users_choice and connection.caller is None:
            raise ConfigError(
                f"{connection.url} is named by a file of this project, and you are not signed in"
                " there; sign in: roar login"
            )
        session = Session.new(connection.url)
        asking = Asking(session.url, lambda: open_at(connection, session))
        return session, asking.answer(CALL_S)


def _received(session: Session, calls: Calls) -> Received:
    seal, wholes, strange = Seal(session), Wholes(), 0
    for batch in calls.batches():
        try:
            wholes.add(read_piece(seal.open(batch)))
        except ValueError:
            strange += 1
    found = dict(wholes.documents())
    documents = tuple((name, told) for name, told in found.items() if isinstance(told, dict))
    problems = []
    if strange:
        problems.append(
            f"{strange} of the batches that {session.url} gave are not authentic: changed there or"
            " on the way, or left by somebody who has not the run's secret; they are left out"
        )
    if missing := len(found) - len(documents):
        problems.append(
            f"{missing} of the reports that {session.url} gave are not whole; their tasks may send"
            " them still"
        )
    return Received(documents, tuple(problems))
