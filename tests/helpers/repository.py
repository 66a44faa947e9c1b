"""Where the repository is, and small folders of articles."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
HELPERS = Path(__file__).parent
"""This folder; on the path of tests, and of the servers that they start."""

ARTICLES = ROOT.parent / "shared" / "articles"
"""The scraped articles; not part of the repository, so a test may only use them as well as ours."""


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Writes the files, and removes any other file of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
