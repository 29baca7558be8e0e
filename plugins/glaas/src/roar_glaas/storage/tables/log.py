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
    sa.Column("kind", sa.String(16), nullable=False),  # session, job, label, key, withheld …
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

# Keys that sign tree heads: the newest is in force. Public halves; the private one is a file.
log_key = sa.Table(
    "log_key",
    metadata,
    sa.Column("id", sa.LargeBinary(32), primary_key=True),  # SHA-256 of `public`
    sa.Column("public", sa.LargeBinary(32), nullable=False),
    sa.Column(
        "leaf_index", sa.BigInteger, sa.ForeignKey("leaf.index"), unique=True, nullable=False
    ),
)

# Signed: the first `size` leaves have this root. One for each size: equal sizes, equal roots.
tree_head = sa.Table(
    "tree_head",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary(32), nullable=False),
    time_us("at_us"),
    sa.Column("key_id", sa.LargeBinary(32), sa.ForeignKey("log_key.id"), nullable=False),
    sa.Column("signature", sa.LargeBinary(64), nullable=False),
)

# Records whose bytes and salt were destroyed; `record_index` is the leaf that says so.
withheld = sa.Table(
    "withheld",
    metadata,
    sa.Column("leaf_index", sa.BigInteger, sa.ForeignKey("leaf.index"), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    time_us("at_us"),
    sa.Column(
        "record_index", sa.BigInteger, sa.ForeignKey("leaf.index"), unique=True, nullable=False
    ),
)
