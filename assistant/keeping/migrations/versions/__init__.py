"""Read by Alembic, in the order that each names the one before it."""
