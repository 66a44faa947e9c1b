"""A machine whose network is unplugged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


class Unplugged:
    """A machine without a network: an empty home, guarded sockets, and what they wrote down."""

    def __init__(self, folder: Path) -> None:
        self.home, self.cwd, site = folder / "home", folder / "cwd", folder / "site"
        for made in (self.home, self.cwd, site):
            made.mkdir()
        (site / "sitecustomize.py").write_text(GUARD)
        self._log, self._started = folder / "attempts", folder / "started"
        ours = ("DATELINE_", "CHAINLIT_", "HF_", "XDG_", "TRANSFORMERS_", "SENTENCE_", "TORCH")
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(ours)},
            "PYTHONPATH": str(site),
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "GUARD_LOG": str(self._log),
            "GUARD_STARTED": str(self._started),
        }

    def run(self, *arguments: object) -> str:
        """The standard output of `python arguments…`, which must end well."""
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True, text=True, cwd=self.cwd, env=self.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def dateline(self, *arguments: object) -> str:
        out = self.run("-m", "assistant.doors.cli", *arguments)
        self.assert_nothing_left()
        return out

    def attempts(self) -> str:
        """What tried to leave since the last look."""
        found = self._log.read_text() if self._log.exists() else ""
        self._log.unlink(missing_ok=True)
        return found

    def assert_nothing_left(self) -> None:
        assert self._started.exists(), "the guard was not in place"
        self._started.unlink()
        assert self.attempts() == ""


GUARD = """
import os, socket, traceback

_HERE = ("127.", "::1", "localhost", "0.0.0.0", "::")


def _refuse(what, who):
    with open(os.environ["GUARD_LOG"], "a") as log:
        log.write(f"{what} {who!r}\\n" + "".join(traceback.format_stack(limit=8)))
    raise OSError(101, "Network is unreachable")


def _is_here(host):
    host = host.decode() if isinstance(host, bytes) else host
    return host is None or host == "" or str(host).startswith(_HERE)


def _guarded(name):
    reach = getattr(socket.socket, name)

    def guarded(self, *arguments):
        to = arguments[-1]
        if self.family != socket.AF_UNIX and isinstance(to, tuple) and not _is_here(to[0]):
            _refuse(name, to)
        return reach(self, *arguments)

    setattr(socket.socket, name, guarded)


def _guarded_lookup(name):
    look_up = getattr(socket, name)

    def guarded(host, *arguments, **named):
        if not _is_here(host):
            _refuse(name, host)
        return look_up(host, *arguments, **named)

    setattr(socket, name, guarded)


for name in ("connect", "connect_ex", "sendto"):
    _guarded(name)
for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
    _guarded_lookup(name)
with open(os.environ["GUARD_STARTED"], "a") as started:
    started.write(f"{os.getpid()}\\n")
"""
