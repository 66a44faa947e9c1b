"""What other programs rely on: streams, terminals, interrupts and readers that go away."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest
from command_line import batch, command, dateline, shell_environment
from repository import write_files

from assistant.settings import Settings

pytestmark = pytest.mark.slow


def test_a_progress_bar_is_shown_on_a_terminal_alone_and_never_on_stdout(
    tmp_path: Path, elsewhere: Path
) -> None:
    corpus = write_files(tmp_path / "corpus", {"a.txt": "The ferry sailed."})
    arguments = command("index", corpus, "--index", tmp_path / "index", "--json")
    shown = {}
    for where in ("terminal", "pipe"):
        reading, writing = pty.openpty() if where == "terminal" else os.pipe()
        if where == "terminal":
            termios.tcsetwinsize(writing, (24, 80))
        done = subprocess.run(
            arguments, stdout=subprocess.PIPE, stderr=writing, env=shell_environment()
        )
        os.close(writing)
        shown[where] = b""
        try:
            while some := os.read(reading, 65536):
                shown[where] += some
        except OSError:  # how a terminal says that it has ended
            pass
        os.close(reading)
        assert done.returncode == 0, shown[where]
        assert len(done.stdout.splitlines()) == 1
        assert json.loads(done.stdout)["failed"] == []
    assert b"reading" in shown["terminal"]
    assert shown["pipe"] == b""


@pytest.mark.parametrize("arguments", [["--help"], ["sources"], ["search", "minerals", "--json"]])
def test_a_reader_that_has_gone_away_is_no_error(briefs: Settings, arguments: list[str]) -> None:
    index = [] if arguments == ["--help"] else ["--index", str(briefs.index)]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command(*arguments, *index),
            stdout=writing, stderr=subprocess.PIPE, env=shell_environment(),
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_batch_whose_reader_goes_away_stops_quietly(briefs: Settings, tmp_path: Path) -> None:
    lines = ({"id": n, "question": "price floors"} for n in range(300))
    arguments = command(
        *("search", "--batch", batch(tmp_path, *lines), "--k", 5, "--index", briefs.index)
    )
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=shell_environment()
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert json.loads(run.stdout.readline())["id"] == 0
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait() == 0


def test_an_interrupt_ends_with_130_and_one_line(briefs: Settings) -> None:
    with subprocess.Popen(
        command("search", "--batch", "-", "--index", briefs.index),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=shell_environment(PYTHONUNBUFFERED="1"),
    ) as run:  # fmt: skip
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdin.write(b'{"id": 1, "question": "price floors"}\n')
        run.stdin.flush()
        assert json.loads(run.stdout.readline())["id"] == 1
        time.sleep(0.1)  # it waits for the next line
        run.send_signal(signal.SIGINT)
        told = run.stderr.read().decode()
        assert run.wait() == 130
    assert told == "dateline: stopped\n"


def test_an_interrupt_anywhere_in_a_command_ends_with_130(
    briefs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in ("service.open_assistant", "service.Assistant.stream"):
        with monkeypatch.context() as patch:
            patch.setattr(f"assistant.{place}", interrupt)
            for question in (["Why?"], ["--batch", "-"]):
                ran = dateline(
                    "ask", *question, "--index", briefs.index, stdin='{"question": "Why?"}\n'
                )
                assert (ran.code, ran.out) == (130, "")
                assert "Traceback" not in ran.err


def test_a_terminal_of_another_encoding_is_written_to_all_the_same(tmp_path: Path) -> None:
    index = tmp_path / "index"
    write_files(tmp_path / "corpus", {"ü.txt": "The “Zürich” ferry sailed to Łódź. 🙂"})
    assert dateline("index", tmp_path / "corpus", "--index", index).code == 0
    ascii_only = shell_environment(PYTHONIOENCODING="ascii")
    for options in ([], ["--json"]):
        done = subprocess.run(
            command("search", "Where did the Zürich ferry sail?", *options, "--index", index),
            capture_output=True, env=ascii_only,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        if options:
            (hit,) = json.loads(done.stdout)["retrieved"]
            assert (hit["file"], hit["text"]) == ("ü.txt", "The “Zürich” ferry sailed to Łódź. 🙂")
