"""Whether the rows that people look up say what the records of the log say."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from roar_glaas.audit.artifacts import Composites, Facts
from roar_glaas.audit.findings import Findings
from roar_glaas.audit.jobs import Jobs
from roar_glaas.audit.labels import Labels
from roar_glaas.audit.records import Kept
from roar_glaas.audit.sessions import Sessions


class Rows:
    """Compares batches of records with their rows, whatever their kind.

    `seen` counts, by table, the rows without a leaf of their own that were accounted for.
    """

    def __init__(self, connection: sa.Connection, findings: Findings) -> None:
        self._findings = findings
        self.seen: Counter[str] = Counter()
        self._sessions = Sessions(connection, findings, self.seen)
        self._checks = {
            "session": self._sessions.check,
            "scope": self._sessions.check_scopes,
            "job": Jobs(connection, findings, self.seen).check,
            "artifact": Facts(connection, findings, self.seen).check,
            "composite": Composites(connection, findings, self.seen).check,
            "label": Labels(connection, findings, self.seen).check,
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of record that rows are taken from, in the order to check them: a session
        before what a later record of the same batch says of it.
        """
        return tuple(self._checks)

    def check(self, kind: str, records: list[Kept]) -> None:
        """Compare records of one of the `kinds` with the rows taken from them."""
        try:
            self._checks[kind](records)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            first = records[0].leaf_index
            # Its leaf is right, so a server of this log, or who had its key, wrote it so.
            self._findings.add(
                f"a {kind} record between {first} and {records[-1].leaf_index} is not of the shape "
                f"that this release writes: {type(error).__name__} {error}",
                first,
            )

    def finish(self) -> None:
        """After the last record: what later ones should have said."""
        self._sessions.finish()
