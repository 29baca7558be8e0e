"""Every table, the guards, the index of commands, and the owner that is nobody."""

import sqlalchemy as sa
from alembic import op

from roar_glaas.storage.guards import guards
from roar_glaas.storage.searching import command_index
from roar_glaas.storage.tables import metadata, owner

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the schema. Until the first release this migration follows the tables."""
    connection = op.get_bind()
    metadata.create_all(connection)
    nobody = {"id": 0, "public_id": "anonymous", "kind": "user", "name": "anonymous"}
    nobody |= {"display_name": "nobody known", "created_at_us": 0}
    connection.execute(sa.insert(owner), nobody)
    dialect = connection.dialect.name
    for statement in (*guards(dialect), *command_index(dialect)):
        connection.execute(sa.text(statement))
