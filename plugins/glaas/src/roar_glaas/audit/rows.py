"""Whether the rows that people look up say what the records of the log say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from roar_glaas.audit.findings import Findings, shown
from roar_glaas.audit.records import Kept
from roar_glaas.door import ETAG
from roar_glaas.labels.values import values_of
from roar_glaas.storage.blanking import BLANKED
from roar_glaas.storage.tables import (
    artifact,
    artifact_fact,
    component,
    composite,
    digest_claim,
    edge,
    job,
    label,
    label_value,
    session,
)

_JOB = (
    *("kind", "step", "command", "started_at_us", "duration_us", "exit_code"),
    *("git_commit", "git_branch", "metadata"),
)
_EDGE = ("path", "size_bytes", "byte_ranges", "selected", "total", "bloom")
_FACT = ("size_bytes", "source_type", "source_url", "metadata")
_COMPOSITE = ("size_bytes", "total", "is_proven", "metadata", "bloom_bits", "bloom_hashes")
_COMPONENT = ("path", "leaf_kind", "algorithm", "size_bytes", "type")
_AT_ONCE = 500


class Rows:
    """Compares batches of records with their rows. Counts the parts it accounted for."""

    def __init__(self, connection: sa.Connection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self.edges = 0
        self.components = 0
        self.claims = 0
        self.label_values = 0

    def check(self, kind: str, records: list[Kept]) -> None:
        """Compare records of one kind, of those in `KINDS`, with the rows taken from them."""
        compare = {
            "session": self._sessions,
            "job": self._jobs,
            "artifact": self._facts,
            "composite": self._composites,
            "label": self._labels,
        }
        try:
            compare[kind](records)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            first = records[0].leaf_index
            # Its leaf is right, so a server of this log, or who had its key, wrote it so.
            self._findings.add(
                f"a {kind} record between {first} and {records[-1].leaf_index} is not of the shape "
                f"that this release writes: {type(error).__name__} {error}",
                first,
            )

    def _sessions(self, records: list[Kept]) -> None:
        rows = self._of(sa.select(session), session, records)
        jobs: dict[int, list[str]] = {}
        ids = [row.id for found in rows.values() for row in found]
        for number, uid in self._select(
            sa.select(job.c.session_id, job.c.uid), job.c.session_id, ids
        ):
            jobs.setdefault(number, []).append(bytes(uid).hex())
        for record in records:
            row = self._the_row(record, rows, "session")
            if row is None or record.document is None:
                continue
            said = record.document
            wanted = dict(
                zip(("git_repo", "git_commit", "git_branch"), said["git"], strict=True),
                hash=bytes.fromhex(said["session"]),
            )
            self._compare(record, f"session {said['session'][:12]}", wanted, row)
            if sorted(jobs.get(row.id, [])) != said["jobs"]:
                self._findings.add(
                    f"session {said['session'][:12]} has other jobs than its record "
                    f"{record.leaf_index} names",
                    record.leaf_index,
                )

    def _jobs(self, records: list[Kept]) -> None:
        parent = job.alias("parent")
        query = (
            sa.select(
                job,
                session.c.hash.label("session_hash"),
                session.c.owner_id.label("session_owner"),
                parent.c.uid.label("parent_uid"),
            )
            .join(session, session.c.id == job.c.session_id)
            .outerjoin(parent, parent.c.id == job.c.parent_id)
        )
        rows = self._of(query, job, records)
        edges = self._edges([row.id for found in rows.values() for row in found])
        for record in records:
            row = self._the_row(record, rows, "job")
            if row is None:
                continue
            found = edges.get(row.id, [])
            self.edges += len(found)
            name = f"job {bytes(row.uid).hex()[:8]}"
            if record.is_withheld:
                self._blank(record, "edge", name, found)
            if record.document is None:
                continue
            said = record.document["job"]
            wanted = {column: said[column] for column in _JOB}
            wanted |= {
                "uid": bytes.fromhex(said["uid"]),
                "session_hash": bytes.fromhex(record.document["session"]),
                "parent_uid": bytes.fromhex(said["parent"]) if said["parent"] else None,
                "owner_id": row.session_owner,
            }
            self._compare(record, name, wanted, row)
            self._compare_parts(
                record,
                name,
                "edge",
                _expected_edges(record.document["edges"]),
                {
                    (
                        row.direction,
                        row.algorithm,
                        bytes(row.digest),
                        row.ordinal,
                        *(getattr(row, column) for column in _EDGE),
                    )
                    for row in found
                },
            )

    def _edges(self, ids: list[int]) -> dict[int, list[Any]]:
        query = sa.select(edge, artifact.c.algorithm, artifact.c.digest).join(
            artifact, artifact.c.id == edge.c.artifact_id
        )
        found: dict[int, list[Any]] = {}
        for row in self._select(query, edge.c.job_id, ids):
            found.setdefault(row.job_id, []).append(row)
        return found

    def _facts(self, records: list[Kept]) -> None:
        rows = self._of(_with_artifact(artifact_fact), artifact_fact, records)
        claims = self._claims(records, rows)
        for record in records:
            row = self._the_row(record, rows, "artifact_fact")
            if row is None:
                continue
            told = claims.get(record.leaf_index, set())
            self.claims += len(told)
            if record.document is None:
                continue
            said = record.document["artifact"]
            name = f"artifact {said['digests'][0][1][:12]}"
            wanted = {column: said[column] for column in _FACT}
            self._compare(record, name, wanted | _names(record.document, said), row)
            further = said["digests"][1:]
            expected = {(algorithm, _raw(algorithm, text)) for algorithm, text in further}
            self._compare_parts(record, name, "further digest", expected, told)

    def _claims(
        self, records: list[Kept], rows: dict[int, list[Any]]
    ) -> dict[int, set[tuple[str, bytes]]]:
        """Leaf index -> the claims (algorithm, digest) that its record states and its rows hold.

        Claims beyond that are found by their number, at the end.
        """
        places: dict[tuple[bytes, str, int, int], int] = {}
        for record in records:
            said = record.document["artifact"]["digests"] if record.document else []
            for row in rows.get(record.leaf_index, []):
                for algorithm, text in said[1:]:
                    value = _raw(algorithm, text)
                    places[value, algorithm, row.artifact_id, row.session_id] = record.leaf_index
        found: dict[int, set[tuple[str, bytes]]] = {}
        keys = list(places)
        columns = digest_claim.c
        key = sa.tuple_(columns.digest, columns.algorithm, columns.artifact_id, columns.session_id)
        for row in self._select(sa.select(digest_claim), key, keys):
            place = (bytes(row.digest), row.algorithm, row.artifact_id, row.session_id)
            if row.leaf_index == places[place]:
                found.setdefault(row.leaf_index, set()).add((row.algorithm, bytes(row.digest)))
        withheld = [record.leaf_index for record in records if record.is_withheld]
        for row in self._select(sa.select(digest_claim), columns.leaf_index, withheld):
            found.setdefault(row.leaf_index, set()).add((row.algorithm, bytes(row.digest)))
        return found

    def _composites(self, records: list[Kept]) -> None:
        rows = self._of(_with_artifact(composite), composite, records)
        members: dict[int, list[Any]] = {}
        ids = [row.id for found in rows.values() for row in found]
        for row in self._select(sa.select(component), component.c.composite_id, ids):
            members.setdefault(row.composite_id, []).append(row)
        for record in records:
            row = self._the_row(record, rows, "composite")
            if row is None:
                continue
            found = members.get(row.id, [])
            self.components += len(found)
            name = f"dataset {bytes(row.digest).hex()[:12]}"
            if record.is_withheld:
                self._blank(record, "component", name, found)
            if record.document is None:
                continue
            said = record.document["composite"]
            wanted = {column: said[column] for column in _COMPOSITE}
            wanted |= {
                "stored": len(said["components"]),
                "bloom": bytes.fromhex(said["bloom"]) if said["bloom"] else None,
            }
            self._compare(record, name, wanted | _names(record.document, said), row)
            self._compare_parts(
                record,
                name,
                "member",
                {
                    (
                        ordinal,
                        _raw(member["algorithm"], member["digest"]),
                        *(member[column] for column in _COMPONENT),
                    )
                    for ordinal, member in enumerate(said["components"])
                },
                {
                    (
                        row.ordinal,
                        bytes(row.digest),
                        *(getattr(row, column) for column in _COMPONENT),
                    )
                    for row in found
                },
            )

    def _labels(self, records: list[Kept]) -> None:
        query = (
            sa.select(label, session.c.hash.label("session_hash"), job.c.uid, artifact.c.digest)
            .join(session, session.c.id == label.c.session_id)
            .outerjoin(job, job.c.id == label.c.job_id)
            .outerjoin(artifact, artifact.c.id == label.c.artifact_id)
        )
        rows = self._of(query, label, records)
        values: dict[int, set[tuple[str, str, int]]] = {}
        ids = [row.id for found in rows.values() for row in found]
        for one in self._select(sa.select(label_value), label_value.c.label_id, ids):
            values.setdefault(one.label_id, set()).add((one.key, one.value, one.ordinal))
        for record in records:
            row = self._the_row(record, rows, "label")
            if row is None:
                continue
            found = values.get(row.id, set())
            self.label_values += len(found)
            name = f"label version {row.version} of a {row.entity}"
            if record.is_withheld and found:
                self._findings.add(
                    f"{name} is withheld, but still found by its values", record.leaf_index
                )
            if record.document is None:
                continue
            said = record.document
            is_of_job, is_of_artifact = (said["entity"] == e for e in ("job", "artifact"))
            wanted = {column: said[column] for column in ("entity", "version", "document")}
            wanted |= {
                "origins": said["origins"],
                "session_hash": bytes.fromhex(said["session"]),
                "uid": bytes.fromhex(said["job"]) if is_of_job else None,
                "digest": bytes.fromhex(said["artifact"]) if is_of_artifact else None,
            }
            self._compare(record, name, wanted, row)
            expected = set(values_of(json.loads(said["document"])))
            self._compare_parts(record, name, "value", expected, found)

    def _of(
        self, query: sa.Select[Any], table: sa.Table, records: list[Kept]
    ) -> dict[int, list[Any]]:
        """Leaf index -> the rows that name it."""
        found: dict[int, list[Any]] = {}
        indexes = [record.leaf_index for record in records]
        for row in self._select(query, table.c.leaf_index, indexes):
            found.setdefault(row.leaf_index, []).append(row)
        return found

    def _select(self, query: sa.Select[Any], column: Any, values: list[Any]) -> Iterable[Any]:
        """The rows of a query in which a column has one of many values."""
        for start in range(0, len(values), _AT_ONCE):
            part = values[start : start + _AT_ONCE]
            yield from self._connection.execute(query.where(column.in_(part)))

    def _the_row(self, record: Kept, rows: dict[int, list[Any]], table: str) -> Any | None:
        found = rows.get(record.leaf_index, [])
        if len(found) != 1:
            many = "has no row" if not found else f"has {len(found)} rows"
            self._findings.add(
                f"record {record.leaf_index} ({record.kind}) {many} in {table}, and must have one",
                record.leaf_index,
            )
            return None
        if record.is_withheld:
            self._blank(record, table, f"record {record.leaf_index} ({record.kind})", found)
        return found[0]

    def _blank(self, record: Kept, table: str, name: str, rows: list[Any]) -> None:
        left = sorted({c for c in BLANKED[table] for row in rows if getattr(row, c) is not None})
        if left:
            self._findings.add(
                f"{name} is withheld, but {table} still holds {', '.join(left)}", record.leaf_index
            )

    def _compare(self, record: Kept, name: str, wanted: dict[str, Any], row: Any) -> None:
        for column, expected in wanted.items():
            found = getattr(row, column)
            found = bytes(found) if isinstance(found, memoryview) else found
            if found != expected:
                self._findings.add(
                    f"{name}: {column} is {shown(found)} in its row, and {shown(expected)} in "
                    f"its record {record.leaf_index}",
                    record.leaf_index,
                )

    def _compare_parts(
        self, record: Kept, name: str, what: str, wanted: set[Any], found: set[Any]
    ) -> None:
        for part, verb in ((wanted - found, "lacks"), (found - wanted, "has")):
            for one in sorted(part, key=repr)[:3]:
                tail = "that its record names" if verb == "lacks" else "that its record lacks"
                told = ", ".join(shown(value) for value in one if value is not None)
                self._findings.add(
                    f"{name} {verb} the {what} ({told}) {tail}, record {record.leaf_index}",
                    record.leaf_index,
                )


def _with_artifact(table: sa.Table) -> sa.Select[Any]:
    return (
        sa.select(
            table, artifact.c.algorithm, artifact.c.digest, session.c.hash.label("session_hash")
        )
        .join(artifact, artifact.c.id == table.c.artifact_id)
        .join(session, session.c.id == table.c.session_id)
    )


def _names(document: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The artifact and the session that a record is about, as columns of `_with_artifact`."""
    algorithm, text = said["digests"][0]
    return {
        "algorithm": algorithm,
        "digest": _raw(algorithm, text),
        "session_hash": bytes.fromhex(document["session"]),
    }


def _expected_edges(edges: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """The rows of a job's edges, as `finalize` numbers them."""
    ordinals: dict[tuple[str, str, bytes], int] = {}
    found = set()
    for said in edges:
        ranges = said["byte_ranges"]
        told = said | {"byte_ranges": json.dumps(ranges) if ranges else None}
        name = (said["direction"], said["algorithm"], _raw(said["algorithm"], said["digest"]))
        ordinals[name] = ordinals.get(name, -1) + 1
        found.add((*name, ordinals[name], *(told[column] for column in _EDGE)))
    return found


def _raw(algorithm: str, text: str) -> bytes:
    return text.encode("ascii") if algorithm == ETAG else bytes.fromhex(text)
