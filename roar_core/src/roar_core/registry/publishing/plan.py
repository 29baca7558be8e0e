"""What is to be done so that some work is registered: sent, made public, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from roar_core.errors import RegistryError
from roar_core.registry.publishing.destination import Destination
from roar_core.registry.publishing.pieces import Ability
from roar_core.registry.publishing.work import Work
from roar_core.registry.scopes import PRIVATE
from roar_core.store.registrations import Receipt


@attrs.frozen
class Plan:
    """`new` are the jobs to be sent, in order; `there` is what is registered, by uid.

    `widened` are registered sessions (hash to their jobs) that become public with it: all of each,
    even what `work` does not need of it.
    """

    work: Work
    destination: Destination
    new: tuple[str, ...]
    there: dict[str, Receipt]
    widened: dict[str, tuple[str, ...]]

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return not self.new and not self.widened


def plan_of(
    work: Work,
    destination: Destination,
    known: Mapping[str, Receipt],
    in_session: Mapping[str, Collection[str]],
) -> Plan:
    """What is to be sent of `work`; `in_session` are the jobs here of each private session."""
    private = {
        receipt.session_hash
        for uid, receipt in known.items()
        if uid in work.jobs and receipt.visibility == PRIVATE
    }
    return Plan(
        work,
        destination,
        tuple(uid for uid in work.jobs if uid not in known),
        {uid: known[uid] for uid in reversed(work.jobs) if uid in known},
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
