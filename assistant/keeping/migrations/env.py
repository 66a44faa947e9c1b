"""Run by Alembic, on the connection that `database.open_database` holds: it begins and commits."""

from alembic import context

from assistant.keeping.database import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
