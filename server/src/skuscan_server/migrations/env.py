"""Alembic's entry: migrates over the connection that `skuscan_server.db.schema` hands in."""

from alembic import context

from skuscan_server.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
)
with context.begin_transaction():
    context.run_migrations()
