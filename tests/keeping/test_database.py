"""The database of conversations is opened, migrated and refused as its settings say."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from filelock import FileLock, Timeout
from kept_conversations import ids, message, new_id, person, step_ids
from postgres import PASSWORD, Postgres
from repository import ROOT

from assistant.keeping import database
from assistant.keeping.conversations import Conversations, open_conversations
from assistant.settings import Settings
from indexing.errors import SettingsError, StoreError

# The tables as the first version made them, with a conversation in them. Later versions must be
# able to start from it, so it is never changed.
VERSION_1 = """
CREATE TABLE dateline_schema (version_num VARCHAR(32) NOT NULL, CONSTRAINT dateline_schema_pkc PRIMARY KEY (version_num));
INSERT INTO dateline_schema VALUES ('0001');
CREATE TABLE dateline_people (id TEXT NOT NULL, identifier TEXT NOT NULL, created_at TEXT NOT NULL, metadata JSON NOT NULL, PRIMARY KEY (id), UNIQUE (identifier));
CREATE TABLE dateline_threads (id TEXT NOT NULL, person_id TEXT, created_at TEXT NOT NULL, active_at TEXT NOT NULL, name TEXT, folded TEXT NOT NULL, metadata JSON NOT NULL, tags JSON, PRIMARY KEY (id), FOREIGN KEY(person_id) REFERENCES dateline_people (id) ON DELETE CASCADE);
CREATE INDEX dateline_threads_newest ON dateline_threads (person_id, active_at, id);
CREATE TABLE dateline_deleted_threads (thread_id TEXT NOT NULL, PRIMARY KEY (thread_id));
CREATE TABLE dateline_steps (id TEXT NOT NULL, thread_id TEXT NOT NULL, parent_id TEXT, created_at TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, input TEXT NOT NULL, output TEXT NOT NULL, folded TEXT NOT NULL, metadata JSON NOT NULL, is_favorite BOOLEAN NOT NULL, is_error BOOLEAN NOT NULL, streaming BOOLEAN NOT NULL, start TEXT, "end" TEXT, tags JSON, generation JSON, show_input JSON, language TEXT, command TEXT, modes JSON, wait_for_answer BOOLEAN, default_open BOOLEAN, auto_collapse BOOLEAN, PRIMARY KEY (id), FOREIGN KEY(thread_id) REFERENCES dateline_threads (id) ON DELETE CASCADE);
CREATE INDEX dateline_steps_in_order ON dateline_steps (thread_id, created_at, id);
CREATE INDEX dateline_steps_parent ON dateline_steps (parent_id);
CREATE TABLE dateline_elements (id TEXT NOT NULL, thread_id TEXT NOT NULL, step_id TEXT NOT NULL, created_at TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, display TEXT NOT NULL, mime TEXT, url TEXT, props JSON, size TEXT, language TEXT, page INTEGER, auto_play BOOLEAN, player_config JSON, PRIMARY KEY (id), FOREIGN KEY(thread_id) REFERENCES dateline_threads (id) ON DELETE CASCADE);
CREATE INDEX dateline_elements_in_order ON dateline_elements (thread_id, created_at, id);
CREATE INDEX dateline_elements_step ON dateline_elements (step_id);
CREATE TABLE dateline_feedback (id TEXT NOT NULL, step_id TEXT NOT NULL, created_at TEXT NOT NULL, value INTEGER NOT NULL, comment TEXT, PRIMARY KEY (id), FOREIGN KEY(step_id) REFERENCES dateline_steps (id) ON DELETE CASCADE, UNIQUE (step_id));
INSERT INTO dateline_people VALUES ('p1', 'ann', '2026-02-04T09:00:00.000000Z', '{"email": "ann@example.org"}');
INSERT INTO dateline_threads VALUES ('t1', 'p1', '2026-02-04T09:00:00.000000Z', '2026-02-04T09:00:02.000000Z', 'When is it due?', 'when is it due?', '{"engine": "quotes"}', NULL);
INSERT INTO dateline_deleted_threads VALUES ('t0');
INSERT INTO dateline_steps VALUES ('s1', 't1', NULL, '2026-02-04T09:00:01.000000Z', 'user_message', 'ann', '', 'When is it due?', 'when is it due?', '{}', false, false, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO dateline_steps VALUES ('s2', 't1', 's1', '2026-02-04T09:00:02.000000Z', 'assistant_message', 'Dateline', '', 'On 6 March.', 'on 6 march.', '{"answer": {"question": "When is it due?", "answer": "On 6 March."}}', true, false, false, NULL, NULL, '["a"]', NULL, '"json"', NULL, NULL, NULL, false, NULL, NULL);
INSERT INTO dateline_elements VALUES ('e1', 't1', 's2', '2026-02-04T09:00:02.000000Z', 'custom', 'Answer', 'inline', 'application/json', NULL, '{"status": "answered"}', NULL, NULL, NULL, NULL, NULL);
INSERT INTO dateline_feedback VALUES ('f1', 's2', '2026-02-04T09:00:03.000000Z', 1, 'Right.');
"""


# Opening


def opened_at_once(settings: Settings, script: str) -> subprocess.Popen[str]:
    """A process of its own that runs `script` with `kept`, the conversations of `settings`."""
    head = f"""
from dataclasses import replace
from pathlib import Path
from assistant.keeping.conversations import open_conversations
from assistant.keeping.tables import Step
from assistant.settings import Settings
settings = replace(Settings(), index=Path({str(settings.index)!r}), database_url={settings.database_url!r})
kept = open_conversations(settings)
"""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", head + script], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_migrations_make_the_tables_of_the_code(kept: Conversations) -> None:
    with kept._database.reading() as connection:
        options = {"version_table": database.VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, database.tables) == []


def execute(settings: Settings, script: str) -> None:
    if settings.database_url:
        with psycopg.connect(settings.database_url, autocommit=True) as server:
            for statement in script.split(";\n"):
                if statement.strip():
                    server.execute(statement)
        return
    path = database.file_of(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def test_conversations_of_the_first_version_are_read_and_written(kept_in: Settings) -> None:
    execute(kept_in, VERSION_1)
    kept = open_conversations(kept_in)
    ann = kept.person("ann")
    assert ann
    assert ann.metadata == {"email": "ann@example.org"}
    whole = kept.thread("t1", ann.id)
    assert whole
    assert [step.output for step in whole.steps] == ["When is it due?", "On 6 March."]
    assert (whole.steps[1].show_input, whole.steps[1].tags) == ("json", ["a"])
    assert whole.elements[0].props == {"status": "answered"}
    (rated,) = kept.rated()
    assert (rated.answer["answer"], rated.comment) == ("On 6 March.", "Right.")
    assert ids(kept, ann.id, search="MARCH") == ["t1"]
    assert [step.id for step in kept.favorites(ann.id)] == ["s2"]
    kept.put_thread("t0", name="Still deleted")
    assert kept.thread("t0") is None
    kept.put_step(message("t1", 1, "And where?"), ann.id)
    assert len(step_ids(kept, "t1")) == 3
    kept.close()


def test_processes_that_start_at_once_do_not_both_migrate(kept_in: Settings) -> None:
    script = "kept.put_person('ann', {}); kept.close(); print('opened')"
    started = [opened_at_once(kept_in, script) for _ in range(4)]
    assert [process.communicate(timeout=60) for process in started] == [("opened\n", "")] * 4


def test_the_schema_is_changed_under_a_lock(
    kept_in: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade, found_free = database.command.upgrade, []

    def is_free() -> bool:
        if kept_in.database_url:
            with psycopg.connect(kept_in.database_url) as server:
                row = server.execute("SELECT pg_try_advisory_lock(%s)", [database._LOCK]).fetchone()
                assert row
                return bool(row[0])
        try:
            FileLock(f"{database.file_of(kept_in)}.lock").acquire(timeout=0).lock.release()
        except Timeout:
            return False
        return True

    def watched(*args: Any) -> None:
        found_free.append(is_free())
        upgrade(*args)

    monkeypatch.setattr(database.command, "upgrade", watched)
    open_conversations(kept_in).close()
    assert found_free == [False]
    assert is_free()


def test_a_write_has_the_file_to_itself_before_it_reads(settings: Settings) -> None:
    kept = open_conversations(settings)
    other = sqlite3.connect(database.file_of(settings), timeout=0, isolation_level=None)
    with kept._database.writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with kept._database.reading():
        other.execute("BEGIN IMMEDIATE")
    other.close()
    kept.close()


def test_opening_again_changes_nothing_and_says_nothing(
    kept_in: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = open_conversations(kept_in)
    ann = person(kept)
    kept.close()
    again = open_conversations(kept_in)
    assert again.person(ann.identifier) == ann
    again.close()
    assert capfd.readouterr() == ("", "")


def test_a_store_of_a_newer_dateline_is_refused(kept_in: Settings) -> None:
    open_conversations(kept_in).close()
    execute(kept_in, "UPDATE dateline_schema SET version_num = '9999';\n")
    with pytest.raises(
        StoreError, match=r"format 9999, which a newer Dateline wrote.*0001"
    ) as told:
        open_conversations(kept_in)
    assert PASSWORD not in str(told.value)


KILLED = """
for n in range(10**6):
    step = Step(id=f"s{n}", thread_id=f"t{n % 7}", type="user_message", output=f"text {n}" * 50)
    kept.put_step(step)
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_a_readable_store(kept_in: Settings) -> None:
    for lines in (1, 30, 77):
        process = opened_at_once(kept_in, KILLED.replace('f"s{n}"', f'f"{lines}-s{{n}}"'))
        assert process.stdout
        said = [process.stdout.readline() for _ in range(lines)]
        os.kill(process.pid, signal.SIGKILL)
        said += process.communicate()[0].splitlines()
        done = {f"{lines}-s{int(line)}" for line in said if line.strip()}
        kept = open_conversations(kept_in)
        wholes = [kept.thread(f"t{n}") for n in range(7)]
        found = {s.id: s for whole in wholes if whole for s in whole.steps}
        assert done <= set(found)
        assert {s.output[:5] for s in found.values()} <= {"text ", "It go"}
        kept.put_step(message("t0", 1, "It goes on."))
        if not kept_in.database_url:
            with kept._database.reading() as connection:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        kept.close()


def test_a_server_that_drops_its_connections_is_asked_again(
    settings: Settings, postgres: Postgres
) -> None:
    settings = replace(settings, database_url=postgres.new_database())
    kept = open_conversations(settings)
    ann = person(kept)
    with psycopg.connect(settings.database_url, autocommit=True) as server:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    assert kept.person(ann.identifier) == ann
    kept.close()


def test_only_its_owner_may_read_the_file(settings: Settings) -> None:
    os.umask(mask := os.umask(0))
    kept = open_conversations(settings)
    kept.put_person("ann", {})
    folder = settings.index / "chat"
    modes = {p.name: p.stat().st_mode & 0o777 for p in folder.iterdir() if p.suffix != ".lock"}
    assert modes == dict.fromkeys((f"conversations.sqlite{s}" for s in ("", "-wal", "-shm")), 0o600)
    assert mask == 0o022, "the test would prove nothing"
    kept.close()


def test_a_file_that_is_no_database_is_named(settings: Settings) -> None:
    path = database.file_of(settings)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(StoreError, match=r"not a database.*move that file away") as told:
        open_conversations(settings)
    assert str(path) in str(told.value)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match=r"conversations\.sqlite"):
        open_conversations(settings)


def test_a_folder_that_cannot_be_made_is_named(settings: Settings) -> None:
    settings.index.parent.mkdir(exist_ok=True)
    settings.index.write_text("a file")
    with pytest.raises(StoreError, match=r"conversations\.sqlite.*choose another index"):
        open_conversations(settings)


def test_a_database_that_breaks_later_is_told_in_words(settings: Settings) -> None:
    kept = open_conversations(settings)
    execute(settings, "DROP TABLE dateline_feedback; DROP TABLE dateline_steps;")
    with pytest.raises(StoreError, match="no such table") as told:
        kept.put_step(message(new_id(), 1, "A private question"))
    assert "private" not in f"{told.value!r}{told.value.__cause__!r}"
    kept.close()


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hush@h/d", "nonsense", "postgresql://u:hush@h:port/d", "postgresql://u:hush@h"],
)
def test_a_url_that_is_not_of_postgres_is_a_wrong_setting(settings: Settings, url: str) -> None:
    with pytest.raises(SettingsError, match="DATELINE_DATABASE_URL must be like") as told:
        open_conversations(replace(settings, database_url=url))
    assert "hush" not in str(told.value)


def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    settings: Settings, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    for wrong in (
        url.replace(PASSWORD, "hush-hush"),
        url.replace(f"host={postgres.folder}", f"host={tmp_path}"),
        url.replace(f":{PASSWORD}", "") + "&password=hush-hush",
        postgres.url("nowhere"),
    ):
        with pytest.raises(StoreError, match="DATELINE_DATABASE_URL") as told:
            open_conversations(replace(settings, database_url=wrong))
        assert "hush" not in str(told.value)
        assert PASSWORD not in str(told.value)
        assert "tester@" in str(told.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_the_scheme_is_understood(
    settings: Settings, postgres: Postgres, scheme: str
) -> None:
    url = postgres.new_database().replace("postgresql", scheme, 1)
    kept = open_conversations(replace(settings, database_url=url))
    assert kept.put_person("ann", {}).identifier == "ann"
    kept.close()
    assert not settings.index.exists()


def test_without_the_driver_it_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"pip install 'dateline\[postgres\]'"):
        open_conversations(replace(settings, database_url="postgresql://u@h/d"))


def test_conversations_are_read_without_chainlit() -> None:
    code = "import sys, assistant.keeping.conversations; print('chainlit' in sys.modules)"
    run = [sys.executable, "-c", code]
    assert subprocess.run(run, cwd=ROOT, capture_output=True, text=True).stdout == "False\n"


def test_where_conversations_are_kept_is_told_and_nothing_is_made(
    settings: Settings, postgres: Postgres
) -> None:
    assert database.reached(settings) == str(database.file_of(settings))
    assert not database.file_of(settings).exists()
    on_a_server = replace(settings, database_url=postgres.new_database())
    assert "DATELINE_DATABASE_URL" in database.reached(on_a_server)
    assert PASSWORD not in database.reached(on_a_server)
