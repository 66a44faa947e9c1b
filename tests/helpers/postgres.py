"""A real Postgres server for tests, in a folder of its own, reached through a Unix socket there."""

from __future__ import annotations

import os
import pwd
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
from typing import Any

import psycopg
from machine import NO_POSTGRES, POSTGRES_WHEEL, go_without, postgres

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
    programs = postgres() or go_without(NO_POSTGRES)
    folder = Path(tempfile.mkdtemp(prefix="dateline-postgres-"))
    runs_as: dict[str, Any] = {}
    try:
        if os.geteuid() == 0:
            programs, runs_as = _of_another_user(programs, folder)
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


def _of_another_user(programs: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The programs where nobody can run them, and how they are run as nobody: Postgres refuses to
    run as root, as whom tests may run."""
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    if POSTGRES_WHEEL in programs.parts:  # and perhaps in a home that is closed to others
        site = programs.parents[2]
        for part in site.glob(f"{POSTGRES_WHEEL}*"):
            shutil.copytree(part, folder / "site" / part.name)
        programs = folder / "site" / programs.relative_to(site)
    return programs, {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _wait(running: Postgres, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(running.url("postgres")).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise AssertionError(f"Postgres did not start:\n{(running.folder / 'log').read_text()}")
