"""What is to be done so that some work is registered: sent, made public, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from roar_core.errors import RegistryError
from roar_core.registry.publishing.destination import Destination
from roar_core.registry.publishing.known import private_sessions
from roar_core.registry.publishing.pieces import Ability
from roar_core.registry.publishing.work import Wanted, Work
from roar_core.store.registrations import Receipt


@attrs.frozen
class Plan:
    """`new` are the jobs to be sent, in order; `there` is what is registered, by uid. Of `wanted`
    more than the uids is read only where something is to be sent.

    `widened` are registered sessions (hash to their jobs) that become public with it: all of each,
    even what was not asked for.
    """

    wanted: Wanted
    destination: Destination
    new: tuple[str, ...]
    there: dict[str, Receipt]
    widened: dict[str, tuple[str, ...]]

    @property
    def work(self) -> Work:
        """All that is told of what was asked for."""
        return self.wanted.work

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return not self.new and not self.widened


def plan_of(
    wanted: Wanted,
    uids: Sequence[str],
    destination: Destination,
    known: Mapping[str, Receipt],
    in_session: Mapping[str, Collection[str]],
) -> Plan:
    """What is to be done about `uids`; `in_session` are the jobs here of each private session."""
    asked = frozenset(uids)
    private = private_sessions(receipt for uid, receipt in known.items() if uid in asked)
    return Plan(
        wanted,
        destination,
        tuple(uid for uid in uids if uid not in known),
        {uid: known[uid] for uid in reversed(uids) if uid in known},
        {name: tuple(in_session.get(name, ())) for name in sorted(private)}
        if destination.is_public and not destination.is_anonymous
        else {},
    )


def check(destination: Destination, ability: Ability) -> None:
    """Raise RegistryError for what the registry cannot do."""
    name = destination.registry
    if destination.is_anonymous and not ability.anonymous:
        raise RegistryError(
            f"{name} takes no registrations without an account; sign in: roar login"
        )
    if not ability.registration_sessions:
        raise RegistryError(
            f"{name} does not say that it takes registrations (GLaaS v1, registration sessions); "
            "is registry.url right?"
        )
