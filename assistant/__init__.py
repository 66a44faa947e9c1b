"""The question side: one `ask()`, and the front doors that translate to and from it.

from assistant import open_assistant

with open_assistant() as assistant:
    answer = assistant.ask("When is the review of the agreement?")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["Answer", "Assistant", "open_assistant"]

_FROM = {
    "Answer": "assistant.schema",
    "Assistant": "assistant.service",
    "open_assistant": "assistant.service",
}

if TYPE_CHECKING:
    from assistant.schema import Answer
    from assistant.service import Assistant, open_assistant
else:  # a type checker that saw it would let every name pass

    def __getattr__(name: str) -> Any:
        """What others import from here, loaded when it is first asked for: the command line needs
        none of it to start."""
        if name not in _FROM:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_FROM[name]), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
