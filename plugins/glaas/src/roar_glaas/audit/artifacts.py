"""What sessions say of artifacts, and datasets with their members, against the log's records."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roar_glaas.audit.comparing import Comparing
from roar_glaas.audit.records import Kept
from roar_glaas.digests import digest_bytes
from roar_glaas.registration.pieces import COMPONENT_COLUMNS, COMPOSITE_COLUMNS, FACT_COLUMNS
from roar_glaas.storage.tables import (
    artifact,
    artifact_fact,
    component,
    composite,
    digest_claim,
    session,
)


class Facts(Comparing):
    """A fact has one row, and one in `digest_claim` for each further digest it states."""

    def check(self, records: list[Kept]) -> None:
        """Compare facts and the digests they claim."""
        rows = self._of(_with_artifact(artifact_fact), artifact_fact, records)
        claims = self._claims(records, rows)
        for record in records:
            row = self._the_row(record, rows, "artifact_fact")
            if row is None:
                continue
            told = claims.get(record.leaf_index, set())
            if record.document is None:
                continue
            said = record.document["artifact"]
            name = f"artifact {said['digests'][0][1][:12]}"
            wanted = {column: said[column] for column in FACT_COLUMNS}
            self._compare(record, name, wanted | _names(record.document, said), row)
            further = said["digests"][1:]
            expected = {(algorithm, digest_bytes(algorithm, text)) for algorithm, text in further}
            self._compare_parts(record, name, "further digest", expected, told)

    def _claims(
        self, records: list[Kept], rows: dict[int, list[Any]]
    ) -> dict[int, set[tuple[str, bytes]]]:
        """Leaf index -> the claims (algorithm, digest) that its record states and its rows hold.

        Claims beyond that are found by their number, at the end.
        """
        places: dict[tuple[bytes, str, int, int], list[int]] = {}
        for record in records:
            said = record.document["artifact"]["digests"] if record.document else []
            for row in rows.get(record.leaf_index, []):
                for algorithm, text in said[1:]:
                    value = digest_bytes(algorithm, text)
                    place = (value, algorithm, row.artifact_id, row.session_id)
                    places.setdefault(place, []).append(record.leaf_index)
        found: dict[int, set[tuple[str, bytes]]] = {}
        keys = list(places)
        columns = digest_claim.c
        key = sa.tuple_(columns.digest, columns.algorithm, columns.artifact_id, columns.session_id)
        for row in self._select(sa.select(digest_claim), key, keys):
            place = (bytes(row.digest), row.algorithm, row.artifact_id, row.session_id)
            # A claim is kept once for each session, with the first record that states it.
            self._seen["digest_claim"] += row.leaf_index in places[place]
            for index in places[place]:
                if row.leaf_index <= index:
                    found.setdefault(index, set()).add((row.algorithm, bytes(row.digest)))
        withheld = [record.leaf_index for record in records if record.is_withheld]
        for _ in self._select(sa.select(digest_claim), columns.leaf_index, withheld):
            self._seen["digest_claim"] += 1
        return found


class Composites(Comparing):
    """A dataset has one row, and one in `component` for each member that its record names."""

    def check(self, records: list[Kept]) -> None:
        """Compare datasets and their members."""
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
            self._seen["component"] += len(found)
            name = f"dataset {bytes(row.digest).hex()[:12]}"
            if record.is_withheld:
                self._blank(record, "component", name, found)
            if record.document is None:
                continue
            said = record.document["composite"]
            wanted = {column: said[column] for column in COMPOSITE_COLUMNS}
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
                        digest_bytes(member["algorithm"], member["digest"]),
                        *(member[column] for column in COMPONENT_COLUMNS),
                    )
                    for ordinal, member in enumerate(said["components"])
                },
                {
                    (
                        row.ordinal,
                        bytes(row.digest),
                        *(getattr(row, column) for column in COMPONENT_COLUMNS),
                    )
                    for row in found
                },
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
        "digest": digest_bytes(algorithm, text),
        "session_hash": bytes.fromhex(document["session"]),
    }
