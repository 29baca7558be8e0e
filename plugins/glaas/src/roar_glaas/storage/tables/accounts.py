"""Who may sign in, with what, and what they may do. Changed and deleted as people come and go.

Of secrets only hashes are kept: argon2 of passwords, which people choose; SHA-256 of tokens, which
are random.
"""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.storage.tables.columns import BigId, metadata, refers, surrogate, time_us

# What a person (an owner of the kind "user") signs in with.
account = sa.Table(
    "account",
    metadata,
    sa.Column("owner_id", BigId, sa.ForeignKey("owner.id"), primary_key=True),
    sa.Column("email", sa.String(254), nullable=True, unique=True),  # in lower case
    sa.Column("password_hash", sa.String(255), nullable=True),  # argon2id; None: no password
    sa.Column("is_operator", sa.Boolean, nullable=False),
    sa.Column("is_disabled", sa.Boolean, nullable=False),
    # Whom an OpenID Connect provider knows them as.
    sa.Column("oidc_issuer", sa.String(255), nullable=True),
    sa.Column("oidc_subject", sa.String(255), nullable=True),
    sa.UniqueConstraint("oidc_issuer", "oidc_subject"),
)

# A person belongs to an organisation. Roles are those of access.caller.Role: 1, 2, 3.
membership = sa.Table(
    "membership",
    metadata,
    sa.Column("user_id", BigId, sa.ForeignKey("owner.id"), primary_key=True),
    sa.Column("organization_id", BigId, sa.ForeignKey("owner.id"), primary_key=True),
    sa.Column(
        "role", sa.Integer, sa.CheckConstraint("role BETWEEN 1 AND 3", name="role"), nullable=False
    ),
    sa.Index(None, "organization_id"),
)

# A person works in one project of somebody else.
project_member = sa.Table(
    "project_member",
    metadata,
    sa.Column("user_id", BigId, sa.ForeignKey("owner.id"), primary_key=True),
    sa.Column("project_id", BigId, sa.ForeignKey("project.id"), primary_key=True),
    sa.Column(
        "role", sa.Integer, sa.CheckConstraint("role BETWEEN 1 AND 3", name="role"), nullable=False
    ),
    sa.Index(None, "project_id"),
)

token = sa.Table(
    "token",
    metadata,
    surrogate(),
    sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
    refers("owner_id", "owner.id"),
    sa.Column("kind", sa.String(8), nullable=False),  # "access" | "refresh" | "personal"
    # One log-in: its access and refresh tokens, and those that replaced them. Empty: personal.
    sa.Column("family", sa.String(32), nullable=False),
    # The id of the refresh token that was exchanged for it, which may be forgotten already.
    sa.Column("came_of", sa.BigInteger, nullable=True),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("is_read_only", sa.Boolean, nullable=False),
    # It opens this project and nothing else.
    refers("project_id", "project.id", optional=True),
    time_us("created_at_us"),
    time_us("expires_at_us"),
    time_us("revoked_at_us", optional=True),
    time_us("used_at_us", optional=True),  # about: noted once an hour
    sa.Index(None, "owner_id"),
    sa.Index(None, "family"),
    sa.Index(None, "expires_at_us"),
)

ssh_key = sa.Table(
    "ssh_key",
    metadata,
    surrogate(),
    refers("owner_id", "owner.id"),
    sa.Column("fingerprint", sa.String(64), nullable=False, unique=True),  # SHA256:…
    sa.Column("public_key", sa.Text, nullable=False),  # "ssh-ed25519 AAAA…", without its comment
    sa.Column("title", sa.String(200), nullable=False),
    time_us("created_at_us"),
    sa.Index(None, "owner_id"),
)

# Signatures of requests that changed something, while their time could be taken for now.
signature_seen = sa.Table(
    "signature_seen",
    metadata,
    sa.Column("hash", sa.LargeBinary(32), primary_key=True),
    time_us("expires_at_us"),
    sa.Index(None, "expires_at_us"),
)

# A client waits for somebody to let it in (RFC 8628).
device_code = sa.Table(
    "device_code",
    metadata,
    surrogate(),
    sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("user_code", sa.String(8), nullable=False, unique=True),
    sa.Column("client_name", sa.String(64), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("state", sa.String(8), nullable=False),  # "pending" | "approved" | "denied" | "used"
    refers("owner_id", "owner.id", optional=True),  # who approved
    sa.Column("interval_s", sa.Integer, nullable=False),
    time_us("created_at_us"),
    time_us("expires_at_us"),
    time_us("polled_at_us", optional=True),
    sa.Index(None, "expires_at_us"),
    sa.Index(None, "address"),
)
