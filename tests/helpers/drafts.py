"""Drafts of a chat model and the messages that ask for them."""

from __future__ import annotations

import re
from typing import Any

SOUND = "The memorandum of understanding was expected within 30 days, by 6 March 2026 [{mou}]."

Messages = list[dict[str, Any]]


def number_of(messages: Messages, words: str) -> int:
    """The number under which a prompt gives the sentence with these words."""
    found = re.search(rf"^\[(\d+)\] .*{re.escape(words)}", messages[1]["content"], re.MULTILINE)
    assert found, words
    return int(found[1])
