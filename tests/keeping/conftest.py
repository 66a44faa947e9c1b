"""Databases of both kinds, for conversations to be kept in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from kept_conversations import BACKENDS
from postgres import Postgres

from assistant.keeping.conversations import Conversations, open_conversations
from assistant.settings import Settings


@pytest.fixture(params=BACKENDS)
def kept_in(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings of a database that is still empty."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return replace(settings, database_url=server.new_database())
    return settings


@pytest.fixture
def kept(kept_in: Settings) -> Iterator[Conversations]:
    opened = open_conversations(kept_in)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=BACKENDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Conversations]:
    """Conversations that several examples write to, each as people of its own."""
    settings = replace(Settings(), index=tmp_path_factory.mktemp("shared"))
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        settings = replace(settings, database_url=server.new_database())
    opened = open_conversations(settings)
    yield opened
    opened.close()
