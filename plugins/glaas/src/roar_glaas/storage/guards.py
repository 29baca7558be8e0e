"""Triggers that keep registered rows as they are: append-only is a rule of the database itself.

An administrator of the database can drop a trigger; the log is what tells then.
"""

from __future__ import annotations

from collections.abc import Iterator

FROZEN = (
    *("session", "job", "artifact", "artifact_fact", "digest_claim", "composite", "component"),
    *("edge", "label", "leaf", "record_bytes", "node"),
)
_MESSAGE = "registered records are never changed"


def guards(dialect: str) -> Iterator[str]:
    """The statements that create every trigger on `sqlite` or `postgresql`."""
    if dialect != "sqlite":
        yield (
            "CREATE FUNCTION glaas_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION '{_MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; "
            "END $$"
        )
    for table in FROZEN:
        for what in ("UPDATE", "DELETE"):
            action = (
                f"BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"
                if dialect == "sqlite"
                else "FOR EACH ROW EXECUTE FUNCTION glaas_refuse()"
            )
            yield f"CREATE TRIGGER {table}_{what.lower()} BEFORE {what} ON {table} {action}"
