"""Texts that try to be more than text."""

from __future__ import annotations

from hypothesis import strategies as st

HOSTILE = [
    "<img src=x onerror=alert(1)> <script>alert(1)</script>",
    "[click](http://evil.example) ![pixel](http://evil.example/p.png)",
    "[1]: http://evil.example\n[1]",
    "[1](http://evil.example) **x**[1](/y)",
    "# Heading\n## Another\n> quote\n- item\n1. item\n\n    code\n```\nfence\n```\n---\n===",
    "http://evil.example/x https://evil.example www.evil.example someone@evil.example",
    "<http://evil.example> &lt;b&gt; &#60;b&#62;",
    ":::danger\nboo\n::: ::video[x]{src=y} :info[x]",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "a\\[b](c) `tick` ``two`` *one* _two_ ~~three~~ [^1] \\",
    "1) first\n2026. That year\n+ plus\n\u200b",
]

PIECES = st.one_of(
    st.sampled_from(
        [*HOSTILE, *"\\`*_[]()<>#+-.!|~:&@=\n\t 1\u200b\u202e\x1b😀é", "http", "s://", "www", "."]
    ),
    st.text(max_size=6),
)

TEXTS = st.lists(PIECES, max_size=12).map("".join)
