"""The one reader of quantities: numbers in figures and words, and what they count."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.language.quantities import Quantity, numbers_of, quantities

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = {10**12: "trillion", 10**9: "billion", 10**6: "million", 10**3: "thousand"}


def in_words(number: int) -> str:
    """The number as an English writer spells it: "two thousand three hundred and five"."""
    if number < 20:
        return ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return f"{TENS[tens]}-{ONES[ones]}" if ones else TENS[tens]
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{ONES[hundreds]} hundred" + (f" and {in_words(rest)}" if rest else "")
    scale = next(scale for scale in SCALES if number >= scale)
    many, rest = divmod(number, scale)
    said = f"{in_words(many)} {SCALES[scale]}"
    return f"{said}{' and' if rest < 100 else ''} {in_words(rest)}" if rest else said


def only(text: str) -> Quantity:
    (found,) = quantities(text)
    return found


NUMBERS = st.integers(2, 10**15 - 1)
FORMS = [str, lambda n: f"{n:,}", lambda n: f"{n:,}".replace(",", "\u202f"), in_words]


@given(NUMBERS, st.sampled_from(FORMS))
def test_a_number_written_in_any_form_is_read_back(number: int, written: object) -> None:
    text = f"It has {written(number)} of them."  # type: ignore[operator]
    q = only(text)
    assert q.value == q.number == number
    assert text[q.start : q.end] == text[7:-9]


@given(
    st.integers(1, 999_999),
    st.integers(0, 3),
    st.sampled_from([*SCALES, *SCALES]),
    st.sampled_from(["{} {}", "{}-{}"]),
)
def test_figures_with_a_scale_are_their_product(
    digits: int, places: int, scale: int, form: str
) -> None:
    number = Fraction(digits, 10**places)
    written = f"{digits // 10**places}" + (f".{digits % 10**places:0{places}}" if places else "")
    assert only(form.format(written, SCALES[scale])).value == number * scale


@given(st.integers(1, 999), st.sampled_from([("k", 3), ("m", 6), ("bn", 9), ("B", 9), ("tn", 12)]))
def test_a_short_scale_is_the_long_one(number: int, scale: tuple[str, int]) -> None:
    assert only(f"${number}{scale[0]}").is_same(only(f"{number * 10 ** scale[1]} dollars"))
    assert only(f"${number}{scale[0]}").meaning == f"{number * 10 ** scale[1]} usd"


@given(
    st.integers(1, 400), st.integers(401, 999), st.sampled_from(["million", "thousand", "billion"])
)
@pytest.mark.parametrize("form", ["between {} and {} {}", "{} to {} {}", "{}-{} {}", "{} or {} {}"])
def test_both_ends_of_a_range_have_its_scale(form: str, low: int, high: int, scale: str) -> None:
    a, b = quantities(form.format(low, high, scale) + " tonnes")
    assert a.value / low == b.value / high == {v: k for k, v in SCALES.items()}[scale]
    assert a.unit == b.unit == "ton"


PIECES = st.sampled_from(
    "1 2 12 1,200 2.5 3:45 21st 2019 $ € % ½ one two twenty five hundred thousand million dozen dozens "
    "hundreds half third quarter quarters a an and of to or - – in out per cent percent point dollars days "
    "hour minutes year old couple several few second seconds for within over m bn km p.m. 3.8.0 Section May"
    " the ships . , ' \n".split(" ")
)
TEXTS = st.one_of(
    st.text(max_size=120),
    st.lists(st.tuples(PIECES, st.sampled_from([" ", "-", "", "  "])), max_size=30).map(
        lambda pairs: "".join(piece + gap for piece, gap in pairs)
    ),
)


@given(TEXTS)
def test_quantities_stand_in_order_apart_and_where_they_say(text: str) -> None:
    at = 0
    for q in quantities(text):
        assert at <= q.start < q.end <= len(text)
        assert q.start <= q.numeral.start < q.numeral.end <= q.end
        assert text[q.start : q.end] == q.text == q.text.strip()
        assert q.value >= 0
        at = q.end


@given(st.text(st.characters(blacklist_categories=("Nd", "No", "L")), max_size=200))
def test_nothing_is_read_where_no_numeral_stands(text: str) -> None:
    assert quantities(text) == ()
    assert quantities("The cats of the house are and remain a matter of taste.") == ()


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Half a billion dollars", "500000000 usd"),
        ("a hundred thousand people", "100000"),
        ("one hundred and five", "105"),
        ("fifteen hundred", "1500"),
        ("half a million", "500000"),
        ("half-dozen", "6"),
        ("a quarter of a billion", "250000000"),
        ("three quarters of a million", "750000"),
        ("a dozen", "12"),
        ("two dozen", "24"),
        ("a few dozen", "about 12"),
        ("dozens", "about 12"),
        ("hundreds of thousands", "about 100000"),
        ("tens of millions of dollars", "about 10000000 usd"),
        ("several hundred", "about 100"),
        ("a couple of weeks", "14 day"),
        ("a couple hundred", "200"),
        ("two and a half million", "2500000"),
        ("a million and a half", "1500000"),
        ("2½ million", "2500000"),
        ("12bn", "12000000000"),
        ("12,000 million", "12000000000"),
        ("twenty-five thousand", "25000"),
        ("£3m", "3000000 gbp"),
        ("US$1.2 trillion", "1200000000000 usd"),
        ("5 million Canadian dollars", "5000000 cad"),
        ("USD 12", "12 usd"),
        ("EUR3m", "3000000 eur"),
        ("5€", "5 eur"),
        ("20 cents", "1/5 usd"),
        ("142 pence", "71/50 gbp"),
        ("12.5 per cent", "25/2 %"),
        ("half", "50 %"),
        ("two-thirds", "200/3 %"),
        ("nine in ten", "90 %"),
        ("two out of every 5", "40 %"),
        ("half a percentage point", "1/2 point"),
        ("quarter-point", "1/4 point"),
        ("25 basis points", "1/4 point"),
        ("24 hours", "1 day"),
        ("half an hour", "1/2 hour"),
        ("an hour and a half", "3/2 hour"),
        ("two-and-a-half-year", "30 month"),
        ("the past three quarters", "9 month"),
        ("30-year-old", "30"),
        ("three-quarters of a mile", "3/4 mile"),
        ("14-km", "14 kilometre"),
        ("5 square miles", "5 square mile"),
        ("25-gigabits-per-second", "25 gigabit"),
        ("the 21st", "21 ordinal"),
        ("the third", "3 ordinal"),
        ("the twenty-first", "21 ordinal"),
        ("3:45 p.m.", "945 clock"),
        ("1:09", "69 second"),
        ("H.R. 4090", "4090 label"),
        ("Section 301", "301 label"),
        ("COVID-19", "19 label"),
        ("5G", "5 label"),
        ("February 4", "4 label"),
        ("4 May", "4 label"),
    ],
)  # fmt: skip
def test_what_a_phrase_means(text: str, meaning: str) -> None:
    assert only(text).meaning == meaning


@pytest.mark.parametrize(
    "text",
    [
        "USMCA2", "version 3.8.0", "2026-03-06", "+1-555-123-4567", "a year earlier", "half-time",
        "the second-half", "hundred", "the couple married", "tens", "first",
    ],
)  # fmt: skip
def test_what_counts_nothing(text: str) -> None:
    assert [q for q in quantities(text) if q.unit != "ordinal"] == []


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        ("$1.5m-2m", ["1500000 to 2000000 usd", "2000000 usd"]),
        ("between $3 and $5 billion", ["3000000000 to 5000000000 usd", "5000000000 usd"]),
        ("10 to 12 percent", ["10 to 12 %", "12 %"]),
        ("between two million and three million", ["2000000 to 3000000", "3000000"]),
        ("between one hundred and two hundred", ["100 to 200", "200"]),
        ("12 people and $5 million", ["12", "5000000 usd"]),
        ("five and six million", ["5", "6000000"]),
        ("two million three-bedroom homes", ["2000000", "3"]),
        ("five deaths in 24 hours", ["5", "1 day"]),
        ("3 won 50,000 won", ["3", "50000 krw"]),
        ("the second half of 2019", ["2 ordinal", "2019"]),
    ],
)
def test_numbers_side_by_side(text: str, meanings: list[str]) -> None:
    assert [q.meaning for q in quantities(text)] == meanings


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("more than 50", "min"), ("50+ ships", "min"), ("50 or more", "min"), ("up to $50", "max"),
        ("nearly half", "short"), ("some fifty", "about"), ("no more than 50", "max"), ("the 50", ""),
    ],
)  # fmt: skip
def test_the_words_around_bound_a_number(text: str, bound: str) -> None:
    assert only(text).bound == bound


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$12B", "12 billion dollars"),
        ("$12B", "US$12 billion"),
        ("30 days", "thirty-day"),
        ("two weeks", "14 days"),
        ("24 hours", "one day"),
        ("12%", "twelve percent"),
        ("half", "50%"),
        ("a third", "33.3%"),
        ("1:09", "1 minute 9 seconds"),
        ("15:00", "3 p.m."),
        ("14-km", "14 kilometres"),
        ("a dozen", "12"),
        ("2.5 million", "2,500,000"),
        ("the third", "the 3rd"),
        ("Section 301", "301"),
    ],
)
def test_quantities_are_compared_by_what_they_mean(one: str, other: str) -> None:
    assert only(one).is_same(only(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("30 days", "one month"),
        ("30%", "30"),
        ("$5", "€5"),
        ("hundreds", "100"),
        ("a third", "33.4%"),
    ],
)
def test_what_differs_in_unit_is_not_the_same(one: str, other: str) -> None:
    assert not only(one).is_same(only(other))


def test_a_vague_number_is_of_the_order_of_an_exact_one() -> None:
    assert only("350 people").is_of_order(only("hundreds of people"))
    assert only("$40 million").is_of_order(only("millions of dollars"))
    assert not only("350").is_of_order(only("thousands"))
    assert not only("150").is_of_order(only("hundreds"))
    assert not only("€40 million").is_of_order(only("millions of dollars"))


def test_the_numbers_of_a_text_are_the_same_in_other_forms() -> None:
    assert numbers_of("$12B for thirty days") == numbers_of("thirty of 12 billion dollars")
    assert numbers_of("It cost $12.") != numbers_of("It cost €12.")
    assert numbers_of("It closed on 2023-10-04.") != numbers_of("It closed on 2023-10-14.")
