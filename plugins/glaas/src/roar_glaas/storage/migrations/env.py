"""What Alembic runs: every migration on the connection that `migrate` opened."""

from alembic import context

from roar_glaas.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # `migrate` holds the transaction, for all of them together
)
context.run_migrations()
