"""What is indexed and asked while speed is measured: a benchmark's articles, or made-up ones."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from eval.speed import retrieval_table
from eval.speed.pipelines import Job
from eval.speed.retrieval_table import BenchFailed

GENERATED = "generated"
"""The name of the set that is made here, for where no benchmark is at hand."""

COMPANIES = "Altona Belmar Corvex Dunmore Eastgate Farrow Glenside Harwick Inverlea Jarrow".split()
TRADES = "Steel Freight Energy Foods Textiles Mining Shipping Timber Chemicals Aerospace".split()
PLACES = "Aberdeen Bologna Calgary Durban Eindhoven Fukuoka Gdansk Hamburg Incheon Jakarta".split()
PEOPLE = "Ames Brandt Castillo Dubois Eriksen Ferreira Gupta Hoang Ivanova Johansson".split()
WORKS = "plant terminal warehouse laboratory depot refinery harbour railway mill airport".split()
SENTENCES = (
    "{company} said on {day} that it would spend ${amount} million on a new {work} in {place}.",
    "The {work} is expected to open within {months} months and to employ {jobs:,} people.",
    "“We have waited {years} years for this,” said {person}, who leads the company's board.",
    "Officials in {place} approved the plan by {votes} votes to 7 after a hearing of two days.",
    "Analysts at {bank} had forecast a cost of ${forecast} million, and called the price high.",
    "Residents near the site asked for a study of noise, traffic and water before work begins.",
    "A union representing {jobs:,} workers said that talks over pay would continue into {month}.",
    "Shares of {company} closed {percent}% lower, while the wider index was little changed.",
    "The company had shut its older {work} outside {other} after a fire {years} years ago.",
    "Neither the ministry nor {bank} replied to questions about the timing of the announcement.",
)


@dataclass(frozen=True, slots=True)
class SpeedSet:
    """What is indexed, and what is asked."""

    name: str
    corpus: Path
    questions: tuple[str, ...]
    articles: int
    characters: int


def speed_set(name: str, shared: Path, work: Path, articles: int) -> SpeedSet:
    """The set called `name`: a benchmark in `shared`, or the one that is generated in `work`."""
    if name == GENERATED:
        corpus = work / "corpus"
        questions = generate(corpus, articles)
    else:
        corpus = shared / name / "corpus"
        asked = retrieval_table.read_questions(shared / name / "questions.jsonl")
        questions = [str(line["question"]) for line in asked]
    files = [path for path in corpus.rglob("*") if path.is_file()]
    characters = sum(len(path.read_bytes().decode("utf-8", "replace")) for path in files)
    return SpeedSet(name, corpus, tuple(questions), len(files), characters)


def drawn_job(of: SpeedSet, index: Path, queries: int) -> Job:
    """At most `queries` questions of each kind, drawn alike each time."""
    mixed = random.Random(0).sample(of.questions, len(of.questions))
    most = min(queries, len(mixed) // 3)
    if not most:
        raise BenchFailed(f"the set {of.name} has {len(mixed)} questions; 3 are the least")
    groups = (tuple(mixed[i * most : (i + 1) * most]) for i in range(3))
    return Job(str(of.corpus), str(index), *groups)


def generate(folder: Path, articles: int, seed: int = 0) -> list[str]:
    """Writes made-up news articles of some 3,000 characters; returns a question for each.

    The same arguments give the same files, to the byte.
    """
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    questions = []
    for n in range(articles):
        company = f"{COMPANIES[n % 10]} {TRADES[n // 10 % 10]}"
        day = date(2025, 1, 1) + timedelta(days=n)
        place, other = chance.sample(PLACES, 2)
        work = chance.choice(WORKS)
        told = chance.sample(SENTENCES, len(SENTENCES))
        known = {"company": company, "work": work, "place": place, "other": other}
        paragraphs = [
            " ".join(
                told[i % len(told)].format(**known, **_drawn(day, chance))
                for i in range(first, first + 3)
            )
            for first in range(0, 30, 3)
        ]
        head = f"{company} plans a {work} in {place}\n\nThe Sample Post, {day.isoformat()}\n\n"
        (folder / f"{day.isoformat()}-{n:04}.txt").write_bytes(
            (head + "\n\n".join(paragraphs) + "\n").encode()
        )
        questions.append(
            (
                f"How much will {company} spend on the {work} in {place}?",
                f"How many people will the {company} {work} in {place} employ?",
                f"When is the {work} of {company} expected to open?",
            )[n % 3]
        )
    return questions


def _drawn(day: date, chance: random.Random) -> dict[str, object]:
    """What each sentence of an article of that day draws anew."""
    return {
        "day": day.strftime("%A"),
        "month": (day + timedelta(days=chance.randrange(30, 200))).strftime("%B"),
        "amount": chance.randrange(20, 900),
        "forecast": chance.randrange(20, 900),
        "months": chance.randrange(6, 40),
        "years": chance.randrange(2, 30),
        "jobs": chance.randrange(50, 5000),
        "votes": chance.randrange(8, 60),
        "percent": chance.randrange(1, 90) / 10,
        "person": f"{chance.choice('ABCDEFGH')}. {chance.choice(PEOPLE)}",
        "bank": f"{chance.choice(PEOPLE)} & {chance.choice(PEOPLE)}",
    }
