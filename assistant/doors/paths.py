"""Which paths of the server are the API's."""

from __future__ import annotations

from collections.abc import Sequence

GATED = ("/api", "/v1", "/mcp", "/slack", "/metrics", "/readyz")


def is_api(path: str) -> bool:
    """Whether a path is the API's, and not the page's."""
    return is_below(path, GATED)


def is_below(path: str, roots: Sequence[str]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)
