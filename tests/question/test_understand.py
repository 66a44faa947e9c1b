"""Reading a question that stands on its own: what it asks for, and which words must be supported."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.language.words import content_terms, stem
from assistant.question.question import Wanted
from assistant.question.spelling import respelled, spelled_out
from assistant.question.understand import understand


def spelled(question: str, texts: list[str]) -> str:
    return spelled_out(understand(question), texts).text


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("When did the ferry sink?", Wanted.DATE),
        ("What is the filing deadline?", Wanted.DATE),
        ("By what date must the bridge be closed?", Wanted.DATE),
        ("In which month was the mayor elected?", Wanted.DATE),
        ("whats the due date", Wanted.DATE),
        ("How long is the strike going to last?", Wanted.DURATION),
        ("How much did the stadium cost?", Wanted.AMOUNT),
        ("What was the price of wheat?", Wanted.AMOUNT),
        ("What share of voters stayed at home?", Wanted.SHARE),
        ("How many ships were built?", Wanted.COUNT),
        ("Who chairs the board?", Wanted.PERSON),
        ("Where was the treaty signed?", Wanted.PLACE),
        ("Why did the bank fail?", Wanted.REASON),
        ("Did the bank fail?", Wanted.YES_NO),
        ("Compare the two reports on wages", Wanted.COMPARISON),
        ("price floors", Wanted.DESCRIPTION),
    ],
)
def test_the_kind_of_answer_is_read_from_the_question(question: str, wanted: Wanted) -> None:
    assert understand(question).wanted is wanted


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("When did the minister who signed the deal resign?", Wanted.DATE),
        ("Where is the minister who resigned from?", Wanted.PLACE),
        ("Why did the man who won leave?", Wanted.REASON),
        ("How much did the company that won pay?", Wanted.AMOUNT),
        ("Who was the leader when the wall fell?", Wanted.PERSON),
        ("In which state was the plant built?", Wanted.PLACE),
        ("To whom was it sold?", Wanted.PERSON),
        ("For how long is the permit valid?", Wanted.DURATION),
        ("The plant was built when?", Wanted.DATE),
        ("The minister who resigned last week is from where?", Wanted.PLACE),
        ("The plant that closed was owned by which company?", Wanted.BODY),
        ("Do you know when the bridge opens?", Wanted.DATE),
        ("Tell me who built the bridge", Wanted.PERSON),
    ],
)
def test_the_kind_is_read_where_the_question_is_asked(question: str, wanted: Wanted) -> None:
    assert understand(question).wanted is wanted


@pytest.mark.parametrize(
    "question",
    [
        "Which company bought the mine?",
        "What law bans whaling?",
        "Which newspaper reported it?",
        "Which two northern banks failed?",
    ],
)
def test_a_company_a_law_or_a_paper_is_asked_for_as_a_body(question: str) -> None:
    assert understand(question).wanted is Wanted.BODY


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("summarise the deal with Japan", "the deal with Japan"),
        ("Please summarize the harbour treaty.", "the harbour treaty"),
        ("tell me about Harland", "Harland"),
        ("latest news on Harland", "Harland"),
        ("What's the latest on the Harland ferry?", "the Harland ferry"),
        ("any updates on the strike?", "the strike"),
        ("What do the articles say about Harland?", "Harland"),
        ("overview of the treaty", "the treaty"),
        ("price floors", "price floors"),
    ],
)
def test_a_subject_alone_is_a_topic(question: str, subject: str) -> None:
    read = understand(question)
    assert read.is_topic
    assert read.text == subject
    assert read.wanted is Wanted.DESCRIPTION


@pytest.mark.parametrize(
    "question", ["Who runs Harland?", "tell me about who built it", "What does Harland build?"]
)
def test_what_is_asked_outright_is_no_topic(question: str) -> None:
    read = understand(question)
    assert not read.is_topic
    assert read.text == question


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Has the deadline passed?", "When is the deadline?"),
        ("has the filing deadline already expired?", "When is the filing deadline?"),
        ("Has the deadline for the treaty passed?", "When is the deadline for the treaty?"),
        ("Has the treaty's deadline passed yet?", "When is the treaty's deadline?"),
        ("Is the vote still ahead?", "When is the vote?"),
        ("Is the auction over yet?", "When is the auction?"),
    ],
)
def test_whether_a_time_has_passed_asks_for_that_time(question: str, text: str) -> None:
    read = understand(question)
    assert read.text == text
    assert read.wanted is Wanted.DATE


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Has the deadline passed?", True),
        ("When is the report due?", True),
        ("By when must it be built?", True),
        ("When was the report published?", False),
        ("Who set the deadline?", False),
    ],
)
def test_a_deadline_is_told_from_any_other_day(question: str, asks: bool) -> None:
    assert understand(question).asks_deadline is asks


@pytest.mark.parametrize(
    ("question", "matter"),
    [
        ("Compare what the articles say about wages", "wages"),
        ("Do the articles agree on wages?", "wages"),
        ("How do the reports differ on the Harland ferry?", "the Harland ferry"),
        ("What is the difference between Japan and Mexico?", "Japan and Mexico"),
        ("Compare", "Compare"),
    ],
)
def test_of_a_comparison_its_matter_is_left(question: str, matter: str) -> None:
    read = understand(question)
    assert read.wanted is Wanted.COMPARISON
    assert read.text == matter


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Did Bo Lund pay 40 dollars?", {"bo", "lund", "40"}),
        ("Harland closed which port?", set()),
        ("Is it true? Harland closed", set()),
        ("the Mexican ferry", {"mexican"}),
        ("Harland ferry", {"harland"}),
        ("WHAT DID HARLAND BUILD", set()),
        ("What Did Harland Build", set()),
        ("What is the 30-day rule?", {"30-day"}),
    ],
)
def test_names_are_numbers_and_capitals_that_begin_no_question(
    question: str, names: set[str]
) -> None:
    assert set(understand(question).names) == names


@pytest.mark.parametrize(
    ("question", "term", "other"),
    [
        ("What did the Mexican crews sign?", "mexican", "mexico"),
        ("What did crews of Mexico sign?", "mexico", "mexican"),
        ("What did the Netherlands say?", "netherlands", "dutch"),
        ("What did the Dutch say?", "dutch", "netherlands"),
        ("What did Wales say?", "wales", "welsh"),
    ],
)
def test_a_people_and_its_country_stand_for_each_other(
    question: str, term: str, other: str
) -> None:
    read = understand(question)
    assert read.is_supported(term, {stem(other)})
    assert read.is_supported(term, {stem(term)})
    assert not read.is_supported(term, {"canada", "canadian"})


SPELLED = [
    "Australia signed the agreement with the harbour ministry.",
    "The Northern Star sails from Tallinn.",
]


def mended(question: str, *known: str) -> tuple[str, dict[str, str]]:
    read, put = respelled(understand(question), SPELLED, lambda word: word in known)
    return read.text, put


@pytest.mark.parametrize(
    ("question", "text", "put"),
    [
        (
            "When was the agreemnt signed?",
            "When was the agreement signed?",
            {"agreemnt": "agreement"},
        ),
        ("what did australa sign?", "what did Australia sign?", {"australa": "Australia"}),
        ("who heads the miinstry", "who heads the ministry", {"miinstry": "ministry"}),
    ],
)
def test_a_slip_is_mended_as_the_texts_spell_it(
    question: str, text: str, put: dict[str, str]
) -> None:
    assert mended(question, "signed", "heads", "sign") == (text, put)


def test_a_word_that_some_article_has_is_not_mended() -> None:
    question = "When was the agreemnt signed?"
    assert mended(question, "agreemnt", "signed") == (question, {})


@pytest.mark.parametrize(
    "question",
    [
        "What did Austria sign?",  # another country than Australia
        "What did austria sign?",
        "Where does the Southern Star sail from?",
        "What does the ministries' agreement say?",  # only another form
        "What is it?",
    ],
)
def test_another_name_and_another_form_are_no_slips(question: str) -> None:
    assert mended(question) == (question, {})


def test_a_name_is_suggested_but_not_put_for_another() -> None:
    text, alike = mended("Where does Tallin lie?")
    assert text == "Where does Tallin lie?"
    assert alike == {"tallin": "Tallinn"}


def test_an_abbreviation_is_spelled_out_as_the_texts_do() -> None:
    texts = ["The letter of intent was signed.", "The Bank of Northern Atlantis rose."]
    assert "letter of intent" in spelled("When is the LOI due?", texts)
    assert "Bank of Northern Atlantis" in spelled("Who runs the BNA?", texts)
    assert "(LOI)" in spelled("What is the letter of intent?", ["The LOI ends."])


def test_what_an_abbreviation_means_supports_it() -> None:
    question = spelled_out(understand("When is the LOI due?"), ["A letter of intent came."])
    assert question.is_supported("loi", {"letter", "intent"})
    assert question.is_supported("loi", {"loi"})
    assert not question.is_supported("loi", {"letter"})


def test_a_question_without_abbreviations_is_not_added_to() -> None:
    texts = ["Many others understand. The cat and the dog."]
    assert spelled("What is the deadline?", texts) == "What is the deadline?"


@given(st.text(max_size=200), st.lists(st.text(max_size=80), max_size=3))
def test_no_text_breaks_the_reading(question: str, texts: list[str]) -> None:
    read = understand(question)
    assert len(set(read.terms)) == len(read.terms)
    assert set(read.names) <= set(read.terms)
    assert spelled_out(read, texts).text.startswith(read.text)


def test_dotted_abbreviations_and_plurals_are_one_word() -> None:
    assert content_terms("The U.K. crews and their ships") == ("uk", "crews", "ships")
    assert stem("frameworks") == stem("framework")


def test_what_was_heard_is_asked_about_itself() -> None:
    asked = understand("someone told me the ferry was sold, is that right?")
    assert asked.text == "the ferry was sold"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("the deadlien for the treaty", Wanted.DATE),
        ("which contry signed", Wanted.PLACE),
        ("Kindly state the date by which the treaty is to be signed.", Wanted.DATE),
        ("a minor deal with headlines", Wanted.DESCRIPTION),
    ],
)
def test_a_slip_in_the_word_that_says_what_is_asked_for_is_seen_through(
    text: str, wanted: Wanted
) -> None:
    assert understand(text).wanted is wanted


@pytest.mark.parametrize(
    ("text", "term", "stems"),
    [
        ("What did Brussels sign?", "brussels", {"eu"}),
        ("What did Brussels sign?", "brussels", {"european"}),
        ("What did the Pentagon buy?", "pentagon", {"defens"}),
        ("What has the White House done?", "white", {"administration"}),
        ("What has the White House done?", "house", {"president"}),
    ],
)
def test_a_seat_of_government_stands_for_all_that_it_may_mean(
    text: str, term: str, stems: set[str]
) -> None:
    question = understand(text)
    assert question.is_supported(term, stems)
    assert not understand("Is the white paint in the house dry?").is_supported("white", stems)


def test_a_name_whose_letters_changed_places_is_read_as_the_articles_write_it() -> None:
    texts = ["Mexico and Iran signed."]
    read, alike = respelled(
        understand("What has Mexcio signed?"), texts, lambda word: word == "signed"
    )
    assert "Mexico" in read.text
    assert alike == {"mexcio": "Mexico"}
    other, named = respelled(
        understand("What has Mexica signed?"), texts, lambda word: word == "signed"
    )
    assert "Mexica" in other.text  # may be another's name, so it is only suggested
    assert named == {"mexica": "Mexico"}


def test_a_country_is_a_name_without_its_capital_too() -> None:
    assert understand("india trade deal").names == ("india",)
    assert understand("how come the indian envoy left").names == ()
