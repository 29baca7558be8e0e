"""Whom sessions belong to: people, organisations, and the projects of both."""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.storage.tables.columns import metadata, refers, surrogate, time_us

# A person or an organisation. Number 0, made with the schema, is nobody: anonymous registrations.
owner = sa.Table(
    "owner",
    metadata,
    surrogate(),
    sa.Column("public_id", sa.String(36), nullable=False, unique=True),  # a random UUID
    sa.Column("kind", sa.String(12), nullable=False),  # "user" | "organization"
    sa.Column("name", sa.String(64), nullable=False, unique=True),  # in addresses: a-z 0-9 -
    sa.Column("display_name", sa.String(200), nullable=False),
    time_us("created_at_us"),
)

project = sa.Table(
    "project",
    metadata,
    surrogate(),
    sa.Column("public_id", sa.String(36), nullable=False, unique=True),
    refers("owner_id", "owner.id"),
    sa.Column("slug", sa.String(64), nullable=False),
    sa.Column("display_name", sa.String(200), nullable=False),
    sa.Column("visibility", sa.String(8), nullable=False),  # "public" | "private"
    time_us("created_at_us"),
    sa.UniqueConstraint("owner_id", "slug"),
)
