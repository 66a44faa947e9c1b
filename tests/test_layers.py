"""The direction of imports, as README.md draws it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "indexing": {"indexing"},
    "assistant": {"assistant", "indexing"},
    "eval": {"eval", "assistant", "indexing"},
}


def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_the_layers_below_it(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        ours = {name.split(".")[0] for name in imported_modules(path)} & set(MAY_IMPORT)
        assert ours <= MAY_IMPORT[package], path


def test_chainlit_is_imported_by_the_chat_page_and_its_server_alone() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for package in MAY_IMPORT
        for path in (ROOT / package).rglob("*.py")
        if any(name.split(".")[0] == "chainlit" for name in imported_modules(path))
    }
    assert users <= {
        "assistant/doors/chat/app.py",
        "assistant/doors/chat/data_layer.py",
        "assistant/doors/chat/ratings.py",
        "assistant/doors/chat/sign_in.py",
        "assistant/doors/server.py",
    }


def test_front_doors_know_nothing_of_how_an_answer_is_made() -> None:
    inner = ("assistant.finding", "assistant.checking", "assistant.answering")
    may = {"assistant.answering.desk", "assistant.answering.models.names"}
    doors = sorted((ROOT / "assistant" / "doors").rglob("*.py"))
    assert len(doors) > 20
    for door in doors:
        if door.name == "doctor.py":  # it tries each part
            continue
        known = {name for name in imported_modules(door) if name.startswith(inner)}
        assert known <= may, door


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        (
            "import assistant.doors.cli",
            {"numpy", "chromadb", "torch", "chainlit", "langchain_core"},
        ),
        (
            "import assistant.service",
            {
                "torch",
                "chainlit",
                "trafilatura",
                "sentence_transformers",
                "spacy",
                "openai",
                "langchain",
            },
        ),
        ("import indexing.sync", {"torch", "chainlit", "sentence_transformers", "langchain_core"}),
    ],
)
def test_a_command_imports_only_what_it_needs(command: str, unwanted: set[str]) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", f"import sys; {command}; print(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert not unwanted & set(shown.stdout.split())
