"""What the page says in English, all of it in `assets/words.json`: for Chainlit's own parts, for our
handlers and for our elements. An answer's own words are in `assistant.doors.show.text`, shared by every front door.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "assets" / "words.json"


@cache
def words() -> dict[str, Any]:
    """The sections of the file: "chainlit", "chat" and "page"."""
    read: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return read


def say(name: str, **values: object) -> str:
    """The text `name` of our handlers, its `{places}` filled."""
    text: str = words()["chat"][name]
    return text.format(**values)


def count(singular: str, plural: str, number: int) -> str:
    """`say(singular)` for 1, else `say(plural)` with the number."""
    return say(singular) if number == 1 else say(plural, count=number)
