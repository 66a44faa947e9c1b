"""Of sentences written to be verified, the sound ones pass and the faulty ones do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT
from scripted_model import serving

from assistant.answering.generate import Writer, Written
from assistant.answering.models.call import open_chat_model
from assistant.checking.check import ClaimVerifier
from assistant.settings import Settings
from eval.training.drafts import AS_OF, FOLDER, Draft, evidence_of, indexed, load_drafts, verified
from indexing.embed import open_embedder
from indexing.errors import SettingsError
from indexing.store.view import View

pytestmark = pytest.mark.slow

FILES = sorted(FOLDER.glob("dev-*.jsonl"))
KNOWN = {
    "f016": "the mayor's office for the transport department: a party without a name",
    "f079": "dearer for cheaper, where wages did go up",
    "f100": "a general truth in words of the sentence",
    "f176": "the smaller rival for the larger",
    "f342": "a buyer joined to an order by “for”",
    "f369": "six new of which only four were",
    "f409": "who bid less",
    "f449": "one memorandum counted among eleven",
    "f527": "a verb of a sentence that is not cited",
    "f547": "a prize of another winner",
    "f548": "doses paid for that were delivered by another",
    "f549": "one memorandum counted among eleven",
    "f571": "an invented clause in words of the sentence",
    "f632": "what was confirmed of some only, told of a number that was reported",
    "f635": "a second party from a sentence of its own",
    "f636": "one furnace for the other, of which none has a name",
}
"""Faulty drafts that pass: what the checks cannot tell yet. None may be added."""


@pytest.fixture(scope="module")
def view() -> Iterator[View]:
    with indexed(ROOT / "corpus") as opened:
        yield opened


@pytest.fixture(scope="module")
def verifier() -> ClaimVerifier:
    return ClaimVerifier(open_embedder("bundled", 2))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_sound_drafts_pass_and_faulty_ones_do_not(
    path: Path, verifier: ClaimVerifier, view: View
) -> None:
    rows = verified(path, verifier, view)
    sound = [reason for draft, reason in rows if draft.sound]
    faulty = [(draft, reason) for draft, reason in rows if not draft.sound]
    assert len(sound) >= 60
    assert len(faulty) >= 60
    assert sum(not reason for reason in sound) >= 0.95 * len(sound)
    assert {draft.id for draft, reason in faulty if not reason} <= KNOWN.keys()


def test_the_drafts_are_of_many_kinds_and_none_is_twice() -> None:
    drafts = [draft for path in FOLDER.glob("*.jsonl") for draft in load_drafts(path)]
    assert len({draft.id for draft in drafts}) == len(drafts)
    assert len({draft.text for draft in drafts}) >= len(drafts) - 5
    assert len({draft.kind for draft in drafts if not draft.sound}) >= 20


def test_a_sentence_that_does_not_stand_in_its_source_is_refused(view: View) -> None:
    draft = Draft("x", "", True, "?", (("nam-partners-and-congress.md", "Not there."),), "x [1]")
    with pytest.raises(SettingsError, match="does not hold"):
        evidence_of(draft, view)


def test_no_faulty_draft_reaches_the_reader_however_a_model_insists_on_it(
    settings: Settings, verifier: ClaimVerifier, view: View
) -> None:
    drafts = [draft for path in FILES[:2] for draft in load_drafts(path)]
    shown: dict[str, list[str]] = {}
    said = ""
    with serving(lambda messages: said) as server:
        model = open_chat_model(f"openai:scripted@{server.url}", settings)
        writer = Writer(model, verifier)
        for draft in drafts:
            said = draft.text  # also when asked to mend it
            written = Written()
            claims = writer.write(
                draft.question, evidence_of(draft, view), (), AS_OF, lambda: False, written
            )
            shown[draft.id] = [claim.text for claim in claims]
            assert len(shown[draft.id]) + len(written.dropped) == 1, draft.id
    faulty = [draft for draft in drafts if not draft.sound]
    sound = [draft for draft in drafts if draft.sound]
    assert len(faulty) >= 60
    assert {draft.id for draft in faulty if shown[draft.id]} <= KNOWN.keys()
    assert sum(bool(shown[draft.id]) for draft in sound) >= 0.95 * len(sound)
