"""Near-identical articles are recognised."""

from hypothesis import given
from hypothesis import strategies as st

from indexing.copies import signature, similarity, voices

STORY = " ".join(f"Word{n} follows word{n + 1} in the long report." for n in range(60))


def test_equal_texts_are_alike_and_others_are_not() -> None:
    assert similarity(signature(STORY), signature(STORY)) == 1.0
    assert similarity(signature(STORY), signature("Another short text about cats.")) < 0.1


def test_the_estimate_is_near_the_true_similarity() -> None:
    half = " ".join(STORY.split()[: len(STORY.split()) // 2])
    assert 0.35 < similarity(signature(STORY), signature(half)) < 0.65


def test_a_text_without_words_is_nobodys_copy() -> None:
    assert voices([("a", None, signature("")), ("b", None, signature("…!"))]) == {
        "a": "a",
        "b": "b",
    }


def test_the_earliest_of_the_copies_gives_them_their_voice() -> None:
    sign = signature(STORY)
    articles = [("a", None, sign), ("b", "2025-01-02", sign), ("c", "2025-01-01", sign)]
    assert voices(articles) == {"a": "c", "b": "c", "c": "c"}


@given(st.lists(st.text(max_size=40), max_size=8))
def test_every_article_has_a_voice_that_has_itself_as_voice(texts: list[str]) -> None:
    found = voices([(str(n), None, signature(text)) for n, text in enumerate(texts)])
    assert set(found) == {str(n) for n in range(len(texts))}
    assert all(found[voice] == voice for voice in found.values())
