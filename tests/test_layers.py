"""The direction of imports, as docs/how-it-works.md draws it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.layers import ORDER, PACKAGES, ROOT, TABLES, imported_names, read_imports

MAY_IMPORT = {
    "indexing": {"indexing"},
    "assistant": {"assistant", "indexing"},
    "eval": {"eval", "assistant", "indexing"},
}
IMPORTS = read_imports(ROOT, PACKAGES, TABLES)


def test_the_imports_run_one_way_and_none_is_hidden() -> None:
    assert IMPORTS.faults(ORDER) == []


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_the_layers_below_it(package: str) -> None:
    ours = {m: found for m, found in IMPORTS.arrows.items() if m.split(".")[0] == package}
    assert ours
    for module, imported in ours.items():
        assert {name.split(".")[0] for name in imported} <= MAY_IMPORT[package], module


A, B = "import shop.b.door", "import shop.a"


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"a.py": A}, None),
        ({"a.py": "from shop.b import door"}, None),
        ({"a.py": A, "b/door.py": B}, "a circle of modules: shop.a shop.b.door"),
        ({"a.py": A, "b/door.py": f"def f():\n    {B}"}, "a circle of modules"),
        (
            {
                "a.py": A,
                "b/door.py": f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {B}",
            },
            "a circle of modules",
        ),
        ({"a.py": A, "b/other.py": B}, "a circle of rooms: shop.a shop.b"),
        ({"b/door.py": B}, "an arrow up: shop.b.door -> shop.a"),
        ({"b/__init__.py": 'NAMES = {"sell": "shop.a"}'}, "an arrow up: shop.b -> shop.a"),
        ({"c.py": ""}, "a room without a place in ORDER: shop.c"),
        ({"a.py": 'import importlib\nimportlib.import_module("json")'}, None),
        (
            {"a.py": 'from importlib import import_module as load\nload("shop.b")'},
            "cannot be followed: shop/a.py:2",
        ),
        ({"a.py": '__import__("shop.b.door")'}, "cannot be followed: shop/a.py:1"),
        ({"a.py": "import importlib\nimportlib.import_module(name)"}, "cannot be followed"),
        ({"a.py": "from . import b"}, "cannot be followed: shop/a.py:1"),
    ],
)
def test_the_script_sees_what_stands_wrong(
    files: dict[str, str], fault: str | None, tmp_path: Path
) -> None:
    for name in ("__init__.py", "a.py", "b/__init__.py", "b/door.py", *files):
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files.get(name, ""), "utf-8")

    imports = read_imports(tmp_path, ["shop"], {"shop.b": "NAMES"})

    faults = imports.faults(["shop", "shop.b", "shop.a"])
    assert faults == [] if fault is None else any(fault in found for found in faults)


def test_chainlit_is_imported_by_the_chat_page_and_its_server_alone() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for package in MAY_IMPORT
        for path in (ROOT / package).rglob("*.py")
        if any(
            name.split(".")[0] == "chainlit"
            for name in imported_names(ast.parse(path.read_text("utf-8")))
        )
    }
    assert users <= {
        "assistant/doors/chat/app.py",
        "assistant/doors/chat/library.py",
        "assistant/doors/chat/session.py",
        "assistant/doors/chat/uploads.py",
        "assistant/doors/chat/data_layer.py",
        "assistant/doors/chat/ratings.py",
        "assistant/doors/chat/sign_in.py",
        "assistant/doors/server.py",
    }


def test_front_doors_know_nothing_of_how_an_answer_is_made() -> None:
    inner = ("assistant.finding", "assistant.checking", "assistant.answering")
    may = {"assistant.answering.desk", "assistant.answering.models.names"}
    doors = {m: found for m, found in IMPORTS.arrows.items() if m.startswith("assistant.doors")}
    assert len(doors) > 20
    del doors["assistant.doors.doctor"]  # it tries each part
    for door, imported in doors.items():
        assert {name for name in imported if name.startswith(inner)} <= may, door


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
