"""What passes through without being registered: encrypted fragments, and telemetry's counts."""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.storage.tables.columns import BigId, metadata, refers, surrogate, time_us

# Where the workers of one distributed run leave what they saw, until its submitter fetches it.
fragment_session = sa.Table(
    "fragment_session",
    metadata,
    surrogate(),
    sa.Column("public_id", sa.String(36), nullable=False, unique=True),  # the client's random UUID
    # SHA-256 of the token, as its client computed it.
    sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
    refers("owner_id", "owner.id"),
    sa.Column("address", sa.String(64), nullable=False),
    # How many bytes its batches have, as they were sent.
    sa.Column("bytes", sa.BigInteger, nullable=False),
    time_us("created_at_us"),
    time_us("expires_at_us"),
    sa.Index(None, "expires_at_us"),
    sa.Index(None, "owner_id", "address"),
)

# One batch, which only whoever has the token can read. Several workers of one session count their
# batches from 0, each for itself: a batch is a number and content, and the same twice counts once.
fragment = sa.Table(
    "fragment",
    metadata,
    sa.Column(
        "fragment_session_id",
        BigId,
        sa.ForeignKey("fragment_session.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("sequence", sa.BigInteger, primary_key=True),
    sa.Column("content_hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

# With `telemetry_counts` alone: how often which event came on a day. Nothing of who sent it.
telemetry_count = sa.Table(
    "telemetry_count",
    metadata,
    sa.Column("day", sa.Integer, primary_key=True),  # days since the epoch
    sa.Column("trigger", sa.String(64), primary_key=True),
    sa.Column("events", sa.BigInteger, nullable=False),
)
