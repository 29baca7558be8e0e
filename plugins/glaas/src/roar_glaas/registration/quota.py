"""How much may be registered in a day (UTC): by one address without an account, by one owner."""

from __future__ import annotations

import time
from typing import NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import NOBODY
from roar_glaas.errors import TooMany
from roar_glaas.moments import DAY_S, today
from roar_glaas.serving.rates import group_of
from roar_glaas.settings import Settings
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.tables import anonymous_use, owner_use


class User(NamedTuple):
    """Who has something kept: an owner, and from where; of nobody known, the address counts."""

    owner_id: int
    address: str


def use(
    connection: sa.Connection, settings: Settings, user: User, *, jobs: int = 0, size: int
) -> None:
    """Count what somebody has kept, in bytes. Raises TooMany beyond the quota.

    Call it last: it makes all other requests of this user wait until the transaction's end.
    """
    if user.owner_id == NOBODY:
        _use_as_nobody(connection, settings, user.address, jobs, size)
    else:
        _use_as_owner(connection, settings, user.owner_id, jobs, size)


def _use_as_nobody(
    connection: sa.Connection, settings: Settings, address: str, jobs: int, size: int
) -> None:
    limits = (settings.anonymous_jobs_per_day, settings.anonymous_bytes_per_day)
    if _is_beyond(connection, anonymous_use.c.address, group_of(address), (jobs, size), limits):
        raise TooMany(
            "this address has registered all that one may in a day without an account: "
            f"{limits[0]} jobs or {limits[1]} bytes",
            retry_after_s=_rest_of_day(),
        )


def _use_as_owner(
    connection: sa.Connection, settings: Settings, owner_id: int, jobs: int, size: int
) -> None:
    limits = (settings.owner_jobs_per_day, settings.owner_bytes_per_day)
    if _is_beyond(connection, owner_use.c.owner_id, owner_id, (jobs, size), limits):
        raise TooMany(
            f"this account has registered all that one may in a day: {limits[0]} jobs or "
            f"{limits[1]} bytes (owner_jobs_per_day, owner_bytes_per_day of this registry)",
            retry_after_s=_rest_of_day(),
        )


def _is_beyond(
    connection: sa.Connection,
    who: sa.Column[str] | sa.Column[int],
    value: str | int,
    used: tuple[int, int],
    limits: tuple[int, int],
) -> bool:
    """Count, and say whether a limit is passed: the caller's refusal then undoes the counting."""
    table = who.table
    assert isinstance(table, sa.Table)
    statement = insert_of(connection)(table).values(
        {who.name: value, "day": today(), "jobs": used[0], "bytes": used[1]}
    )
    total = connection.execute(
        statement.on_conflict_do_update(
            index_elements=[who.name, "day"],
            set_={
                "jobs": table.c.jobs + statement.excluded.jobs,
                "bytes": table.c.bytes + statement.excluded.bytes,
            },
        ).returning(table.c.jobs, table.c.bytes)
    ).one()
    return bool(total.jobs > limits[0] or total.bytes > limits[1])


def _rest_of_day() -> int:
    return DAY_S - int(time.time()) % DAY_S
