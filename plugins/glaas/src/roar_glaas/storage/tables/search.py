"""What labels are looked up by: their values, one by one.

Made from the labels, and registered nowhere: when a label is withheld, its values go.
"""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.storage.tables.columns import BigId, metadata

# One value in a label document; longer ones are known by their first 255 characters.
label_value = sa.Table(
    "label_value",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),  # dotted
    sa.Column("value", sa.String(255), primary_key=True),  # a text as it is, else its JSON
    sa.Column("label_id", BigId, sa.ForeignKey("label.id"), primary_key=True),
    # Which of the values under this key: 0, or more in a list.
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Index(None, "key", "label_id"),
    sqlite_with_rowid=False,
)
