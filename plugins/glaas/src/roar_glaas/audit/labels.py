"""Labels, and the values they are found by, against the label records of the log."""

from __future__ import annotations

import json

import sqlalchemy as sa

from roar_glaas.audit.comparing import Comparing
from roar_glaas.audit.records import Kept
from roar_glaas.labels.values import values_of
from roar_glaas.storage.tables import artifact, job, label, label_value, session


class Labels(Comparing):
    """A version of a label has one row, and one in `label_value` for each of its values."""

    def check(self, records: list[Kept]) -> None:
        """Compare versions of labels and what they are found by."""
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
            self._seen["label_value"] += len(found)
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
