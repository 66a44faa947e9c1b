"""One `ask()` for every front door: understand, retrieve, rerank, answer, verify, cite.

The steps are LangChain runnables over a LangChain retriever; each question reads one snapshot of
the index, so that a run of `dateline index` beside it is seen whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from assistant.answering.desk import about
from assistant.answering.engines import Call, Engines, shown_name
from assistant.answering.steps import Laps, State, Steps
from assistant.checking.quotes import QuoteVerifier
from assistant.finding.find import Finder, KnownArticles, Search, Snapshot
from assistant.finding.rerank import Reranker, open_reranker
from assistant.finding.retrieve import Retriever, as_langchain
from assistant.finding.support import signals
from assistant.question import turns
from assistant.schema import Answer, Claim, Evidence, Hit
from assistant.settings import QUOTES, SEARCH, Settings
from assistant.suggesting import follow_ups
from indexing.embed import Embedder, open_embedder
from indexing.errors import CorpusError, DatelineError, SettingsError
from indexing.reading.clean import searchable
from indexing.schema import EVERYTHING, Filters, SourceInfo
from indexing.store.catalog import Catalog
from indexing.store.joined import JoinedCatalog, Originals
from indexing.store.tables import check_meta, read_meta
from indexing.store.vectors import VectorReader
from indexing.store.view import View

if TYPE_CHECKING:
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import Runnable

LONGEST_QUESTION = 4_000
"""Characters of a question that are read."""
QUOTED = 3
"""The most sentences quoted, where a question does not say."""
MOST_QUOTES = 10
"""The most a question may ask for."""
STARTERS = 4
STARTERS_FROM = 12
"""The newest articles that questions to begin with are looked for in."""
ASK_TAKES = ("question", "history", "filters", "as_of", "engine", "max_quotes")
"""What a question asked of `Assistant.as_runnable` may hold."""


@dataclass(frozen=True, slots=True)
class Examined:
    """For each part of a question the sentences found, best first, and the signals of support;
    `joint` parts are clauses of one question."""

    evidence: tuple[tuple[Evidence, ...], ...]
    signals: tuple[dict[str, float], ...]
    joint: bool


class Assistant:
    """Answers questions from one index, and from others beside it (see `joined`). Safe to share
    between threads."""

    def __init__(
        self,
        catalog: Catalog,
        vectors: VectorReader,
        embedder: Embedder,
        reranker: Reranker | None,
        settings: Settings,
    ) -> None:
        self._main = catalog
        self._beside: tuple[Path, ...] = ()
        self._catalog: Catalog | JoinedCatalog = catalog
        self._originals = Originals()
        self._vectors = vectors
        self._embedder = embedder
        self._reranker = reranker
        self._settings = settings
        self._verifier = QuoteVerifier()
        self._engines = Engines(settings, embedder)
        self._articles = KnownArticles()
        self._openings = follow_ups.Openings(self._made_openings)

    @property
    def embedder(self) -> Embedder:
        """What its index is embedded with."""
        return self._embedder

    def joined(self, *indexes: Path) -> Assistant:
        """An assistant that answers from these indexes as well, as if all were one; a folder that is
        no index, or none yet, adds nothing.

        It shares everything with this one, and costs nothing to make or to forget; it is of use until
        this one is closed.
        """
        other = copy(self)
        other._beside = (*self._beside, *indexes)
        other._catalog = JoinedCatalog(self._main, other._beside, self._originals)
        return other

    def ask(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        filters: Filters | None = None,
        as_of: date | None = None,
        engine: str | None = None,
        max_quotes: int | None = None,
    ) -> Answer:
        """The answer to `question`; `history` holds earlier (question, answer) turns, oldest first.

        `as_of` is the day deadlines are measured against, today unless given; `engine` is "quotes"
        or a chat model, and `max_quotes` (1 to MOST_QUOTES) the most sentences quoted, QUOTED
        unless given.
        Raises SettingsError for an empty question or an engine there is not, StoreError when the
        index cannot be read. A model that fails is no error: the answer is quoted, and says so.
        """
        *_, answer = self.stream(question, history, filters, as_of, engine, max_quotes=max_quotes)
        assert isinstance(answer, Answer)
        return answer

    def stream(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        filters: Filters | None = None,
        as_of: date | None = None,
        engine: str | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        max_quotes: int | None = None,
    ) -> Iterator[Claim | Answer]:
        """The verified claims as they are ready, then the whole answer.

        The answer may hold other claims than those that came before it, where a model failed on the
        way. Once `cancelled` is true a model is asked no further, and what holds by then is the answer.
        """
        if not question.strip():
            raise SettingsError("the question is empty")
        if max_quotes is not None and not 1 <= max_quotes <= MOST_QUOTES:
            raise SettingsError(f"max_quotes must be 1 to {MOST_QUOTES}, got {max_quotes}")
        question = question[:LONGEST_QUESTION]
        day = as_of or date.today()
        call = self._engines.call(engine or self._settings.engine, cancelled)
        with self._catalog.view() as view:
            steps = self._steps(view, filters or EVERYTHING, day, call, max_quotes)
            found = steps.chain().invoke(State(question, searchable(question), tuple(history)))
        if call is None or not found.answering:
            yield from found.answer.claims
            yield replace(found.answer, model=call.use) if call and call.use else found.answer
            return
        yield from self._engines.written(call, found, day)

    def examine(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        filters: Filters | None = None,
    ) -> Examined:
        """What an answer to `question` would rest on, before it is decided whether to give one."""
        with self._catalog.view() as view:
            parts = turns.read(searchable(question[:LONGEST_QUESTION]), history)
            search = self._retriever(view).search
            finder = self._finder(view, search, filters or EVERYTHING, date.today())
            found = [finder.find(text, parts) for text in parts.texts]
            measured = tuple(signals(f.question, f.evidence, view.rarity) for f in found)
            return Examined(tuple(f.evidence for f in found), measured, parts.joint)

    def search(self, query: str, k: int = 10, filters: Filters | None = None) -> list[Hit]:
        """The `k` best passages for `query`, best first."""
        if not query.strip():
            raise SettingsError("the query is empty")
        with self._catalog.view() as view:
            retriever = self._retriever(view, self._reranker)
            return retriever.search(searchable(query[:LONGEST_QUESTION]), k, filters)

    def check_index(self) -> None:
        """Raises StoreError where the index cannot be read."""
        with self._main.view():
            pass

    def sources(self) -> list[SourceInfo]:
        """The articles of the index, sorted by source."""
        with self._catalog.view() as view:
            return view.sources()

    def source(self, source: str) -> SourceInfo:
        """The article `source`; CorpusError for an unknown one."""
        with self._catalog.view() as view:
            found = view.sources(Filters(sources=(source,)))
        if not found:
            raise _unknown(source)
        return found[0]

    def source_text(self, source: str) -> str:
        """The characters that citations of `source` point into; CorpusError for an unknown one."""
        with self._catalog.view() as view:
            text = view.text_of(source)
        if text is None:
            raise _unknown(source)
        return text

    def original(self, source: str) -> Path | None:
        """The file of `source` as it was indexed; None where it has changed or gone, and for an
        article that is only a part of its file."""
        with self._catalog.view() as view:
            return view.original(source)

    def starters(self, most: int = STARTERS) -> list[str]:
        """Questions to begin with on the newest articles of the main index, at once: those that are made
        in the background, and until then, or where there are too few, about the titles of others."""
        with self._main.view() as view:
            newest, generation = self._newest(view), view.generation
        made = self._openings.known(generation)
        questions = [made[info.source] for info in newest if info.source in made]
        questions += [about(info.title) for info in newest if info.source not in made]
        return list(dict.fromkeys(questions))[:most]

    def warm(self) -> None:
        """Makes now what the first reader would wait for later: the parser of `follow_ups`, and the
        starters."""
        follow_ups.warm()
        with self._main.view() as view:
            generation = view.generation
        self._openings.make(generation)

    def _newest(self, view: View) -> list[SourceInfo]:
        """The articles that repeat no other, newest first."""
        articles = (
            info for info in self._articles.of(view, EVERYTHING) if info.voice == info.source
        )
        return sorted(
            articles, key=lambda info: (info.published or date.min, info.source), reverse=True
        )

    def _made_openings(self, cancelled: Callable[[], bool]) -> dict[str, str]:
        """A question by the source of each of the newest articles that has a good one."""

        def ask(question: str) -> Answer:
            return self.ask(question, engine=QUOTES)

        with self._main.view() as view:
            newest = self._newest(view)[:STARTERS_FROM]
            return follow_ups.opening(view, newest, ask, cancelled, STARTERS)

    def check_engine(self, engine: str) -> None:
        """Raises SettingsError where there is no such engine, or it lacks a package or a key."""
        self._engines.call(engine, lambda: False)

    def engines(self) -> list[str]:
        """The engines on offer, the one in use first: `quotes`, and the chat models of the settings by
        their names alone, for an address may hold a password."""
        on_offer = (self._settings.engine, *self._settings.models, QUOTES)
        return list(dict.fromkeys(map(shown_name, on_offer)))

    def follow_ups(
        self,
        answer: Answer,
        history: Sequence[tuple[str, str]] = (),
        filters: Filters | None = None,
        most: int = 3,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[str]:
        """At most `most` questions to ask after `answer`, which the articles answer with something new;
        `history` holds the turns before it. No model is asked. Once `cancelled` is true, none."""
        with self._catalog.view() as view:
            sentences = follow_ups.unquoted(view, answer)

        def ask(question: str) -> Answer:
            return self.ask(question, filters=filters, engine=QUOTES)

        return follow_ups.suggested(answer, history, sentences, ask, most, cancelled)

    def as_retriever(self, k: int = 10, filters: Filters | None = None) -> BaseRetriever:
        """Its search as a LangChain retriever of the `k` best passages, for chains of other people's;
        what its documents hold is said at `retrieve.as_langchain`."""
        return as_langchain(lambda query: self.search(query, k, filters))

    def as_runnable(self) -> Runnable[str | Mapping[str, Any], Answer]:
        """`ask` as a LangChain runnable: a question in, its Answer out; or a mapping of `question`
        and, where wanted, the other arguments of `ask` by their names."""
        from langchain_core.runnables import RunnableLambda

        def ask(asked: str | Mapping[str, Any]) -> Answer:
            if isinstance(asked, str):
                return self.ask(asked)
            if "question" not in asked:
                raise SettingsError('what is asked has no "question"')
            if strange := asked.keys() - ASK_TAKES:
                raise SettingsError(
                    f"a question takes {', '.join(ASK_TAKES)}, and not {min(strange)!r}"
                )
            return self.ask(**asked)

        return RunnableLambda(ask, name="dateline")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets the index go; on a joined assistant it does nothing."""
        if self._catalog is self._main:
            self._openings.close()
            self._vectors.close()
            self._main.close()

    def _holds(self, view: View, source: str, start: int, end: int, quote: str) -> bool:
        """Whether a quote stands in its file, by the index that holds it."""
        home, own = view.home_of(source)
        return self._verifier.holds(home, own, start, end, quote)

    def _retriever(self, view: View, reranker: Reranker | None = None) -> Retriever:
        return Retriever(Snapshot(view, self._vectors), self._embedder, reranker)

    def _finder(self, view: View, search: Search, filters: Filters, as_of: date) -> Finder:
        articles = self._articles.of(view, filters)
        return Finder(view, search, self._reranker, articles, filters, as_of)

    def _steps(
        self, view: View, filters: Filters, as_of: date, call: Call | None, most: int | None
    ) -> Steps:
        """The steps of one question; they search through LangChain's retriever."""
        retriever, laps = self._retriever(view), Laps()

        def search(text: str, k: int, within: Filters) -> list[Hit]:
            found = as_langchain(partial(retriever.search, k=k, filters=within), with_hit=True)
            return [document.metadata["hit"] for document in found.invoke(text)]

        return Steps(
            self._finder(view, laps.timed("retrieve", search), filters, as_of),
            partial(self._holds, view),
            call,
            SEARCH in self._settings.helps,
            most or QUOTED,
            laps,
        )


def _unknown(source: str) -> CorpusError:
    return CorpusError(f"there is no article {source!r} in the index")


def open_assistant(settings: Settings | None = None, **changes: Any) -> Assistant:
    """The assistant of the index at `settings.index`, with the models that `settings` name.

    Without settings they are those of the command line: the environment's and `.env`'s. `changes`
    are fields of Settings by their names, such as `index="…"` or `engine="…"`, and win over both.
    Raises IndexMissing, IndexMismatch, SettingsError.
    """
    settings = _settings(settings, changes)
    meta = read_meta(settings.index)
    embedder = open_embedder(settings.embedder, settings.threads)
    check_meta(meta, settings.index, embedder.name, embedder.dimension)
    opened = Assistant(
        Catalog(settings.index),
        VectorReader(settings.index),
        embedder,
        open_reranker(settings.reranker, settings.threads),
        settings,
    )
    try:
        opened.check_engine(settings.engine)
    except DatelineError:
        opened.close()
        raise
    return opened


def _settings(settings: Settings | None, changes: Mapping[str, Any]) -> Settings:
    known = {field.name: field for field in fields(Settings)}
    if strange := changes.keys() - known:
        raise SettingsError(f"there is no setting {min(strange)!r}")
    given = {
        name: Path(value) if isinstance(known[name].default, Path) else value
        for name, value in changes.items()
    }
    if settings is None:
        from indexing.settings import environment

        return Settings.from_env(environment(), **given)
    if not given:
        return settings
    whole = {name: getattr(settings, name) for name in known}
    return Settings.from_env({}, **(whole | given))
