"""The real server and page over scripted answers: hostile articles, errors, what no corpus gives.

Run as a program: `python scripted_server.py INDEX [PORT]`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fakes import ScriptedAssistant, answered, cited, missing

from assistant.doors.server import serve
from assistant.schema import Agreement, Answer, Claim
from assistant.settings import Settings
from indexing.errors import CorpusError

MARKUP = (
    "😀 <img src=x onerror=alert(1)> <script>alert(2)</script> [click](http://evil.example) "
    "![p](http://evil.example/p.png) http://evil.example/x www.evil.example me@evil.example "
    "[1](http://evil.example/1) # Heading :::danger ::video[x]{src=y} `code` <iframe src='http://evil.example'></iframe>"
)
HOSTILE = f"First line 😀😀.\r\n\r\n{MARKUP}\r\n<b>last</b> line.\r\n"
LONG = "An opening line.\n" * 30_000 + "THE QUOTE" + "\nA closing line." * 30_000
SECRET = "a detail of the inside"
GONE = "This article was removed."


@dataclass
class Rehearsed(ScriptedAssistant):
    """Scripted, except that it can say what it was asked before, that "Slow?" has no answer before
    there is a file `gate`, and that what it does not know the articles do not say."""

    gate: Path = Path("gate")

    def stream(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        cancelled: Callable[[], bool] = lambda: False,
        **options: object,
    ) -> Iterator[Claim | Answer]:
        if question == "What did I ask?":
            asked = "; ".join(earlier for earlier, _ in history) or "nothing"
            yield answered(f"You asked: {asked}. [1]", cited(HOSTILE, "First line", source="a.txt"))
            return
        if question not in self.answers:
            yield missing()
            return
        for item in super().stream(question, history, **options):
            yield item
            time.sleep(0.3)  # long enough to be seen between a claim and the whole
            while question == "Slow?" and not (self.gate.exists() or cancelled()):
                time.sleep(0.05)


def assistant(gate: Path) -> ScriptedAssistant:
    hostile = cited(
        HOSTILE,
        MARKUP,
        title="<b>Title</b> [t](http://evil.example)",
        publisher="<i>P</i> http://evil.example",
        url="javascript:alert(3)",
    )
    return Rehearsed(
        articles={"a.txt": HOSTILE, "long.txt": LONG},
        answers={
            "Hostile?": answered(f"{MARKUP} [1]", hostile),
            "Long?": answered("THE QUOTE [1]", cited(LONG, "THE QUOTE", source="long.txt")),
            "Gone?": answered(f"{GONE} [1]", cited(GONE, GONE, source="gone.txt")),
            "Moved?": answered("Moved. [1]", cited("Moved.", "Moved.")),
            "Differ?": answered(
                "Differ. [1][2]",
                cited(HOSTILE, "First line"),
                cited(LONG, "An opening line.", number=2, source="long.txt"),
                agreement=(Agreement("First line", (1,)), Agreement("An opening line.", (2,))),
            ),
            "Slow?": answered("It took its time. [1]", cited(HOSTILE, "First line")),
            "Missing?": missing(cited(HOSTILE, "First line 😀😀.")),
            "Broken?": RuntimeError(SECRET),
            "Unreadable?": CorpusError("the *index* is gone; run `dateline index`"),
        },
        questions=["Hostile?", "Missing?"],
        next_questions=["Long?", "What did I ask?"],
        gate=gate,
    )


if __name__ == "__main__":
    index = Path(sys.argv[1])
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    serve(Settings.from_env(os.environ, index=index, port=port), assistant(index / "gate"))
