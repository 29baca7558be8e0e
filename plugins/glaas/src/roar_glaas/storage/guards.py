"""Triggers that keep registered rows as they are: append-only is a rule of the database itself.

Two things pass: what withholding a record does, to its bytes and to the rows taken from it; and
that a session which was private becomes public (see registration.widening). An
administrator of the database can drop a trigger; the log is what tells then.
"""

from __future__ import annotations

from collections.abc import Iterator

from roar_glaas.storage.blanking import BLANKED, is_blanking, is_withheld
from roar_glaas.storage.tables import session

FROZEN = (
    *("session", "job", "artifact", "artifact_fact", "digest_claim", "composite", "component"),
    *("edge", "label", "leaf", "record_bytes", "node", "log_key", "tree_head", "withheld"),
)
_MESSAGE = "registered records are never changed"


def guards(dialect: str) -> Iterator[str]:
    """The statements that create every trigger on `sqlite` or `postgresql`."""
    for table in FROZEN:
        for what in ("UPDATE", "DELETE"):
            allowed = _allowed(table, what, postgresql=dialect != "sqlite")
            if dialect == "sqlite":
                yield _sqlite(table, what, allowed)
            else:
                yield from _postgresql(table, what, allowed)


def _allowed(table: str, what: str, *, postgresql: bool) -> list[str]:
    """Conditions under which a change passes; any of them is enough."""
    allowed = []
    if what == "UPDATE" and table in BLANKED:
        allowed.append(is_blanking(table, postgresql=postgresql))
    if what == "UPDATE" and table == session.name:
        allowed.append(_is_widening(postgresql=postgresql))
    if what == "DELETE" and table == "record_bytes":
        allowed.append(is_withheld(table))
    return allowed


def _is_widening(*, postgresql: bool) -> str:
    """The condition that an update of a session makes it public, and changes nothing else."""
    same = "IS NOT DISTINCT FROM" if postgresql else "IS"
    kept = [column.name for column in session.c if column is not session.c.visibility]
    return " AND ".join(
        [
            "OLD.visibility = 'private' AND NEW.visibility = 'public'",
            *(f'NEW."{name}" {same} OLD."{name}"' for name in kept),
        ]
    )


def _sqlite(table: str, what: str, allowed: list[str]) -> str:
    when = f"WHEN NOT ({_any(allowed)}) " if allowed else ""
    return (
        f"CREATE TRIGGER {table}_{what.lower()} BEFORE {what} ON {table} {when}"
        f"BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"
    )


def _postgresql(table: str, what: str, allowed: list[str]) -> Iterator[str]:
    name = f"{table}_{what.lower()}"
    row = "NEW" if what == "UPDATE" else "OLD"
    passing = f"IF {_any(allowed)} THEN RETURN {row}; END IF; " if allowed else ""
    yield (
        f"CREATE FUNCTION glaas_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {passing}"
        f"RAISE EXCEPTION '{_MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    yield (
        f"CREATE TRIGGER {name} BEFORE {what} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION glaas_{name}()"
    )


def _any(allowed: list[str]) -> str:
    return " OR ".join(f"({condition})" for condition in allowed)
