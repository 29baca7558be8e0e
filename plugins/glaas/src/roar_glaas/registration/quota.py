"""How much may be registered in a day (UTC): by one address without an account, by one owner."""

from __future__ import annotations

import time

import sqlalchemy as sa

from roar_glaas.errors import TooMany
from roar_glaas.moments import DAY_S
from roar_glaas.settings import Settings
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.tables import anonymous_use, owner_use


def use_as_nobody(
    connection: sa.Connection, settings: Settings, address: str, jobs: int, size: int
) -> None:
    """Count what an address stages without an account. Raises TooMany beyond the quota."""
    limits = (settings.anonymous_jobs_per_day, settings.anonymous_bytes_per_day)
    if _is_beyond(connection, anonymous_use.c.address, address, (jobs, size), limits):
        raise TooMany(
            "this address has registered all that one may in a day without an account: "
            f"{limits[0]} jobs or {limits[1]} bytes",
            retry_after_s=_rest_of_day(),
        )


def use_as_owner(
    connection: sa.Connection, settings: Settings, owner_id: int, jobs: int, size: int
) -> None:
    """Count what somebody known stages, from whatever address. Raises TooMany beyond the quota."""
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
        {who.name: value, "day": int(time.time()) // DAY_S, "jobs": used[0], "bytes": used[1]}
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
