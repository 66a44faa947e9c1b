"""Limits stated in a question: whose articles, of which days; and what only looks like one."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.question.limits import Limits, limits
from indexing.schema import EVERYTHING, Filters, SourceInfo

TODAY = date(2026, 2, 11)  # a Wednesday
TITLE = "“Ferry crews end their strike after nine days”"


def article(source: str, publisher: str | None, title: str = "Untitled") -> SourceInfo:
    return SourceInfo(source, title, publisher, None, None, "en", None, "utf-8", source, 1)


CORPUS = (
    article("001_ferry.txt", "The Lantern", "Ferry crews end their strike after nine days"),
    article("002_tolls.txt", "Harbour Post", "Harbour tolls rise in spring, port chief warns"),
    article("news/tram.md", "Quill", "Council votes for the northern tram line"),
    article("005.txt", "Zest | World Gardening Leader"),
    article("006.txt", "The Northern Coast Times"),
    article("007.txt", "QRX News"),
    article("008.txt", "Drumlin.com"),
    article("009.txt", "The Prospect - Travel"),
    article("010.txt", "The Prospect - Life and Style"),
    article("011.txt", None),
    article("feed/week.jsonl#1", "Harbour Post"),
    article("feed/week.jsonl#2", "Harbour Post"),
    article("odd_[1].txt", "Quill", "Night trams return to [all] of Leeds"),
)


def asked(question: str, filters: Filters = EVERYTHING) -> Limits:
    return limits(question, filters, CORPUS, TODAY)


@pytest.mark.parametrize(
    "question",
    """As Quill reported, what did it cost?|As reported by Quill in May's issue, who won?|What does Quill say about trams?
    |what did quill report about trams|Did Quill report that trams run late?|Why? Quill reported that trams are late.
    |As Quill tells it, who voted?|What did it cost, as Quill has it?|In the Quill article, who voted?|Who voted in another Quill story?|Who voted in Quill's report?
    |What does the 'Quill' article say?|What does 'Quill' coverage say?|What does the article from Quill about trams say?
    |Says the report published by Quill so?|What was reported in Quill?|Does the latest Quill piece on trams say so?
    |Who, according to “Quill”, gave in?|In the article by Quill, who won?|Why did X not go, according to Quill?""".split("|"),
)  # fmt: skip
def test_a_publisher_named_as_a_source_limits(question: str) -> None:
    found = asked(question)
    assert (found.filters, found.said) == (Filters(publishers=("Quill",)), ("from Quill",))
    assert not found.missing


@pytest.mark.parametrize(
    ("name", "publisher"),
    [
        *(("quill", "Quill"), ("the lantern", "The Lantern"), ("THE LANTERN", "The Lantern")),
        *(("Lantern", "The Lantern"), ("QRX", "QRX News"), ("002_tolls.txt", None)),
        ("Zest", "Zest | World Gardening Leader"),
        ("'Zest | World Gardening Leader'", "Zest | World Gardening Leader"),
        ("the Northern Coast Times", "The Northern Coast Times"),
        ("NCT", "The Northern Coast Times"),
        *(("drumlin.com", "Drumlin.com"), ("Drumlin", "Drumlin.com")),
    ],
)
def test_publishers_are_known_by_the_names_people_use(name: str, publisher: str | None) -> None:
    found = asked(f"according to {name}, what rose?")
    assert found.text == "what rose?"
    assert found.filters.publishers == ((publisher,) if publisher else ())
    shared = asked("According to The Prospect, what rose?").filters.publishers
    assert shared == ("The Prospect - Life and Style", "The Prospect - Travel")


@pytest.mark.parametrize(
    "question",
    """What do The Lantern and Quill say about trams?|How do The Lantern and Quill differ on trams?
    |Who rode trams in the Lantern article and the Quill article?|Do the Lantern and Quill articles name riders?
    |Does The Lantern report the same fare as Quill?|As reported by both The Lantern and Quill, who won?""".split("|"),
)  # fmt: skip
def test_all_publishers_named_count(question: str) -> None:
    found = asked(question)
    assert found.filters.publishers == ("The Lantern", "Quill")
    assert found.said == ("from The Lantern or Quill",)


@pytest.mark.parametrize(
    "question",
    """Who bought The Lantern?|What does the editor of Quill say about pay?|According to Quill's founder, who won?
    |According to Quill Robotics, who is first?|According to Quill and Ada Moor, who voted?|What does the New Quill article say?
    |Did Nimbus and Quill report a deal?|Why did The Lantern and Quill agree to merge?|Who, not according to Quill, voted?
    |What do articles not from Quill say?|What does it say other than the Quill article?|Did Nimbus report a loss?
    |Why did a lantern report to the harbour fall?|What does Ada say of a prospect report on Leeds?
    |What does the Mexico article say?|What does “spring” mean?|Who said “tolls rise”?|What is in 099_other.txt?
    |How many trams ran in 2026?|What is a 005-type tram?|What happened on 4 February?|What was agreed before March?
    |What did Nimbus report in January?|What did the jobs report in March show?|What did the news on 4 February talks say?
    |How many cases were reported before 5 February?|Which books were published before 1990?
    |How much dental coverage in 2026 does the plan give?|How many stories in the 2020 building burned?
    |How did markets react to the news on 4 February?|What did articles not published before March say?
    |What does Article 5 of the 2024 treaty say?|Which articles since the last of the talks name riders?""".split("|"),
)  # fmt: skip
def test_what_is_only_talked_about_does_not_limit(question: str) -> None:
    assert asked(question) == Limits(question, EVERYTHING)


@pytest.mark.parametrize(
    ("question", "filters"),
    [
        ("Who gave in, in 001_ferry.txt?", Filters("001_ferry.txt")),
        ("Who gave in, in 001_FERRY?", Filters("001_ferry.txt")),
        ("Who won in tram.md?", Filters("news/tram.md")),
        ("Who won in week.jsonl?", Filters("feed/week.jsonl#*")),
        (f"In {TITLE}, who gave in?", Filters("001_ferry.txt")),
        (f"In the Lantern article {TITLE}, who gave in?", Filters("001_ferry.txt")),
        ('Does "Night trams return to [all] of Leeds" say so?', Filters("odd_[[]1].txt")),
        ("Do 001_ferry.txt and tram.md agree?", Filters(publishers=("The Lantern", "Quill"))),
    ],
)
def test_a_file_or_a_title_limits_to_the_article(question: str, filters: Filters) -> None:
    assert asked(question).filters == filters


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("What does the Reuters article say about trams?", ["Reuters"]),
        ("What does the article from Reuters say about trams?", ["Reuters"]),
        ("What does the story published by the Vale Gazette say?", ["Vale Gazette"]),
        ("Do the BBC News article and a Vale Gazette report agree?", ["BBC News", "Vale Gazette"]),
        *(("What does the NC Times article say?", []), ("According to Reuters, who voted?", [])),
        *(("What does the Chile article say?", []), ("What does the report by the IMF say?", [])),
        ("What does the article by Ada Moor say?", []),
        ("What do articles not from Reuters say?", []),
    ],
)
def test_a_source_that_is_not_held_is_named(question: str, missing: list[str]) -> None:
    assert asked(question) == Limits(question, EVERYTHING, missing=tuple(missing))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Which articles published before March name riders?", "before 1 March 2026"),
        ("What is the news from 4 february about trams", "on 4 February 2026"),
        ("What was reported before 5 February about trams?", "before 5 February 2026"),
        ("Do stories between 4 and 6 February mention trams?", "from 4 to 6 February 2026"),
        ("Do articles from January to March 2025 say so?", "from January to March 2025"),
        ("Do articles from January onwards say so?", "since 1 January 2026"),
        ("Do articles about trams published in 2025 say so?", "in 2025"),
        ("Do articles after 1 February and before 9 February say so?", "from 2 to 8 February 2026"),
        ("Do articles from January and articles until 6 February agree?", "before 7 February 2026"),
        ("Which articles since 20 May name riders?", "since 20 May 2025"),
        ("Do articles from earlier than 9 February say so?", "before 9 February 2026"),
        ("Do articles later than 3 February say so?", "since 4 February 2026"),
    ],
)
def test_a_time_of_publication_limits(question: str, said: str) -> None:
    found = asked(question)
    assert (found.text, found.said) == (question, (f"published {said}",))


@pytest.mark.parametrize(
    "question",
    """{}, in articles published since Monday?|In reports since Monday, {}?|As reported since Monday, {}?
    |Published since Monday, {}?|{} in the Quill articles since Monday?|As Quill reported since Monday, {}?
    |{}, as reported by Quill since Monday?|According to Quill articles published since Monday, {}?""".split("|"),
)  # fmt: skip
def test_a_phrase_that_only_limits_is_taken_out(question: str) -> None:
    found = asked(question.format("who rode trams").strip())
    assert (found.text, found.filters.since) == ("who rode trams?", date(2026, 2, 9))
    assert found.filters.publishers == (("Quill",) if "Quill" in question else ())
    assert asked("According to The Lantern").text == "According to The Lantern"


def test_what_the_caller_asked_for_is_only_narrowed() -> None:
    own = Filters("news/*", date(2026, 2, 3), date(2026, 2, 6), ("Quill", "Harbour Post"))
    assert asked("What do The Lantern and Quill say?", own).filters.publishers == ("Quill",)
    for question in ("According to The Lantern, who won?", "Who won, in 001_ferry.txt?"):
        assert asked(question, own) == Limits(question, own)
    assert asked("Do articles since January say so?", own).filters == own
    assert asked("Do articles before 5 February say so?", own).filters.until == date(2026, 2, 4)


PIECES = st.sampled_from(
    """According to|The Lantern|Quill|,|what|who|'s|in the|article|articles|report|published|before|since|from|to|between
    |and|5 February|2026|last week|Monday|(|?|'|“|001_ferry.txt|as|reported|not|on|by|Reuters|says|news|May|31 December 9999
    |1 January 1500|does|trams|onwards|“Ferry crews end their strike after nine days”""".split("|")
)  # fmt: skip
QUESTIONS = st.one_of(st.text(max_size=99), st.lists(PIECES, min_size=1, max_size=14).map(" ".join))
DAYS = st.none() | st.dates()
Day = date | None


@given(QUESTIONS, DAYS, DAYS, st.dates())
def test_limits_only_narrow(question: str, since: Day, until: Day, today: date) -> None:
    found = limits(question, Filters(since=since, until=until), CORPUS, today)
    assert found.text.strip() or not question.strip()
    assert since is None or (found.filters.since is not None and found.filters.since >= since)
    assert until is None or (found.filters.until is not None and found.filters.until <= until)
    assert {info.publisher for info in CORPUS}.issuperset(found.filters.publishers)
    assert found.said or found.filters == Filters(since=since, until=until)
