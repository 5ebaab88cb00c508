"""Run by alembic: migrates over the connection, and in the transaction, that it is given."""

from alembic import context

from credly_audit.history.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
    version_table=VERSION_TABLE,
)
context.run_migrations()
