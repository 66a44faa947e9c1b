"""What is no question on content is told from what is, and its reply holds to an answer's contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from repository import write_files

from assistant.answering.desk import NONE_LEFT, reply
from assistant.answering.quotes import ENGINE, MOVED
from assistant.checking.quotes import QuoteVerifier
from assistant.doors.show.markdown import as_markdown
from assistant.doors.show.parts import lines
from assistant.doors.show.text import as_text
from assistant.question.foreign import _ENGLISH, _FUNCTION_WORDS
from assistant.question.tasks import Task, task_of
from assistant.schema import Answer, Status
from assistant.settings import Settings
from indexing.schema import Filters
from indexing.store.catalog import Catalog
from indexing.store.view import View
from indexing.sync import sync

AS_OF = date(2026, 11, 22)

SAID = {
    Task.GREETING: "hi | Hello there! | good morning | hey dateline | helo | HIII | Hello, how are you? | hey, what's up"
    " | Good evening everyone | hi there 👋 | hello dateline, nice to meet you",
    Task.THANKS: "thanks a lot | great, thank you | ok cool thx | Thank you so much for your help! | thanx | got it, thanks"
    " | perfect | that was helpful, thanks | much appreciated | cheers mate | great answer, thanks",
    Task.FAREWELL: "bye | Goodbye! | good night | see you later | thanks, bye | ok bye | have a nice day"
    " | That's all for now, thank you | cya",
    Task.HELP: "what can you do? | help | how do you work | who are you | how do I use this | hi, what can you do?"
    " | Can you help me? | please help | what can i ask? | could you tell me what you can do | are you a bot?"
    " | What kind of questions can I ask? | who r u | what else can you do | tell me about yourself | hlep",
    Task.SOURCES: "which articles do you have? | list your sources | how many articles are there? | what documents are loaded"
    " | show me the articles | What are your sources? | can you list the articles please | articles | whats in the corpus?"
    " | can I see the sources | how many docs are in the index? | show me a list of all the articles you have"
    " | where do you get your information from? | do you have any articles? | which publishers do you have?",
    Task.NEWS: "what's new? | latest news | any updates? | what's the latest | whats new | What is new today? | hi, any news?"
    " | do you have any news? | Show me the latest news | anything new? | what's the newest article? | today's headlines"
    " | how recent are the articles? | thanks! what's new? | lastest news pls",
    Task.SUMMARY: "summarise | tl;dr | TLDR | summarize the articles | give me an overview | what is this about? | summary please"
    " | can you summarise? | sumarize everything | give me a short summary of the articles | what do the articles say?"
    " | What are the main topics? | key points | could you give me a brief summary | what topics do you cover?",
    Task.FOREIGN: "Quand est la date limite ? | Qui a signé l'accord et quand ? | Was ist die Frist? | Wann wird die Brücke gebaut?"
    " | ¿Cuándo es la fecha límite? | quien firmo el acuerdo | Quando è la scadenza? | Quali sono i porti della lista"
    " | Quem assinou o acordo? | Wat is de deadline? | Wie heeft het verdrag getekend | Kiedy jest termin?"
    " | När är sista dagen? | Hvem har skrevet under på aftalen og hvorfor | Когда срок? | 締め切りはいつですか"
    " | ما هو الموعد النهائي؟ | Πότε είναι η προθεσμία;",
    Task.NOTHING: "??? | 👍 | ... | ! | ¿? | 🙏🙏",
}
QUESTIONS = """hi, when is the deadline? | thanks! and who signed it? | hey, what is the price of tin | ok so who won
 | good morning, how many ferries sank? | Hello Kitty | Good Morning Skagen | Goodbye Lenin | thank you note | Thanksgiving
 | tanks | morning star | bye-election | thanks, but when is it due?
 | What can you tell me about tariffs? | Who are you reporting on? | Help wanted figures? | help for farmers
 | can you help me understand quotas | how do tariffs work | How does it work? | what can you buy | what do you know about zinc
 | How does the program work? | who made the offer | who is this minister | what does this ferry carry
 | Which articles mention Japan? | How many articles mention Japan? | what documents did Quill sign? | list the countries
 | what are the sources of lithium | name the sources of the leak | what sources does the report cite
 | what articles of the treaty were changed | which documents are secret | how many sources confirmed it
 | new articles of association | how big is the index fund | How big is the collection? | Which documents are included? | name the newspapers | which companies are there | how many files were leaked
 | what is new about the plan | what's new in the deal with Vexholm? | latest news on lithium | latest news from Japan
 | any update on the strike? | What's the latest on tariffs | what happened | what is happening in Skagen
 | what is the latest offer | what is New Vexholm | please tell me when it starts
 | summarise the deal with Vexholm | give me an overview of the mine | tl;dr of the steel deal | what is this deal about?
 | What are the main points of the treaty | summarise it | what is article 5 about?
 | price floors | Tesla | USMCA | El Niño | memorandum | memorandom of understading | Ursula von der Leyen | Charles de Gaulle
 | Banco de la Nación | Rio de la Plata | van der Bellen | São Paulo | Côte d'Ivoire | Alternative für Deutschland
 | Médecins Sans Frontières | La Repubblica e il Corriere della Sera | Die Zeit und der Spiegel | c'est la vie
 | 5 pm EST at the UN | wat is the deadline | what ist the deadlne | Kim Jong Un | Wat Pho | Hasta la vista | qui bono | π
 | why | when? | yes | 2026 | 7"""


def each(phrases: str) -> list[str]:
    return [phrase.strip() for phrase in phrases.split(" | ")]


@pytest.mark.parametrize(
    ("text", "task"), [(text, task) for task, said in SAID.items() for text in each(said)]
)
def test_what_asks_nothing_of_the_articles_is_told_apart(text: str, task: Task) -> None:
    assert task_of(text) is task


@pytest.mark.parametrize("text", each(QUESTIONS))
def test_what_has_a_topic_of_its_own_is_a_question(text: str) -> None:
    assert task_of(text) is Task.QUESTION


@given(st.text(max_size=300) | st.sampled_from(each(QUESTIONS)).map(lambda text: text * 40))
def test_no_text_breaks_the_reading(text: str) -> None:
    assert task_of(text) in Task


@given(
    st.lists(
        st.sampled_from("good thanks ok hi the all of news you have please a list it in".split()),
        max_size=60,
    ).map(" ".join)
)
def test_courtesies_in_any_order_are_read(text: str) -> None:
    assert task_of(text) in Task


def test_words_that_tell_a_language_are_no_function_words_of_english() -> None:
    for language, (telling, others, shared) in _FUNCTION_WORDS.items():
        assert not (telling | others) & _ENGLISH, language
        assert not telling & others, language
        assert shared <= _ENGLISH, language


# The replies

STORM = (
    "Storm closes the Vexholm ferry [3]\n\n"
    "HARBOUR NOTES\n\n"
    "The Vexholm ferry stays in port until Friday, as the harbour board said [3]. "
    + " ".join(f"Ship {n} waited behind the northern breakwater of the port." for n in range(30))
)
ARTICLES: dict[str, str | bytes] = {
    "original.md": f"---\npublisher: The Lantern [2]\npublished: 2026-02-05\n---\n{STORM}",
    "repeat.md": f"---\ntitle: Ferry stays in port\npublished: 2026-02-06\n---\n{STORM}",
    "undated.txt": "Mill fire\n\nBy A. Quill\n\n- The mill at Brambleford burned down after dark. Nobody was hurt.",
}

Replying = Callable[..., Answer]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("desk")
    settings = replace(Settings(), corpus=folder / "corpus", index=folder / "index")
    write_files(settings.corpus, ARTICLES)
    sync(settings.corpus, settings)
    return settings


def replying_of(view: View, settings: Settings) -> Replying:
    verifier = QuoteVerifier()

    def replying(task: Task, asked: str = "Wann ist die Frist?", **more: Filters) -> Answer:
        answer = reply(task, asked, view, AS_OF, partial(verifier.holds, view), **more)
        check(answer, view)
        return answer

    return replying


@pytest.fixture
def replying(indexed: Settings) -> Iterator[Replying]:
    catalog = Catalog(indexed.index)
    with catalog.view() as view:
        yield replying_of(view, indexed)
    catalog.close()


def marks(text: str) -> set[int]:
    return {int(n) for n in re.findall(r"\[(\d+)\]", text)}


def check(answer: Answer, view: View) -> None:
    """What every answer owes its reader, whatever was asked."""
    assert answer.engine == ENGINE
    assert answer.text.strip()
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert marks(answer.text) == {c.number for c in answer.citations}
    if answer.status is Status.ANSWERED:
        assert answer.citations
        assert answer.confidence == 1.0
        assert answer.text == "\n\n".join(claim.text for claim in answer.claims)
    else:
        assert (answer.citations, answer.claims, answer.closest) == ((), (), ())
        assert answer.confidence == 0.0
    for claim in answer.claims:
        assert claim.citations
        assert marks(claim.text) == set(claim.citations)
    for c in answer.citations:
        raw = view.text_of(c.source)
        assert raw is not None
        assert raw[c.start : c.end] == c.quote
    shown = lines(answer.text, [c.number for c in answer.citations])
    assert {int(p.text) for line in shown for p in line.pieces if p.kind == "mark"} == marks(
        answer.text
    )
    assert as_text(answer, 80, AS_OF)
    assert as_markdown(answer)


@pytest.mark.parametrize("task", [task for task in Task if task is not Task.QUESTION])
def test_every_reply_keeps_the_contract_of_answers(replying: Replying, task: Task) -> None:
    of_articles = task in (Task.SOURCES, Task.NEWS, Task.SUMMARY)
    answer = replying(task, "as it was typed")
    assert answer.question == "as it was typed"
    assert (answer.status is Status.ANSWERED) is of_articles


def test_a_question_is_not_answered_here(replying: Replying) -> None:
    with pytest.raises(ValueError, match="question"):
        replying(Task.QUESTION)


def test_a_greeting_says_what_there_is_and_what_to_ask(replying: Replying) -> None:
    text = replying(Task.GREETING).text
    assert "3 articles, dated 5 to 6 February 2026 (1 without a date)" in text
    asked = text.partition("You could ask: ")[2]
    assert asked.startswith("What is reported in “Storm closes the Vexholm ferry [")
    assert task_of(asked) is Task.QUESTION


def test_help_says_how_to_limit_a_question_and_its_examples_work(replying: Replying) -> None:
    text = replying(Task.HELP).text
    assert "the 3 articles in this index" in text
    assert "“according to The Lantern [\u20602]” or “since February 2026”" in text
    asked = re.findall(r"^- (.+)$", text, re.MULTILINE)
    assert [task_of(example) for example in asked] == [
        Task.QUESTION,
        Task.QUESTION,
        Task.NEWS,
        Task.SOURCES,
    ]


def test_the_example_for_a_text_without_words_works(replying: Replying) -> None:
    asked = replying(Task.NOTHING).text.partition("such as: ")[2]
    assert task_of(asked) is Task.NEWS


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("Wann ist die Frist?", "German"),
        ("Quand est la date limite ?", "French"),
        ("¿Cuándo es la fecha límite?", "Spanish"),
        ("Quando è la scadenza?", "Italian"),
        ("Quem assinou o acordo?", "Portuguese"),
        ("Wat is de deadline?", "Dutch"),
        ("Kiedy jest termin?", "Polish"),
        ("När är sista dagen?", "Swedish"),
    ],
)
def test_another_language_is_named(replying: Replying, asked: str, language: str) -> None:
    text = replying(Task.FOREIGN, asked).text
    assert text == (
        f"This looks like {language}. I read questions in English only; please ask again in English."
    )


@pytest.mark.parametrize("asked", ["Когда срок?", "Hvem skal og hvordan"])
def test_a_language_that_could_be_two_is_not_named(replying: Replying, asked: str) -> None:
    assert task_of(asked) is Task.FOREIGN
    assert replying(Task.FOREIGN, asked).text.startswith("I read questions in English only")


def test_the_list_counts_and_names_every_article(replying: Replying) -> None:
    answer = replying(Task.SOURCES)
    assert [claim.text for claim in answer.claims] == [
        "**3 articles**, the newest of 6 February 2026. [1][2][3]",
        "**Ferry stays in port**, 6 February 2026"
        " (a copy of “Storm closes the Vexholm ferry [\u20603]”) [1]",
        "**Storm closes the Vexholm ferry [\u20603]**, The Lantern [\u20602], 5 February 2026 [2]",
        "**Mill fire**, no date [3]",
    ]
    assert [c.quote for c in answer.citations] == [
        "Ferry stays in port",
        "Storm closes the Vexholm ferry [3]",
        "Mill fire",
    ]


def test_the_news_are_the_openings_of_the_newest_day(replying: Replying) -> None:
    answer = replying(Task.NEWS)
    assert [claim.text for claim in answer.claims] == [
        "**6 February 2026** (289 days ago) is the newest article's date. [1]",
        "The Vexholm ferry stays in port until Friday, as the harbour board said [\u20603]. [1]",
    ]
    assert answer.citations[0].source == "repeat.md"


def test_a_summary_hears_every_voice_once(replying: Replying) -> None:
    answer = replying(Task.SUMMARY)
    assert [claim.text for claim in answer.claims] == [
        "The Vexholm ferry stays in port until Friday, as the harbour board said [\u20603]. [1]",
        "The mill at Brambleford burned down after dark. [2]",
    ]
    assert [c.source for c in answer.citations] == ["original.md", "undated.txt"]


def test_replies_keep_to_the_filters(replying: Replying) -> None:
    undated = replying(Task.SOURCES, filters=Filters(source="undated*"))
    assert undated.claims[0].text == "**1 article**, undated. [1]"
    news = replying(Task.NEWS, filters=Filters(source="undated*"))
    assert news.claims[0].text.startswith("No article has a date")
    copy = replying(Task.SOURCES, filters=Filters(source="repeat*"))
    assert "(a copy of original.md)" in copy.text


@pytest.mark.parametrize("task", [task for task in Task if task is not Task.QUESTION])
def test_with_every_article_left_out_no_reply_fails(replying: Replying, task: Task) -> None:
    answer = replying(task, filters=Filters(source="nothing"))
    assert answer.status is Status.NOT_IN_CORPUS
    if task in (Task.GREETING, Task.HELP, Task.SOURCES, Task.NEWS, Task.SUMMARY):
        assert NONE_LEFT in answer.text


def test_an_index_without_articles_says_what_to_do(settings: Settings) -> None:
    write_files(settings.corpus, {"a.txt": "The mill at Brambleford burned down after dark."})
    sync(settings.corpus, settings)
    (settings.corpus / "a.txt").unlink()
    sync(settings.corpus, settings)
    catalog = Catalog(settings.index)
    with catalog.view() as view:
        replying = replying_of(view, settings)
        for task in (Task.GREETING, Task.HELP, Task.SOURCES, Task.NEWS, Task.SUMMARY):
            assert "run dateline index" in replying(task).text
    catalog.close()


def test_a_file_that_changed_is_left_out_and_many_articles_are_counted(settings: Settings) -> None:
    numbers = "one two three four five six seven eight nine ten eleven twelve thirteen".split()
    day = "---\npublished: 2026-03-01\n---\n"
    files = {
        f"{n:02}.md": f"{day}Report {word}\n\nFerry {word} of the fleet left harbour {word} at noon."
        for n, word in enumerate(numbers)
    }
    write_files(settings.corpus, dict(files))
    sync(settings.corpus, settings)
    (settings.corpus / "00.md").write_text("Gone.")
    catalog = Catalog(settings.index)
    with catalog.view() as view:
        replying = replying_of(view, settings)
        listed = replying(Task.SOURCES)
        assert listed.claims[0].text.startswith(
            "**The 12 newest of 13 articles**, the newest of 1 March 2026; 1 left out"
        )
        assert len(listed.citations) == 11
        news = replying(Task.NEWS)
        assert "; 2 of that day's 13." in news.claims[0].text
        assert all(c.source != "00.md" for c in news.citations)
        for path in settings.corpus.iterdir():
            path.write_text("Gone.")
        for task in (Task.SOURCES, Task.NEWS, Task.SUMMARY):
            assert replying(task).text == MOVED
    catalog.close()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"title": "The \\"quay\\" strike", "text": "It rained all day at the quay."}'),
        ("a.txt", "港が閉鎖された。\n\n風が強い。"),
        ("a.txt", "Fog."),
        ("a.md", "# Fog *and* rain [1] **on** the quay\n\n* First point of the morning list."),
        ("a.txt", "A\n\nB [1]\n\n[2] [3]"),
    ],
)
def test_odd_articles_are_listed_and_quoted(settings: Settings, name: str, content: str) -> None:
    write_files(settings.corpus, {name: content})
    sync(settings.corpus, settings)
    catalog = Catalog(settings.index)
    with catalog.view() as view:
        replying = replying_of(view, settings)
        for task in (Task.SOURCES, Task.NEWS, Task.SUMMARY):
            assert replying(task).status is Status.ANSWERED
        replying(Task.GREETING)
        replying(Task.HELP)
    catalog.close()
