"""Alembic's migrations: `versions/` holds one file a revision."""
