"""Every table, the guards, the index of commands, and the owner that is nobody.

In SQL, engine by engine: what a release has made is not to change with the tables of a later one.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_NOBODY = (
    "INSERT INTO owner (id, public_id, kind, name, display_name, created_at_us) "
    "VALUES (0, 'anonymous', 'user', 'anonymous', 'nobody known', 0)"
)


def upgrade() -> None:
    """Make the schema of the first release."""
    connection = op.get_bind()
    # Alembic loads this file as a module of no package.
    text = Path(__file__).with_name(f"m0001_{connection.dialect.name}.sql").read_text("utf-8")
    _, *statements = text.rstrip().split("\n\n")  # the first is a comment
    if connection.dialect.name == "postgresql":  # which takes many at once
        statements = [";\n".join(statements)]
    for statement in (*statements, _NOBODY):
        connection.exec_driver_sql(statement)
