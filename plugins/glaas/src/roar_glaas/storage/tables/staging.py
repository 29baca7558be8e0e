"""What is not registered yet, and how much of it came from whom: may be changed and deleted."""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.storage.tables.columns import BigId, metadata, refers, surrogate, time_us

# An open registration: what a client has sent so far, until it says `finalize`.
registration = sa.Table(
    "registration",
    metadata,
    surrogate(),
    sa.Column("public_id", sa.String(64), nullable=False, unique=True),
    # SHA-256 of the secret that whoever opened it was given.
    sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("client_version", sa.String(64), nullable=False),
    # Who opened it; 0 is nobody known.
    refers("owner_id", "owner.id"),
    sa.Column("state", sa.String(8), nullable=False),  # "open" | "closed"
    # What came of it, once closed.
    refers("session_id", "session.id", optional=True),
    # Whether that session came of it, and was not there before.
    sa.Column("is_origin", sa.Boolean, nullable=False, default=False),
    sa.Column("address", sa.String(64), nullable=False),
    # What a delegated client calls it: opened again, it is the same one.
    sa.Column("client_session_id", sa.String(128), nullable=True),
    # How much waits: jobs, and bytes of all pieces.
    sa.Column("staged_jobs", sa.BigInteger, nullable=False, default=0),
    sa.Column("staged_bytes", sa.BigInteger, nullable=False, default=0),
    time_us("created_at_us"),
    time_us("expires_at_us"),
    sa.Index(None, "session_id"),
    # Of the open ones alone: closed ones only become more.
    sa.Index(
        "ix_registration_open_expires_at_us",
        "expires_at_us",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
    sa.UniqueConstraint("owner_id", "client_session_id"),
)

# Pieces of an open registration that came in one request, as they will be registered (masked).
staged = sa.Table(
    "staged",
    metadata,
    surrogate(),
    sa.Column(
        "registration_id",
        BigId,
        sa.ForeignKey("registration.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("kind", sa.String(12), nullable=False),  # see staging.KINDS
    # The keys alone, a line each: what is new can be told without reading bodies. None: of edges.
    sa.Column("keys", sa.Text, nullable=True),
    # JSON: key (job uid, digest …) -> piece. Of those with one key, the last sent counts.
    sa.Column("body", sa.Text, nullable=False),
    sa.Index(None, "registration_id", "kind"),
)

# How much one address has registered anonymously on one day (UTC): the quota's counter.
anonymous_use = sa.Table(
    "anonymous_use",
    metadata,
    sa.Column("address", sa.String(64), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True),  # days since the epoch
    sa.Column("jobs", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)

# The same of somebody known, from whatever address.
owner_use = sa.Table(
    "owner_use",
    metadata,
    sa.Column("owner_id", BigId, sa.ForeignKey("owner.id"), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True),
    sa.Column("jobs", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)

# A session of the legacy path, by a hash of its client's hash; see `roar_glaas.legacy`.
legacy_session = sa.Table(
    "legacy_session",
    metadata,
    sa.Column("name", sa.LargeBinary(32), primary_key=True),
    # What is staged for it now; None, or closed: nothing.
    sa.Column("registration_name", sa.String(64), nullable=True),
    # The newest session that came of it.
    refers("session_id", "session.id", optional=True),
    sa.Column("git_repo", sa.Text, nullable=False),
    sa.Column("git_commit", sa.String(64), nullable=False),
    sa.Column("git_branch", sa.Text, nullable=False),
    sa.Column("client_version", sa.String(64), nullable=False),
    time_us("opened_at_us"),
    sa.Index(None, "registration_name"),
)
