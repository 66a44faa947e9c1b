"""Claims written to be checked: sound paraphrases of what they cite, and faulty ones of every kind.

They stand in `sets/drafts/`, whose README says how each file came about, and rest on `corpus/` and
on the short articles beside them, which are inventions.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from assistant.answering.generate import read_marks
from assistant.checking.check import ClaimVerifier
from assistant.checking.reading import Cited
from assistant.schema import Evidence, Hit
from assistant.settings import Settings
from eval import jsonl
from indexing.embed import open_embedder
from indexing.errors import SettingsError
from indexing.schema import Sentence
from indexing.settings import BUNDLED
from indexing.store.catalog import Catalog
from indexing.store.view import View
from indexing.sync import sync

AS_OF = date(2026, 11, 22)
"""The day on which they were written."""
FOLDER = Path(__file__).parents[1] / "sets" / "drafts"


@dataclass(frozen=True, slots=True)
class Draft:
    """A sentence of an answer with marks `[n]` to `evidence`, counted from 1; `sound` says whether
    every reader would agree that those sentences say it."""

    id: str
    kind: str
    sound: bool
    question: str
    evidence: tuple[tuple[str, str], ...]
    text: str


def load_drafts(path: Path) -> list[Draft]:
    """The drafts of a file. Raises SettingsError naming the line that is none."""
    drafts = []
    for line, row in jsonl.read(path):
        try:
            drafts.append(
                Draft(
                    id=row["id"],
                    kind=row["kind"],
                    sound=row["sound"],
                    question=row["question"],
                    evidence=tuple((e["source"], e["quote"]) for e in row["evidence"]),
                    text=row["draft"],
                )
            )
        except (KeyError, TypeError) as exc:
            raise SettingsError(f"{path}, line {line}: {exc!r} is missing or malformed") from exc
    return drafts


@contextmanager
def indexed(corpus: Path) -> Iterator[View]:
    """An index of the briefs in `corpus` and the drafts' own articles."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "corpus"
        folder.mkdir()
        for article in (*corpus.glob("*.md"), *(FOLDER / "articles").glob("*.md")):
            (folder / article.name).write_bytes(article.read_bytes())
        settings = replace(Settings(), corpus=folder, index=Path(temporary) / "index")
        sync(folder, settings)
        catalog = Catalog(settings.index)
        try:
            with catalog.view() as view:
                yield view
        finally:
            catalog.close()


def evidence_of(draft: Draft, view: View) -> list[Evidence]:
    """The sentences of a draft as they are found in the index. Raises SettingsError for one that
    does not stand in its source."""
    return [_found(source, quote, view) for source, quote in draft.evidence]


def _found(source: str, quote: str, view: View) -> Evidence:
    text = view.text_of(source) or ""
    start = text.find(quote)
    if start < 0:
        raise SettingsError(f"{source} does not hold {quote!r}")
    end = start + len(quote)
    stored = next(
        (s for s in view.passages_of(source) if s.passage.start <= start and end <= s.passage.end),
        None,
    ) or next(s for s in view.passages_of(source) if s.passage.end > start)
    hit = Hit(stored.passage, stored.info, None, None, 0.0)
    times = tuple(view.times_between(source, start, end))
    return Evidence(Sentence(start, end), quote, hit, 0.0, 0.0, times=times)


def report(rows: Sequence[tuple[Draft, str]]) -> str:
    """How many sound drafts pass and how many faulty ones do not, by kind; `rows` holds each draft
    with the reason for which it was turned away, "" for none."""
    lines = []
    for sound in (True, False):
        of = [(d, reason) for d, reason in rows if d.sound is sound]
        right = sum((not reason) is sound for _, reason in of)
        what = "sound ones pass" if sound else "faulty ones are turned away"
        lines.append(f"{right} of {len(of)} {what} ({100 * right / max(1, len(of)):.1f}%)")
        for kind in sorted({d.kind for d, _ in of}):
            own = [(not reason) is sound for d, reason in of if d.kind == kind]
            if not all(own):
                lines.append(f"  {kind}: {sum(own)} of {len(own)}")
    return "\n".join(lines)


def verified(path: Path, verifier: ClaimVerifier, view: View) -> list[tuple[Draft, str]]:
    """Each draft of a file with the reason for which it is turned away, "" for none."""
    rows = []
    for draft in load_drafts(path):
        cited = [Cited(e) for e in evidence_of(draft, view)]
        said, numbers = read_marks(draft.text)
        rows.append((draft, verifier.check(said, [cited[n - 1] for n in numbers], AS_OF).reason))
    return rows


def main() -> None:
    """Verifies every file of drafts and prints the rates; `--wrong` also what went wrong."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--wrong", action="store_true", help="also print the drafts judged wrong")
    arguments = parser.parse_args()
    verifier = ClaimVerifier(open_embedder(BUNDLED, 2))
    with indexed(arguments.corpus) as view:
        for path in sorted(FOLDER.glob("*.jsonl")):
            rows = verified(path, verifier, view)
            print(f"{path.name}\n{report(rows)}\n")
            for draft, reason in rows:
                if arguments.wrong and bool(reason) is draft.sound:
                    print(f"  {draft.id} {draft.kind}: {draft.text}\n     {reason or 'passed'}")


if __name__ == "__main__":
    main()
