"""Every table, and the guards."""

import sqlalchemy as sa
from alembic import op

from roar_glaas.storage.guards import guards
from roar_glaas.storage.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the schema. Until the first release this migration follows the tables."""
    connection = op.get_bind()
    metadata.create_all(connection)
    for statement in guards(connection.dialect.name):
        connection.execute(sa.text(statement))
