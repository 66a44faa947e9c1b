"""The folder Chainlit runs from: it reads its configuration, texts and pictures there and writes
session files beside them, all at import. Ours lies in the index, so the working directory stays clean.
"""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from assistant.doors.chat.words import words
from indexing.errors import IndexStorage

ASSETS = Path(__file__).parent / "assets"
LANGUAGE = "en-US"


def prepare(root: Path) -> None:
    """Fills `root` with what Chainlit needs, replacing what an earlier version left there.

    Raises IndexStorage where `root` cannot be written.
    """
    try:
        shutil.rmtree(root / ".files", ignore_errors=True)  # of a run that was killed
        shutil.rmtree(root / "public", ignore_errors=True)
        shutil.copytree(ASSETS / "public", root / "public")
        translations = root / ".chainlit" / "translations"
        translations.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ASSETS / "config.toml", root / ".chainlit" / "config.toml")
        (translations / f"{LANGUAGE}.json").write_text(json.dumps(_words()), encoding="utf-8")
        script = root / "public" / "page.js"
        said = f"window.dateline = {{ words: {json.dumps(words()['page'])} }};\n"
        script.write_text(said + script.read_text(encoding="utf-8"), encoding="utf-8")
        # Empty, or Chainlit warns at every page load; with text it would add a "Readme" button.
        (root / f"chainlit_{LANGUAGE}.md").write_text("", encoding="utf-8")
    except OSError as exc:
        raise IndexStorage(
            f"the chat page cannot write to {root} ({exc.strerror or exc}); "
            "free space or permit writing there, or choose another index with --index"
        ) from exc


def clear_session_files(root: Path) -> None:
    """Removes what sessions left behind; Chainlit itself forgets to when mounted in another app."""
    shutil.rmtree(root / ".files", ignore_errors=True)


def _words() -> dict[str, object]:
    """Chainlit's own texts with ours in place of some."""
    # Found without importing Chainlit, which writes to its folder as soon as it is imported.
    spec = find_spec("chainlit")
    origin = spec and spec.origin
    assert origin, "chainlit is a requirement"
    shipped = Path(origin).parent / "translations" / f"{LANGUAGE}.json"
    merged: dict[str, object] = json.loads(shipped.read_text(encoding="utf-8"))
    for path, text in words()["chainlit"].items():
        *parents, last = path.split(".")
        at: dict[str, object] = merged
        for parent in parents:
            inner = at.setdefault(parent, {})
            assert isinstance(inner, dict)
            at = inner
        at[last] = text
    return merged


_MEANT_FOR_OTHERS = (
    "SLACK_BOT_TOKEN",
    "TEAMS_APP_ID",
    "DISCORD_BOT_TOKEN",
    "LITERAL_API_KEY",
)


def configure_environment(root: Path, secret: str = "", cookie: str = "") -> dict[str, str]:
    """Points Chainlit at `root` and hides the variables that would switch on its own adapters.

    `secret` signs the cookie named `cookie`; each is Chainlit's own where it is not given. Returns what was hidden, for the caller to put back once Chainlit is imported.
    """
    os.environ["CHAINLIT_APP_ROOT"] = str(root.resolve())
    os.environ["CHAINLIT_ENV_FILE"] = str(root.resolve() / "no.env")  # `.env` is read by Settings
    os.environ.setdefault("TRACELOOP_TELEMETRY", "false")
    os.environ["CHAINLIT_COOKIE_SAMESITE"] = "lax"
    if secret:
        os.environ["CHAINLIT_AUTH_SECRET"] = secret
    if cookie:
        os.environ["CHAINLIT_AUTH_COOKIE_NAME"] = cookie
    return {name: os.environ.pop(name) for name in _MEANT_FOR_OTHERS if name in os.environ}
