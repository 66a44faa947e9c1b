"""A claim is shown only if it says what the sentences it cites say."""

from __future__ import annotations

from datetime import date

import pytest
from fakes import evidence
from hypothesis import given
from hypothesis import strategies as st

from assistant.checking import facts
from assistant.checking.check import ClaimVerifier
from assistant.checking.reading import Cited
from assistant.language.places import places
from indexing.embed import open_embedder

AS_OF = date(2026, 11, 22)
PUBLISHED = date(2026, 2, 5)


@pytest.fixture(scope="module")
def verifier() -> ClaimVerifier:
    return ClaimVerifier(open_embedder("bundled", 2))


def failed(verifier: ClaimVerifier, claim: str, *sources: str) -> str:
    """The check that a claim fails, "" where it holds."""
    cited = [Cited(evidence(text, PUBLISHED, "Deals on minerals")) for text in sources]
    return verifier.check(claim, cited, AS_OF).check


RESERVE = "On Monday, Trump created a $12 billion reserve for critical minerals."
PLEDGE = "Washington and Brussels pledged on Wednesday to conclude a memorandum of understanding (MOU) within 30 days."
TALKS = "The ministry plans to open a smelter in Lapua and may hire up to 200 people."
DENIED = "The court did not rule on the trees, said its clerk, Anna Berg."
GUESTS = "Officials from more than 50 countries attended the ministerial in Washington."
PURCHASE = "Velnor bought the software firm Kadewerk from Orrin Capital in March."
FRAMEWORKS = (
    "The United States signed 11 bilateral frameworks and completed negotiations on 17 others."
)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("The reserve that Trump set up is worth 12 billion dollars.", RESERVE),
        ("Trump created a $12B critical minerals reserve on 2 February 2026.", RESERVE),
        ("Two governments, the US and the EU, have thirty days to conclude the MOU.", PLEDGE),
        ("The memorandum was to be concluded by 6 March 2026, a date that has passed.", PLEDGE),
        ("On 4 February 2026 the United States and the European Union promised to conclude an MOU.", PLEDGE),
        ("A smelter is to be opened in Lapua, with up to 200 jobs.", TALKS),
        ("The trees were not part of the court's ruling.", DENIED),
        ("The court left the trees out, and did not rule on them.", DENIED),
        ("More than fifty countries sent officials to the meeting in Washington.", GUESTS),
        ("Kadewerk, a software firm, was bought by Velnor in March 2025.", PURCHASE),
        ("Orrin Capital sold Kadewerk to Velnor.", PURCHASE),
        ("11 frameworks were signed by the United States, and talks on 17 others were completed.", FRAMEWORKS),
        ("The signed frameworks are “bilateral”, and there are 11 of them.", FRAMEWORKS),
    ],
)  # fmt: skip
def test_a_paraphrase_holds(verifier: ClaimVerifier, claim: str, source: str) -> None:
    cited = [Cited(evidence(source, PUBLISHED, "Deals on minerals"))]
    assert verifier.check(claim, cited, AS_OF).reason == ""


@pytest.mark.parametrize(
    ("claim", "source", "check"),
    [
        ("Trump created a $15 billion reserve.", RESERVE, "number"),
        ("Trump created a 12 million dollar reserve.", RESERVE, "number"),
        ("Trump created a €12 billion reserve.", RESERVE, "number"),
        ("Trump created the reserve on 3 February 2026.", RESERVE, "date"),
        ("Trump created the reserve in February 2025.", RESERVE, "date"),
        ("Biden created a $12 billion reserve for critical minerals.", RESERVE, "name"),
        ("Trump created the first reserve for critical minerals.", RESERVE, "strength"),
        ("Trump called the $12 billion reserve “a shield for industry”.", RESERVE, "quotation"),
        ("The MOU was to be concluded by 7 March 2026.", PLEDGE, "date"),
        ("The MOU was due on 4 February 2026.", PLEDGE, "date"),
        ("The MOU is due by 6 March 2026, which still lies ahead.", PLEDGE, "status"),
        ("Washington and Brussels concluded a memorandum within 30 days.", PLEDGE, "modality"),
        ("Washington and Brussels pledged to conclude all agreements within 30 days.", PLEDGE, "strength"),
        ("The ministry has opened a smelter in Lapua.", TALKS, "modality"),
        ("The ministry may hire at least 200 people.", TALKS, "number"),
        ("The ministry may hire 200 people.", TALKS, "number"),
        ("The ministry will not open a smelter in Lapua.", TALKS, "polarity"),
        ("The ministry plans to close a smelter in Lapua.", TALKS, "opposite"),
        ("The ministry plans to open a smelter because of rising demand.", TALKS, "cause"),
        ("The court ruled on the trees.", DENIED, "polarity"),
        ("The court did not rule on the trees, said Anna Lund.", DENIED, "name"),
        ("Officials from fewer than 50 countries attended.", GUESTS, "number"),
        ("Officials from all 50 countries attended the ministerial.", GUESTS, "number"),
        ("Kadewerk bought Velnor in March.", PURCHASE, "role"),
        ("See https://example.com for the reserve.", RESERVE, "markup"),
        ("![x](data:image/png;base64,AA) Trump created a reserve.", RESERVE, "markup"),
        ("Trump created <b>a reserve</b>.", RESERVE, "markup"),
        ("Trump cre\u200bated a reserve.", RESERVE, "markup"),
        ("Milk prices in Denmark are a matter of taste.", RESERVE, "name"),
        ("Milk and butter are dear this winter.", RESERVE, "meaning"),
    ],
)  # fmt: skip
def test_a_claim_that_says_otherwise_is_turned_away(
    verifier: ClaimVerifier, claim: str, source: str, check: str
) -> None:
    assert failed(verifier, claim, source) == check


def test_a_claim_that_cites_nothing_does_not_hold(verifier: ClaimVerifier) -> None:
    assert failed(verifier, "Trump created a reserve.") == "mark"


def test_each_of_two_marks_must_bear_on_the_claim(verifier: ClaimVerifier) -> None:
    claim = "The smelter is planned for Lapua."
    assert failed(verifier, claim, TALKS) == ""
    assert failed(verifier, claim, TALKS, "Milk was cheaper in shops this week.") == "meaning"


def test_a_number_is_not_told_of_what_has_another(verifier: ClaimVerifier) -> None:
    claim = "The United States signed 17 bilateral frameworks."
    assert failed(verifier, claim, FRAMEWORKS) == "number's matter"


def test_a_number_is_not_carried_from_one_source_to_the_matter_of_another(
    verifier: ClaimVerifier,
) -> None:
    closing = "Velnor plans to close its foundry in Liepaja by the end of March 2027."
    jobs = "Kadewerk employs 130 people."
    claim = (
        "The foundry in Liepaja, where 130 people work, is to be closed by the end of March 2027."
    )
    assert failed(verifier, claim, closing, jobs) == "number's source"


def test_words_of_one_speaker_are_not_given_to_another(verifier: ClaimVerifier) -> None:
    source = '"It came too late," said Paolo Desti, manager of the team of Luca Ferrandi.'
    assert failed(verifier, '"It came too late," said Luca Ferrandi.', source) == "speaker"
    assert failed(verifier, 'Paolo Desti said that "it came too late".', source) == ""


def test_a_comparison_may_state_a_difference(verifier: ClaimVerifier) -> None:
    one, two = "Net profit rose to €36 million.", "A year earlier, net profit was €29 million."
    assert failed(verifier, "Net profit rose by €7 million to €36 million.", one, two) == ""
    assert failed(verifier, "Net profit rose by €8 million to €36 million.", one, two) == "number"


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    places(text)
    facts.quotations(text)


@given(st.text(max_size=80))
def test_no_text_makes_the_verifier_fail(verifier: ClaimVerifier, text: str) -> None:
    cited = [Cited(evidence(RESERVE, PUBLISHED, "Deals on minerals"))]
    verdict = verifier.check(text, cited, AS_OF)
    assert verdict.holds == (not verdict.reason)


@pytest.mark.parametrize(
    "claim",
    ["The answer is:", "China and Japan", "What did Trump create?", "The sentences say that a reserve was created."],
)  # fmt: skip
def test_what_is_no_statement_on_the_matter_is_turned_away(
    verifier: ClaimVerifier, claim: str
) -> None:
    assert failed(verifier, claim, RESERVE) == "sentence"
