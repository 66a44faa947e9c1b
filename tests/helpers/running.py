"""Servers that tests start as a user would: as processes of their own, stopped with Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ALTERED = str(Path(__file__).with_name("altered.py"))
PATIENCE_S = 180  # models are loaded, on a machine that may be busy


@dataclass
class Running:
    """A started server. `printed` grows as it prints; `folder` is the directory it was started in."""

    process: subprocess.Popen[str]
    folder: Path
    url: str = ""
    printed: list[str] = field(default_factory=list)

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)


@contextmanager
def running(
    arguments: Sequence[str], folder: Path, constants: Sequence[str] = (), **settings: str
) -> Iterator[Running]:
    """Runs `python arguments…` in `folder`, an empty directory, until it answers `/healthz`.

    `settings`: variables of its environment. `constants`: see `altered`.
    """
    process = subprocess.Popen(
        [sys.executable, *([ALTERED, *constants] if constants else []), *arguments],
        cwd=folder,
        # What a shell may have set must neither steer the server nor reach the page.
        env={k: v for k, v in os.environ.items() if not k.startswith(("DATELINE_", "CHAINLIT_"))}
        | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Running(process, folder)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            server.printed.append(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        server.url = _wait(server)
        yield server
    finally:
        try:
            server.stop()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            reader.join(timeout=10)
            assert process.stdout is not None
            process.stdout.close()


def _wait(server: Running) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and server.process.poll() is None:
        at = re.search(r"Dateline is at (\S+)", "".join(server.printed))
        if at:
            try:
                if httpx.get(f"{at[1]}/healthz", trust_env=False).status_code == 200:
                    return at[1]
            except httpx.TransportError:
                pass
        time.sleep(0.1)
    raise AssertionError("the server did not start:\n" + "".join(server.printed))
