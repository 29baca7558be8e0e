"""Registering some work: what is there, what is to be done, and doing it to the end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import attrs

from roar_core.errors import ConflictError
from roar_core.registry.publishing.known import known_jobs, private_sessions
from roar_core.registry.publishing.pieces import Ability
from roar_core.registry.publishing.plan import Plan, check, plan_of
from roar_core.registry.publishing.sending import Published, Sender
from roar_core.registry.publishing.tokens import Tokens
from roar_core.store.registrations import Receipt, jobs_of_session, read_receipts

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from roar_core.registry.connection import Connection
    from roar_core.registry.publishing.destination import Destination
    from roar_core.registry.publishing.work import Wanted, Work
    from roar_core.store.database import Database

Widened = Callable[[Collection[str]], "Work"]
"""Reads the work that some jobs (uids) belong to, beside what was asked for."""


@attrs.define
class Registering:
    """Some work on its way to one place of one registry."""

    sender: Sender
    wanted: Wanted
    read_more: Widened

    @classmethod
    def at(
        cls,
        connection: Connection,
        database: Database,
        roar_dir: Path,
        destination: Destination,
        wanted: Wanted,
        read_more: Widened,
        advance: Callable[[int, int], None],
    ) -> Registering:
        """Ask the registry what it can do. Raises RegistryError."""
        ability = Ability.from_health(connection.get("health"))
        check(destination, ability)
        tokens = Tokens(roar_dir)
        sender = Sender(connection, database, tokens, destination, ability, advance)
        return cls(sender, wanted, read_more)

    def plan(self) -> Plan:
        """What is to be done, as far as the registry tells what it has."""
        sender = self.sender
        uids: tuple[str, ...] = self.wanted.uids
        known = self._known(uids)
        begun = sender.unfinished(self.wanted)
        if known.keys() < set(uids):
            # Those in the order in which they are sent; some may have ended since they were asked.
            asked, uids = uids, tuple(self.wanted.work.jobs)
            known = known if set(uids) == set(asked) else self._known(uids)
        if begun is not None and begun.session_hash is None:
            # It may be registered; only finishing it tells, and has its labels follow.
            known = {uid: receipt for uid, receipt in known.items() if uid not in begun.uids}
        with sender.database.reading() as db:
            sessions = _private_sessions(db, sender.destination, known.values())
        return plan_of(self.wanted, uids, sender.destination, known, sessions)

    def carry_out(self, plan: Plan) -> list[Published]:
        """Do it, and first finish what was begun. Returns the sessions that came of it.

        Raises RegistryError; what was answered until then counts, and the next call goes on there.
        """
        resumed = self.sender.resume(self.wanted)
        done = [] if resumed is None else [resumed]
        finished = frozenset(resumed.uids if resumed is not None else ())
        for name, uids in plan.widened.items():
            if self.sender.ability.publish:
                done.append(self.sender.publish(name, uids))
                continue
            is_all = set(self.wanted.uids) >= set(uids)
            more = self.wanted.work if is_all else self.read_more(uids)
            done.append(self._widen(more, uids))
        new = tuple(uid for uid in plan.new if uid not in finished)
        if new:
            done.append(self.sender.send(self.wanted.work, new))
        return done

    def _widen(self, work: Work, uids: tuple[str, ...]) -> Published:
        """Send a session again, for everybody: to the registry it is the one it has."""
        try:
            return self.sender.send(work, uids)
        except ConflictError as error:
            raise ConflictError(
                f"{error}; it cannot be made public as it is there: what would be sent of it now is"
                " not the same, as after another version of roar or other redaction rules; make it"
                " public with those, or publish it without a name: --anonymous",
                error.status,
                error.code,
            ) from error

    def has_begun(self) -> bool:
        """Whether something is to be finished that the user agreed to before."""
        return self.sender.unfinished(self.wanted) is not None

    def _known(self, uids: Sequence[str]) -> dict[str, Receipt]:
        sender = self.sender
        place = (sender.connection, sender.database, sender.destination, sender.ability)
        return known_jobs(*place, uids)


def remembered_plan(database: Database, wanted: Wanted, destination: Destination) -> Plan:
    """What is to be done as far as this machine knows: nobody is asked."""
    with database.reading() as db:
        known = read_receipts(db, *destination.place, wanted.uids)
        sessions = _private_sessions(db, destination, known.values())
    uids = tuple(wanted.work.jobs) if known.keys() < set(wanted.uids) else wanted.uids
    return plan_of(wanted, uids, destination, known, sessions)


def _private_sessions(
    db: sqlite3.Connection, destination: Destination, receipts: Collection[Receipt]
) -> dict[str, tuple[str, ...]]:
    """The jobs here of each private session, by its hash."""
    names = private_sessions(receipts)
    return {name: jobs_of_session(db, *destination.place, name) for name in names}
