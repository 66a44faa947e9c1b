"""The database of conversations: its tables, and how it is opened and brought up to date.

SQLite in a file of the index, or Postgres. Nothing here knows what the rows mean.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy.engine import URL, make_url

from assistant.settings import Settings
from indexing.errors import DatelineError, SettingsError, StoreError

VERSION_TABLE = "dateline_schema"
MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x44_61_74_65_6C_69_6E_65  # "Dateline": what a Postgres server knows our migrations by

# The prefix keeps them apart from the tables of a program that uses the same Postgres database.
tables = sa.MetaData()


def _thread_id() -> sa.Column[str]:
    of_thread = sa.ForeignKey("dateline_threads.id", ondelete="CASCADE")
    return sa.Column("thread_id", sa.Text, of_thread, nullable=False)


def _json(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(none_as_null=True), nullable=nullable)


people = sa.Table(
    "dateline_people",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("identifier", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.Text, nullable=False),
    _json("metadata", nullable=False),
)

threads = sa.Table(
    "dateline_threads",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("dateline_people.id", ondelete="CASCADE")),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("active_at", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("folded", sa.Text, nullable=False),  # the name, as it is searched
    _json("metadata", nullable=False),
    _json("tags"),
    sa.Index("dateline_threads_newest", "person_id", "active_at", "id"),
)

# What is still on its way to a thread when it is deleted must not bring it back.
deleted_threads = sa.Table(
    "dateline_deleted_threads", tables, sa.Column("thread_id", sa.Text, primary_key=True)
)

# No foreign key from a step to its parent, nor from an element to its step: children come first.
steps = sa.Table(
    "dateline_steps",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    _thread_id(),
    sa.Column("parent_id", sa.Text),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("output", sa.Text, nullable=False),
    sa.Column("folded", sa.Text, nullable=False),  # a message's text, as it is searched
    _json("metadata", nullable=False),
    sa.Column("is_favorite", sa.Boolean, nullable=False),
    sa.Column("is_error", sa.Boolean, nullable=False),
    sa.Column("streaming", sa.Boolean, nullable=False),
    sa.Column("start", sa.Text),
    sa.Column("end", sa.Text),
    _json("tags"),
    _json("generation"),
    _json("show_input"),
    sa.Column("language", sa.Text),
    sa.Column("command", sa.Text),
    _json("modes"),
    sa.Column("wait_for_answer", sa.Boolean),
    sa.Column("default_open", sa.Boolean),
    sa.Column("auto_collapse", sa.Boolean),
    sa.Index("dateline_steps_in_order", "thread_id", "created_at", "id"),
    sa.Index("dateline_steps_parent", "parent_id"),
)

elements = sa.Table(
    "dateline_elements",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    _thread_id(),
    sa.Column("step_id", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("display", sa.Text, nullable=False),
    sa.Column("mime", sa.Text),
    sa.Column("url", sa.Text),
    _json("props"),
    sa.Column("size", sa.Text),
    sa.Column("language", sa.Text),
    sa.Column("page", sa.Integer),
    sa.Column("auto_play", sa.Boolean),
    _json("player_config"),
    sa.Index("dateline_elements_in_order", "thread_id", "created_at", "id"),
    sa.Index("dateline_elements_step", "step_id"),
)

_of_step = sa.ForeignKey("dateline_steps.id", ondelete="CASCADE")
feedback = sa.Table(
    "dateline_feedback",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("step_id", sa.Text, _of_step, nullable=False, unique=True),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("value", sa.Integer, nullable=False),
    sa.Column("comment", sa.Text),
)


@dataclass(frozen=True, slots=True)
class Database:
    """An opened database, its schema up to date. `name` is what errors call it, without a password."""

    engine: sa.Engine
    name: str
    is_file: bool

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One view of the data, from the first statement to the last."""
        level: Any = {} if self.is_file else {"isolation_level": "REPEATABLE READ"}
        with self._errors(), self.engine.execution_options(**level).begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction: all of it is kept, or nothing."""
        with self._errors(), self.engine.execution_options(writes=True).begin() as connection:
            yield connection

    def shrink(self) -> None:
        """Removes what was deleted from the disk too, where that is ours to do."""
        if self.is_file:
            with self._errors():
                connection = self.engine.raw_connection()
                try:
                    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    connection.close()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turns a library's errors into StoreError, without what was being written."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as exc:
            raise StoreError(
                f"conversations cannot be read from or kept in {self.name} ({self._reason(exc)});"
                f" {self._advice(exc)}"
            ) from exc

    def _reason(self, exc: BaseException) -> str:
        """The first line of the database's own words; they may repeat a password, so none is left."""
        said = str(getattr(exc, "orig", exc) or exc).strip() or type(exc).__name__
        line = said.splitlines()[0]
        password = self.engine.url.password
        return line.replace(str(password), "***") if password else line

    def _advice(self, exc: BaseException) -> str:
        if not self.is_file:
            return "see that the database runs, and that DATELINE_DATABASE_URL is right"
        said = str(exc)
        if "not a database" in said or "malformed" in said:
            return "move that file away: a new one is begun in its place"
        return "make space, or permit writing there, or choose another index with --index"


def file_of(settings: Settings) -> Path:
    """Where conversations are kept when no `database_url` is set."""
    return settings.index / "chat" / "conversations.sqlite"


def open_database(settings: Settings) -> Database:
    """The database that `settings` name, made where there is none, with the schema of this program.

    Raises SettingsError for a URL that cannot be used and StoreError for a database that cannot be
    reached, is none, or was written by a newer Dateline.
    """
    if settings.database_url:
        database = _postgres(settings.database_url)
    else:
        path = file_of(settings)
        database = Database(_sqlite(path), str(path), is_file=True)
    try:
        with database._errors(), _migrations_locked(database, file_of(settings)):
            _bring_up_to_date(database)
    except DatelineError:
        database.close()
        raise
    return database


def reached(settings: Settings) -> str:
    """Where conversations are kept, in words; a server is asked whether it is there, and nothing is
    changed. Raises as `open_database` does."""
    if not settings.database_url:
        return str(file_of(settings))
    database = _postgres(settings.database_url)
    try:
        with database.reading() as connection:
            connection.execute(sa.text("SELECT 1"))
        return "the database server of DATELINE_DATABASE_URL"
    finally:
        database.close()


def _to_json(value: Any) -> str:
    return json.dumps(value, default=str)


def _sqlite(path: Path) -> sa.Engine:
    engine = sa.create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": 30},
        json_serializer=_to_json,
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves
        ask = connection.execute
        if ask("PRAGMA journal_mode").fetchone()[0] != "wal":
            ask("PRAGMA journal_mode = WAL")
        ask("PRAGMA synchronous = NORMAL")
        ask("PRAGMA foreign_keys = ON")
        # What somebody deletes must not stay readable in the file's free pages.
        ask("PRAGMA secure_delete = ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that reads before it writes could not wait for another's to end.
        is_writing = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


def _postgres(text: str) -> Database:
    variable = "DATELINE_DATABASE_URL"
    wanted = "postgresql://USER:PASSWORD@HOST/DATABASE"
    try:
        url = make_url(text)
        if not url.database:
            raise ValueError("it names no database")
    except (sa.exc.ArgumentError, ValueError) as exc:
        raise SettingsError(f"{variable} must be like {wanted}, and is not") from exc
    if url.drivername not in _SCHEMES:
        raise SettingsError(f"{variable} must be like {wanted}, got {url.drivername}://")
    # Without its parameters, for they may hold a password too.
    shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    try:
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={} if "connect_timeout" in url.query else {"connect_timeout": 10},
            pool_pre_ping=True,
            json_serializer=_to_json,
            hide_parameters=True,
        )
    except ImportError as exc:
        raise SettingsError(
            f"{variable} needs the package psycopg; run: pip install 'dateline[postgres]'"
        ) from exc
    return Database(engine, f"{variable} ({shown.render_as_string()})", is_file=False)


@contextmanager
def _migrations_locked(database: Database, path: Path) -> Iterator[None]:
    """Holds up other processes that open the same file; a server does so by itself."""
    if not database.is_file:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        yield


def _bring_up_to_date(database: Database) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = ScriptDirectory.from_config(config)
    with database.writing() as connection:
        if not database.is_file:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        now = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        version = now.get_current_revision()
        if version and version not in {script.revision for script in known.walk_revisions()}:
            raise StoreError(
                f"the conversations in {database.name} have format {version}, which a newer Dateline"
                f" wrote; this one knows up to {known.get_current_head()}: update it"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
