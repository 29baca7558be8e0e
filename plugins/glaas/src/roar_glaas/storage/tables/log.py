"""The Merkle log over everything accepted (RFC 9162, section 2.1). Append-only.

A leaf is SHA-256(0x00 || salt || canonical bytes). Salt and bytes lie apart from the tree, so that
bytes can one day be withheld and every proof still holds.
"""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.storage.tables.columns import metadata, time_us

leaf = sa.Table(
    "leaf",
    metadata,
    # Numbered by us, from 0 and without a hole: there is one writer at a time.
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # session, job, artifact, composite, label
    time_us("at_us"),
    sa.Index(None, "hash"),
)

record_bytes = sa.Table(
    "record_bytes",
    metadata,
    sa.Column("leaf_index", sa.BigInteger, sa.ForeignKey("leaf.index"), primary_key=True),
    sa.Column("salt", sa.LargeBinary(32), nullable=False),
    sa.Column("bytes", sa.LargeBinary, nullable=False),  # canonical JSON (RFC 8785)
)

# Roots of complete subtrees: level 1 covers two leaves, level k covers 2**k from index * 2**k.
node = sa.Table(
    "node",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("index", sa.BigInteger, primary_key=True),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)
