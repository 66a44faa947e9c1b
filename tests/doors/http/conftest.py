"""The API over corpus/, and the assistant that its answers are held against."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from api_client import client
from running import Running

from assistant.service import Assistant, open_assistant
from assistant.settings import Settings


@pytest.fixture
def api(dateline: Running) -> Iterator[httpx.Client]:
    """The API over corpus/."""
    with client(dateline) as opened:
        yield opened


@pytest.fixture(scope="module")
def alone(briefs: Settings) -> Iterator[Assistant]:
    """What the API's answers are held against."""
    with open_assistant(briefs) as opened:
        yield opened
