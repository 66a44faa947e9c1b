"""What is wrong with a page for people who cannot see it well, or use no mouse: axe-core's findings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

GRAVE = ("serious", "critical")


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def violations(page: Page, within: str = "html", without: Sequence[str] = ()) -> list[str]:
    """The serious and critical findings in what `within` (a CSS selector) matches, in words: the rule,
    what it asks, and the elements it found. `without`: identifiers of rules that are not looked at.

    Axe is evaluated in the page, which no Content-Security-Policy stops; a script element would be.
    """
    page.evaluate(_axe())
    options = {
        "resultTypes": ["violations"],
        "rules": {rule: {"enabled": False} for rule in without},
    }
    found: list[dict[str, Any]] = page.evaluate(
        "([within, options]) => axe.run(within, options).then((result) => result.violations)",
        [within, options],
    )
    return [
        f"{finding['id']} ({finding['impact']}): {finding['help']}: {_elements(finding)}"
        for finding in found
        if finding["impact"] in GRAVE
    ]


def _elements(finding: dict[str, Any]) -> str:
    """Where each element stands, with the colours or names that axe saw there."""
    return "; ".join(
        f"{' '.join(map(str, node['target']))} [{' '.join(node['failureSummary'].split())}]"
        for node in finding["nodes"]
    )
