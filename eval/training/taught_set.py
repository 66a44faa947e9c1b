"""The taught articles as a corpus, and questions of some of their files as a set over it.

    python -m eval.training.taught_set --taught ../shared/taught --out DIR [--files NAME ...]
    dateline eval --set DIR

All articles are in the corpus, whichever files are asked: a search must find its way among them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.training.reader_data import lines


def write(taught: Path, out: Path, files: Sequence[str]) -> int:
    """Writes `corpus/` and `questions.jsonl` to `out`; how many questions."""
    corpus = out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    cases: list[dict[str, Any]] = []
    for path in sorted(p for p in taught.glob("*.jsonl") if p.stem != "turns"):
        for row in lines(path):
            name, text = f"{row['id']}.md", _article(row)
            (corpus / name).write_text(text, "utf-8")
            if path.stem in files:
                cases += [
                    _case(f"{row['id']}-{n}", q, name, text) for n, q in enumerate(row["questions"])
                ]
    header = {"set": "taught", "version": 1, "as_of": "2026-11-30"}
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [header, *cases])
    (out / "questions.jsonl").write_text(rows, "utf-8")
    return len(cases)


def _article(row: dict[str, Any]) -> str:
    known = {"title": row["title"], "publisher": row["publisher"], "published": row["published"]}
    head = "".join(f"{k}: {json.dumps(v, ensure_ascii=False)}\n" for k, v in known.items() if v)
    return f"---\n{head}---\n\n{row['text']}\n"


def _case(identity: str, q: dict[str, Any], name: str, text: str) -> dict[str, Any]:
    case = {
        "id": identity,
        "question": q["question"],
        "answerable": q["answerable"],
        "type": q["kind"],
    }
    if not q["answerable"]:
        return case | {"reason": q["missing"]}
    spans = [(text.index(e), text.index(e) + len(e), e) for e in q["evidence"]]
    evidence = [{"file": name, "start": a, "end": b, "text": e} for a, b, e in spans]
    return case | {"answers": [q["answer"]], "evidence": evidence}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--taught", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--files", nargs="*", default=["science-health-technology"])
    given = parser.parse_args()
    print(write(given.taught, given.out, given.files), "questions")


if __name__ == "__main__":
    main()
