"""Sessions and who may see them, against the session and scope records of the log."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.visibility import PRIVATE, PUBLIC
from roar_glaas.audit.comparing import Comparing
from roar_glaas.audit.findings import Findings
from roar_glaas.audit.records import Kept
from roar_glaas.storage.tables import job, owner, project, session


class Sessions(Comparing):
    """A session has one row. That it is public though it was private, a later record must say."""

    def __init__(self, connection: sa.Connection, findings: Findings, seen: Counter[str]) -> None:
        super().__init__(connection, findings, seen)
        # Hash -> record, of sessions that became public and no scope record so far said so.
        self._widened: dict[str, int] = {}

    def check(self, records: list[Kept]) -> None:
        """Compare sessions, the jobs they hold, and whose they are."""
        by = owner.alias("by")
        query = (
            sa.select(
                session,
                owner.c.public_id.label("owner"),
                project.c.public_id.label("project"),
                by.c.public_id.label("by"),
            )
            .join(owner, owner.c.id == session.c.owner_id)
            .outerjoin(project, project.c.id == session.c.project_id)
            # Nobody known is an owner too, number 0, and NULL here.
            .join(by, by.c.id == sa.func.coalesce(session.c.registered_by, 0))
        )
        rows = self._of(query, session, records)
        jobs: dict[int, list[str]] = {}
        ids = [row.id for found in rows.values() for row in found]
        held = sa.select(job.c.session_id, job.c.uid)
        for number, uid in self._select(held, job.c.session_id, ids):
            jobs.setdefault(number, []).append(bytes(uid).hex())
        for record in records:
            row = self._the_row(record, rows, "session")
            if row is None or record.document is None:
                continue
            self._session(record, record.document, row, sorted(jobs.get(row.id, [])))

    def _session(self, record: Kept, said: dict[str, Any], row: Any, jobs: list[str]) -> None:
        name = f"session {said['session'][:12]}"
        repo, commit, branch = said["git"]
        wanted = {column: said[column] for column in ("owner", "project", "by", "visibility")}
        wanted |= {"git_repo": repo, "git_commit": commit, "git_branch": branch}
        wanted["hash"] = bytes.fromhex(said["session"])
        if (said["visibility"], row.visibility) == (PRIVATE, PUBLIC):
            self._widened[said["session"]] = record.leaf_index
            del wanted["visibility"]
        self._compare(record, name, wanted, row)
        if jobs != said["jobs"]:
            self._findings.add(
                f"{name} has other jobs than its record {record.leaf_index} names",
                record.leaf_index,
            )

    def check_scopes(self, records: list[Kept]) -> None:
        """Records that sessions became public: each must be so."""
        for record in records:
            if record.document is None:
                continue
            name = record.document["session"]
            visibility = self._connection.execute(
                sa.select(session.c.visibility).where(session.c.hash == bytes.fromhex(name))
            ).scalar()
            if visibility != record.document["visibility"]:
                self._findings.add(
                    f"session {name[:12]} is {visibility}, and its record {record.leaf_index} "
                    f"says that it became {record.document['visibility']}",
                    record.leaf_index,
                )
            self._widened.pop(name, None)

    def finish(self) -> None:
        """After the last record: what became public without a record."""
        for name, index in self._widened.items():
            self._findings.add(
                f"session {name[:12]} is public, its record {index} says private, and none says "
                "that it was published",
                index,
            )
