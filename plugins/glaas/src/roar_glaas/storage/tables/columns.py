"""The metadata all tables share, and the types of their columns on both databases."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives out ids by itself only to INTEGER PRIMARY KEY.
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def surrogate() -> sa.Column[int]:
    """An integer primary key that the database gives out."""
    return sa.Column("id", BigId, primary_key=True, autoincrement=True)


def refers(name: str, target: str, *, optional: bool = False) -> sa.Column[int]:
    """A reference to the id of another table, `target` as `table.column`."""
    return sa.Column(name, BigId, sa.ForeignKey(target), nullable=optional)


def time_us(name: str, *, optional: bool = False) -> sa.Column[int]:
    """A moment, in microseconds since the epoch."""
    return sa.Column(name, sa.BigInteger, nullable=optional)
