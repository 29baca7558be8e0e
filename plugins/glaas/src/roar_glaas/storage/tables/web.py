"""People who are signed in with a browser, and attempts to sign in. Changed and deleted freely."""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.storage.tables.columns import metadata, refers, surrogate, time_us

web_session = sa.Table(
    "web_session",
    metadata,
    surrogate(),
    sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),  # SHA-256 of the cookie
    refers("owner_id", "owner.id"),
    sa.Column("browser", sa.String(200), nullable=False),  # as it calls itself
    sa.Column("address", sa.String(64), nullable=False),
    time_us("created_at_us"),
    time_us("seen_at_us"),  # about: noted every few minutes
    time_us("expires_at_us"),
    sa.Index(None, "owner_id"),
    sa.Index(None, "expires_at_us"),
)

# Attempts to sign in under one name: from anywhere, and from one address.
sign_in_attempt = sa.Table(
    "sign_in_attempt",
    metadata,
    # SHA-256 of the name as it was typed, and of the address: the name may belong to nobody.
    sa.Column("key", sa.LargeBinary(32), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    time_us("tried_at_us"),
    time_us("succeeded_at_us", optional=True),
    sa.Index(None, "tried_at_us"),
)
