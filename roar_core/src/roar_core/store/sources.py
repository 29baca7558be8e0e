"""The source files that jobs read, as sets that equal runs of one checkout share."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping

from roar_core.errors import DatabaseError
from roar_core.store.names import from_sql

Sources = Mapping[str, str | None]


def insert_sources(db: sqlite3.Connection, job_id: int, sources: Sources | None) -> None:
    """Keep what a job read as code: BLAKE3 hex, or None, by path from the project's root.

    None as a whole leaves it open; an empty mapping says that it read none.
    """
    from blake3 import blake3

    from roar_core.identity import portable_name

    if sources is None:
        return
    content = json.dumps(
        {portable_name(path): digest for path, digest in sources.items()}, sort_keys=True
    ).encode()
    digest = blake3(content).digest()
    db.execute(
        "INSERT OR IGNORE INTO source_set (digest, content) VALUES (?, ?)",
        (digest, zlib.compress(content)),
    )
    db.execute(
        "INSERT OR REPLACE INTO job_source SELECT ?, id FROM source_set WHERE digest = ?",
        (job_id, digest),
    )


def sources_from_blob(content: bytes | None) -> dict[str, str | None] | None:
    """Return a set as it was given; None when nobody noted it down. Raises DatabaseError."""
    if content is None:
        return None
    try:
        files: dict[str, str | None] = json.loads(zlib.decompress(content))
    except (zlib.error, ValueError) as error:
        raise DatabaseError(
            "the list of a job's source files is damaged; `roar db recover` saves all that can be"
            " read"
        ) from error
    # Undecodable bytes are surrogates in JSON, as in commands.
    return {
        path if path.isascii() else from_sql(path.encode("utf-8", "surrogateescape")): digest
        for path, digest in files.items()
    }
