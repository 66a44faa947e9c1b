"""What a text asks the assistant to do: most ask about the articles, some only greet or ask for help.

A taught model tells what a text is for (see `taught`). Doubt makes it a question: a greeting that is
searched for disappoints less than a question that is greeted.
"""

from __future__ import annotations

from enum import StrEnum

from assistant.question.foreign import is_in_another_script, languages
from assistant.question.taught import intents

LONGEST = 120
"""Characters beyond which a text is no small talk, whatever it consists of."""
SURE = 0.5
"""How likely a text must be none on the articles' content to be taken for that."""


class Task(StrEnum):
    """What a text asks the assistant to do."""

    QUESTION = "question"
    GREETING = "greeting"
    THANKS = "thanks"
    FAREWELL = "farewell"
    HELP = "help"
    SOURCES = "sources"
    NEWS = "news"
    SUMMARY = "summary"
    FOREIGN = "foreign"
    NOTHING = "nothing"


TASK_OF = {
    "greeting": Task.GREETING,
    "thanks": Task.THANKS,
    "goodbye": Task.FAREWELL,
    "help": Task.HELP,
    "all-articles": Task.SOURCES,
    "all-news": Task.NEWS,
    "all-summary": Task.SUMMARY,
}
"""The intents that have a reply of their own; the others are answered from the articles."""


def task_of(text: str, is_follow_up: bool = False) -> Task:
    """What `text` asks for; a QUESTION unless it is evidently something else. `is_follow_up`: whether
    other turns came before it."""
    if not any(c.isalnum() for c in text):
        return Task.NOTHING
    if is_in_another_script(text):
        return Task.FOREIGN
    if len(text) <= LONGEST:
        likely = intents().likely(text, is_follow_up)
        intent = max(TASK_OF, key=likely.__getitem__)
        if likely[intent] >= SURE:
            return TASK_OF[intent]
    return Task.FOREIGN if languages(text) else Task.QUESTION
