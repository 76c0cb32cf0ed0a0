"""Alembic's entry: runs the migrations in the connection that `orchestrator.ledger.migrating` opened."""

from alembic import context

from orchestrator.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
