"""What roar relies on of the names of whatever a plugin offers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from roar_core.contracts import Contract, Offer, names_of
from roar_core.promises.promise import Complaint, promise

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*", re.ASCII)


class Offered(NamedTuple):
    """One object of a plugin, among all that plugins of its kind offer here."""

    offer: Offer
    contract: Contract
    others: tuple[Offer, ...]


@promise("its name can be typed, and stand in a configuration file")
def has_a_plain_name(offered: Offered) -> Iterator[Complaint]:
    for name in names_of(offered.offer.value, offered.contract):
        if not _NAME.fullmatch(name):
            yield Complaint(
                f"it is called {name!r}", "use letters, digits, '.', '_', '+' and '-' alone"
            )


@promise("nothing else of its kind has its name")
def shares_no_name(offered: Offered) -> Iterator[Complaint]:
    own = set(names_of(offered.offer.value, offered.contract))
    for other in offered.others:
        if other is not offered.offer and own & set(names_of(other.value, offered.contract)):
            yield Complaint(
                f"{other.ref.distribution} has the name too, so that roar uses neither",
                "rename it, or uninstall one of them",
            )


PROMISES = (has_a_plain_name, shares_no_name)
