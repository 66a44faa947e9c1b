"""What is configured, what works, and what to do about the rest."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from assistant.settings import QUOTES, Settings, unknown
from indexing.errors import DatelineError
from indexing.settings import environment


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One check: `state` is "ok", "todo" (works once something is done) or "broken"."""

    check: str
    state: str
    says: str


def examine(settings: Settings) -> list[Diagnosis]:
    """Runs every check; none of them changes anything."""
    return [
        _checked("python", _python),
        *([_checked("settings", _settings)] if unknown(environment()) else []),
        _checked("sqlite", _sqlite),
        _checked("embedder", lambda: _embedder(settings)),
        _checked("reranker", lambda: _reranker(settings)),
        _checked("corpus", lambda: _corpus(settings)),
        _checked("index", lambda: _index(settings)),
        _checked("sign-in", lambda: _sign_in(settings)),
        _checked("conversations", lambda: _conversations(settings)),
        _checked("api", lambda: _api(settings)),
        *([_checked("slack", lambda: _slack(settings))] if settings.slack_bot_token else []),
        *(
            _checked("engine", partial(_engine, engine, settings))
            for engine in dict.fromkeys((settings.engine, *settings.models))
        ),
        *(
            [_checked("entailment", lambda: _entailment(settings))]
            if settings.entailment != "none"
            else []
        ),
        Diagnosis("network", "ok", _network(settings)),
    ]


def _checked(check: str, examined: Callable[[], tuple[str, str]]) -> Diagnosis:
    try:
        return Diagnosis(check, *examined())
    except DatelineError as exc:
        return Diagnosis(check, "broken", str(exc))


def _python() -> tuple[str, str]:
    return "ok", f"{sys.version.split()[0]}, {os.cpu_count()} cores"


def _settings() -> tuple[str, str]:
    names = ", ".join(unknown(environment()))
    return "todo", f"{names}: no such setting (any more), so it does nothing; see CHANGELOG.md"


def _sqlite() -> tuple[str, str]:
    options = [row[0] for row in sqlite3.connect(":memory:").execute("PRAGMA compile_options")]
    if "ENABLE_FTS5" not in options:
        return "broken", "this Python's SQLite has no FTS5; install a Python that has it"
    return "ok", f"{sqlite3.sqlite_version} with FTS5"


def _embedder(settings: Settings) -> tuple[str, str]:
    from indexing.embed import open_embedder

    embedder = open_embedder(settings.embedder, settings.threads)
    embedder.embed_query("a question")
    return "ok", f"{embedder.name}, {embedder.dimension} dimensions"


def _reranker(settings: Settings) -> tuple[str, str]:
    from assistant.finding.rerank import open_reranker

    reranker = open_reranker(settings.reranker, settings.threads)
    if reranker is None:
        return "todo", "none: answers are less exact; set DATELINE_RERANKER=bundled"
    reranker.scores("a question", ["an answer"])
    return "ok", reranker.name


def _engine(engine: str, settings: Settings) -> tuple[str, str]:
    """Nothing is asked of a model: whether it answers, and what that costs, a question shows."""
    if engine == QUOTES:
        return "ok", f"{QUOTES}: answers are verbatim quotes, no model is asked"
    from assistant.answering.engines import shown_name
    from assistant.answering.models.names import is_ready

    is_ready(engine, settings)
    return (
        "ok",
        f"{shown_name(engine)}: package and key are there; every sentence of it is verified",
    )


def _entailment(settings: Settings) -> tuple[str, str]:
    from assistant.checking.entail import open_entailment

    model = open_entailment(settings.entailment, settings.threads)
    return (
        "ok",
        f"{model.name if model else settings.entailment}: judges claims of a chat model too",
    )


def _sign_in(settings: Settings) -> tuple[str, str]:
    from assistant.keeping import people

    ways = people.ways(settings)
    if people.LOCAL in ways:
        return "ok", "none: only this machine can reach the page"
    if people.GUEST in ways:
        return "todo", "none: whoever reaches the page can read every article, as a guest"
    says, state = [], "ok"
    if people.PASSWORD in ways:
        count = len(people.Accounts(settings).names())
        says.append(f"password, {count} {'person' if count == 1 else 'people'}")
        if ways == {people.PASSWORD} and not count:
            state, says = "todo", ["password, nobody yet; run `dateline people add NAME`"]
    if people.OIDC in ways:
        from assistant.doors.chat.oidc import discover

        says.append(f"single sign-on of {discover(settings).issuer}")
    if people.is_exposed(settings) and not settings.public_url.startswith("https://"):
        state = "todo"
        says.append("without https passwords can be read on the way; see DATELINE_PUBLIC_URL")
    return state, "; ".join(says)


def _api(settings: Settings) -> tuple[str, str]:
    from assistant.keeping.keys import Keys, wants_key

    count = len(Keys(settings).list())
    keys = f"{count} key{'' if count == 1 else 's'}"
    if not wants_key(settings):
        return "ok", f"open to whoever reaches the page, {keys}"
    if not count:
        return "todo", "wants a key, and there is none; run `dateline keys add NAME`"
    return "ok", f"wants a key, {keys}"


def _slack(settings: Settings) -> tuple[str, str]:
    from assistant.doors.slack.channels import channels

    channels(settings.slack_channels)
    if settings.slack_app_token:
        return "ok", "over Socket Mode; run `dateline slack`"
    if settings.slack_signing_secret:
        return "ok", "events over HTTP at /slack/events, while `dateline chat` runs"
    return "todo", "set DATELINE_SLACK_APP_TOKEN or DATELINE_SLACK_SIGNING_SECRET too"


def _conversations(settings: Settings) -> tuple[str, str]:
    from assistant.keeping.database import reached

    return "ok", f"of the chat page, kept in {reached(settings)}"


def _network(settings: Settings) -> str:
    asked = {settings.engine, *settings.models} - {QUOTES}
    sent = "sentences of the articles go to the models above" if asked else "nothing is sent"
    return f"nothing is fetched, {sent}; the page listens on {settings.host}"


def _corpus(settings: Settings) -> tuple[str, str]:
    from indexing.reading.read import list_files

    files, failures = list_files(settings.corpus)
    if failures:
        first = failures[0]
        return "todo", f"{len(failures)} cannot be read, the first: {first.source}: {first.error}"
    if not files:
        return (
            "todo",
            f"{settings.corpus} holds no article; put .txt, .md, .html, .pdf... files there",
        )
    return "ok", f"{settings.corpus}, {len(files)} files"


def _index(settings: Settings) -> tuple[str, str]:
    from assistant.service import open_assistant
    from indexing.errors import IndexMissing

    try:
        assistant = open_assistant(settings)
    except IndexMissing as exc:
        return "todo", str(exc)
    try:
        sources = assistant.sources()
        where = f"{settings.index}, {len(sources)} articles"
        undated = sum(source.published is None for source in sources)
        return "ok", where + (f", {undated} of them without a date" if undated else "")
    finally:
        assistant.close()
