"""Answers as Slack shows them: their parts, their length, and nothing of a text that pings, links or formats."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import date

import pytest
from fakes import answered, cited, missing
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from slack_desk import ANSWER, DUE, QUESTION, RAW, Desk, Stage, scripted
from slack_server import (
    BOT_USER,
    error_of,
)

from assistant.doors.show.parts import NEAREST
from assistant.doors.slack import blocks
from assistant.language.marks import plain
from assistant.schema import Agreement, AnswerDate, Claim
from indexing.errors import SettingsError

TODAY = date(2026, 11, 22)
WORD_JOINER = "\u2060"


# What answers look like


def everything(*answers: blocks.Message) -> str:
    return "\n".join(
        shown["text"]["text"] for m in answers for shown in m.blocks if "text" in shown
    )


def test_dates_say_their_rule_and_whether_they_have_passed() -> None:
    when = AnswerDate(
        "within 30 days", date(2026, 2, 4), "2026-03-06", "anchor + 30 days", -261, (1,)
    )
    text = everything(*blocks.answered(replace(ANSWER, dates=(when,)), TODAY))
    reckoned = "“within 30 days” (4 February 2026 + 30 days), passed 261 days ago [1]"
    assert f"*6 March 2026*: {reckoned}" in text


def test_sources_that_differ_are_listed_with_their_marks() -> None:
    other = cited(RAW, RAW, 2, "b.txt")
    values = (Agreement("6 March", (1,)), Agreement("4 March", (2,)))
    answer = answered("It is due. [1][2]", DUE, other, agreement=values)
    text = everything(*blocks.answered(answer, TODAY))
    assert "*The articles differ*: 6 March [1]; 4 March [2]" in text
    agreed = replace(answer, agreement=(Agreement("6 March", (1, 2)),))
    assert "*2 articles agree*: 6 March [1][2]" in everything(*blocks.answered(agreed, TODAY))


def test_what_the_articles_do_not_say_looks_different() -> None:
    (found,) = blocks.answered(missing(DUE), TODAY, "step")
    assert found.blocks[0] == {
        "type": "header",
        "text": {"type": "plain_text", "text": "Not in the articles", "emoji": False},
    }
    assert "The articles do not say." in found.text
    assert f"_{NEAREST}:_" in everything(found)
    assert f"[1] “{RAW}”" in everything(found)
    assert "*" not in everything(found)
    assert found.blocks[-1]["type"] == "actions"


def test_each_citation_is_a_block_with_its_title_publisher_date_and_age() -> None:
    undated = cited(RAW, RAW, 2, "b.txt", published=None, publisher=None, page=3, url="ftp://x.org")
    (found,) = blocks.answered(answered("Due. [1] So. [2]", DUE, undated), TODAY)
    first, second = (b["text"]["text"] for b in found.blocks[-2:])
    about = "<https://example.org/report|Report due>, A paper, 5 Feb 2026, 290 days ago"
    assert first == f"[1] “{RAW}”\n{about}"
    assert second == f"[2] “{RAW}”\nA title, Publisher not named, no date given, page 3"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://e.org/a b", "T"),
        ("javascript:alert(1)", "T"),
        ("https://e.org/|x>y", "T"),
        ("https://e.org/a|b", "<https://e.org/a%7Cb|T>"),
        ("https://e.org/?a=1&b=é", "<https://e.org/?a=1&amp;b=%C3%A9|T>"),
        ("https://e.org/\u202egpj", "<https://e.org/%E2%80%AEgpj|T>"),
        ("https://e.org/" + "a" * 2_000, "T"),
        (None, "T"),
    ],
)
def test_a_link_is_only_made_of_a_web_address(url: str | None, shown: str) -> None:
    assert blocks.link(url, "T") == shown


def test_lists_and_bold_words_are_slacks() -> None:
    text = "Two are named:\n- **Mexico** [1]\n- Japan, **2**nd [1]"
    shown = everything(*blocks.answered(answered(text, DUE), TODAY))
    assert "*Two are named:*\n\n• *Mexico* [1]\n\n• Japan, 2nd [1]" in shown


def test_a_long_answer_is_split_at_sentences_into_blocks_and_messages(stage: Stage) -> None:
    sentences = [f"Sentence number {n} says <something> & more of it [1]." for n in range(400)]
    quotes = [f"Quote {n} " + "is long & " * 80 + "ends." for n in range(60)]
    citations = [DUE, *(cited(q, q, n + 2) for n, q in enumerate(quotes))]
    body = " ".join(sentences) + "".join(f"\nAs {c.number} says. [{c.number}]" for c in citations)
    answer = answered(body, *citations)

    async def scene(desk: Desk) -> None:
        ts = await desk.mention()
        first, *rest = desk.slack.ours
        assert len(rest) > 3
        assert {posted.thread_ts for posted in desk.slack.ours} == {ts}
        whole = "\n".join(posted.text for posted in desk.slack.ours)
        for n in range(400):
            assert f"number {n} says &lt;something&gt; &amp; more of it [1]." in whole
        for n in range(60):
            assert f"Quote {n} " in whole
        for block in (b for m in desk.slack.ours for b in m.last["blocks"] if "text" in b):
            assert re.search(r"[.…)!?\]”’*:>]$|ago$", block["text"]["text"]), (
                "it is cut in a sentence"
            )
        assert [("actions" in m.kinds) for m in desk.slack.ours] == [False] * len(rest) + [True]
        assert "Searching" in first.versions[0]["text"]
        await desk.click(rest[-1], blocks.RATE_UP)
        assert rest[-1].kinds[-1] == "context"

    stage(scene, scripted(**{QUESTION: answer}))


def test_a_message_of_many_small_blocks_holds_at_most_fifty() -> None:
    citations = [cited(RAW, RAW, n + 1) for n in range(120)]
    found = blocks.answered(answered("All agree. [1]", *citations), TODAY, "step")
    assert len(found) >= 3
    assert max(len(m.blocks) for m in found) <= blocks.MESSAGE_BLOCKS - 1, (
        "no room for a vote's note"
    )


def test_one_word_longer_than_a_block_is_still_shown_whole() -> None:
    word = "&" * 9_000
    found = blocks.answered(answered(f"{word} [1]", cited(word, word)), TODAY)
    shown = [b["text"]["text"] for m in found for b in m.blocks if "text" in b]
    assert sum(html.unescape(text).count("&") for text in shown) == 18_000
    assert max(map(len, shown)) <= blocks.SECTION_CHARS
    assert max(len(m.text) for m in found) <= blocks.FALLBACK_CHARS


# Hostile text

HOSTILE = (
    "<!channel> <!here> <@U0BOSS> <#C0NEWS|general> @channel @here @everyone "
    "<https://evil.example|the report> https://evil.example www.evil.example me@evil.example "
    "*bold* _slanted_ ~struck~ `code` ```block``` :skull: > quoted &lt;!here&gt; #general"
)


def drawn(text: str) -> list[str]:
    """What Slack would do with a text besides showing it."""
    formats = r"(?<![^\W_])([*_~])(?=\S)[^\n]*?(?<=\S)\1(?![^\W_])|`[^`]+`"
    patterns = [
        r"<[^>]*>",  # mentions and links
        r"[<>]",
        r"&(?!amp;|lt;|gt;)",
        formats,
        r"(?i)https?://\S|www\.\S|://",
        r"@\w",
        r"(?i)(?:^|\s)#\w",
        r"(?i):[a-z0-9_+'-]+:",
        r"(?m)^(?:&gt;|>)",
    ]
    return [found[0] for pattern in patterns for found in re.finditer(pattern, text)]


def test_the_check_for_what_slack_would_do_finds_it() -> None:
    assert len(drawn(HOSTILE)) > 15


@hypothesis_settings(deadline=None)
@given(st.text() | st.text(alphabet="*_~`<>&|@#:/.!ahtpsw\n\u2060 ", max_size=60))
def test_no_text_pings_links_or_formats(text: str) -> None:
    shown = blocks.mrkdwn(text)
    assert drawn(shown) == []
    alike = str.maketrans("\u2217\u02cd\u223c\u02cb", "*_~`", WORD_JOINER)
    assert html.unescape(shown).translate(alike) == plain(text).translate(alike)


@hypothesis_settings(deadline=None)
@given(st.text(alphabet="*_~`<>&|@#:/.!ahtpsw[]1- \n", max_size=80), st.text(max_size=40))
def test_nothing_of_an_answer_pings_links_or_formats_but_our_own(text: str, title: str) -> None:
    quote = cited(text, text, title=title, publisher=text, url=f"https://e.org/{title}")
    value = (Agreement(text, (1,)), Agreement(title, (1,)))
    when = AnswerDate(text, None, "2026-03-06", title, -1, (1,))
    answer = answered(f"{text} [1]", quote, agreement=value, dates=(when,))
    for found in blocks.answered(answer, TODAY, "step", blocks.asked_by("U0ANNA", text)):
        for line in [found.text, *(b["text"]["text"] for b in found.blocks if "text" in b)]:
            bare = re.sub(r"<@U0ANNA>|<https://e\.org/[^<>|\s]*\|[^<>|]*>", "", line)
            assert not re.search(r"[<>]|@\w|https?://|`", bare)
            assert "&lt;!channel" not in bare


WORDS = st.text(max_size=40) | st.text(alphabet="*_~`<>&|[]1.-> \n\u2060a", max_size=40)


@hypothesis_settings(deadline=None)
@given(WORDS, WORDS, st.integers(1, 400), st.integers(1, 70), st.booleans())
def test_slack_takes_every_answer(
    text: str, title: str, times: int, count: int, is_missing: bool
) -> None:
    quotes = [cited(text, text, n + 1, title=title, publisher=title) for n in range(count)]
    when = AnswerDate(text, None, "2026-03-06", title, -1, (1,))
    value = (Agreement(text, (1,)), Agreement(title, (1,)))
    whole = answered(f"Said. {text * times} [1]", *quotes, agreement=value, dates=(when,))
    answer = missing(*quotes) if is_missing else whole
    asked = blocks.asked_by("U0ANNA", "Why? " + text * times)
    claims = [Claim(f"{title} is {text * times}", (1,))] * count
    for found in (
        *blocks.answered(answer, TODAY, "step", asked),
        blocks.draft(claims, asked),
        blocks.said(f"Sorry, {text * 50}", asked),
    ):
        sent = {"text": found.text, "blocks": list(found.blocks)}
        assert error_of("chat.update", sent) is None
        voted = blocks.noted(found.blocks, True)
        assert error_of("chat.update", {"text": voted.text, "blocks": list(voted.blocks)}) is None


def test_hostile_articles_questions_and_errors_are_shown_as_they_stand(stage: Stage) -> None:
    quote = cited(HOSTILE, HOSTILE, title=HOSTILE, publisher=HOSTILE)
    assistant = scripted(
        **{QUESTION: answered(f"{HOSTILE} [1]", quote), "Bad?": SettingsError(HOSTILE)}
    )
    hostile = "Bad? " + HOSTILE
    assistant.answers[blocks.question_of(hostile, BOT_USER)] = RuntimeError(HOSTILE)

    async def scene(desk: Desk) -> None:
        await desk.mention()
        await desk.mention(f"<@{BOT_USER}> Bad?")
        await desk.command(hostile)
        assert len(desk.slack.ours) == 3
        for posted in desk.slack.ours:
            for version in posted.versions:
                texts = [
                    version["text"],
                    *(b["text"]["text"] for b in version["blocks"] if "text" in b),
                ]
                for text in texts:
                    bare = text.replace("<@U0ANNA> asked", "").replace(f"*{text[1:-5]}* [1]", "")
                    assert [d for d in drawn(bare) if not d.startswith(("*", "_"))] == []

    stage(scene, assistant)


def test_a_question_is_read_as_its_writer_saw_it() -> None:
    sent = (
        f"<@{BOT_USER}> Is <https://e.org/a|this page> or <http://b.org> of "
        "<#C1|news> by <@U9|carla> &amp; <!subteam^S1|@desk> &lt;ok&gt;?"
    )
    assert blocks.question_of(sent, BOT_USER) == (
        "Is this page or http://b.org of news by carla & @desk <ok>?"
    )
