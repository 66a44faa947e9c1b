"""A real Postgres server for tests, in a folder of its own, reached through a Unix socket there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

PATIENCE_S = 60
PASSWORD = "a-password-of-the-tests"
# In "C" the server knows no letters but ASCII: what is searched must not lean on it.
CLUSTER = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync"]
# What a test writes need not outlive a power cut.
QUICK = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server; `new_database` makes an empty database and returns its URL."""

    folder: Path

    def url(self, database: str) -> str:
        return f"postgresql://tester:{PASSWORD}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Runs a server for as long as the context is open."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="dateline-postgres-"))
    # Postgres refuses to run as root, as whom tests may run.
    runs_as = {"user": "postgres", "group": "postgres", "extra_groups": []} if _is_root() else {}
    if runs_as:
        shutil.chown(folder, "postgres", "postgres")
    try:
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = folder / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "tester", "--pwfile", password, *CLUSTER],
            cwd=folder, check=True, capture_output=True, **runs_as,
        )  # fmt: skip
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", *QUICK],
                cwd=folder, stdout=log, stderr=log, **runs_as,
            )  # fmt: skip
        try:
            running = Postgres(folder)
            _wait(running, server)
            yield running
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nothing is worth a checkpoint
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found += [Path(at).parent for at in [shutil.which("postgres")] if at]
    if not found:
        raise AssertionError(
            "these tests need a Postgres server, and there is none on this machine;"
            " run: apt-get install postgresql"
        )
    return found[-1]


def _is_root() -> bool:
    return os.geteuid() == 0


def _wait(running: Postgres, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(running.url("postgres")).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise AssertionError(f"Postgres did not start:\n{(running.folder / 'log').read_text()}")
