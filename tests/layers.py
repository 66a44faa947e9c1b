"""The rooms of the house and the arrows between them: which module imports which.

python -m tests.layers

A room is a folder of a package of ours with all that is in it, or a module that stands beside such
folders. An arrow goes from what imports to what is imported, and counts wherever the import stands:
in a function or for the type checker alone as well. Exits 1 where a circle or an arrow up is found,
a room that `ORDER` has no place for, or an import that cannot be followed.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("indexing", "assistant", "eval")

ORDER = """
    indexing
    indexing.errors indexing.schema indexing.settings
    indexing.times indexing.reading
    indexing.copies indexing.store indexing.chunk indexing.embed
    indexing.sync

    assistant.schema assistant.settings
    assistant.language assistant.question assistant.finding assistant.checking
    assistant.answering assistant.suggesting
    assistant.service
    assistant
    assistant.keeping
    assistant.doors

    eval
    eval.jsonl eval.wording eval.stats eval.model_use eval.offline_ragas
    eval.cases eval.metrics eval.judge eval.run eval.gate
    eval.reporting eval.training eval.speed
    eval.cli eval.pytest_plugin
""".split()
"""The rooms from the ground up: each imports only what stands before it. `assistant` is what others
import from there, by a table."""

TABLES = {"assistant": "_FROM"}
"""Modules that import what is first asked for, and the name of their table: name -> its module."""


@dataclass(frozen=True, slots=True)
class Imports:
    """What the modules of some packages import of each other, by their dotted names."""

    arrows: dict[str, set[str]] = field(default_factory=dict)
    """module -> the modules it imports; every module is a key."""
    unseen: list[str] = field(default_factory=list)
    """Imports that cannot be followed: of a module by a name that is made as the program runs, of
    one of ours by its name, and by dots."""

    def rooms(self) -> dict[str, list[str]]:
        """room -> its modules."""
        found: dict[str, list[str]] = defaultdict(list)
        for module in sorted(self.arrows):
            found[room_of(module)].append(module)
        return found

    def between(self) -> dict[str, Counter[str]]:
        """room -> the rooms it imports from, each with how many arrows go there."""
        found: dict[str, Counter[str]] = {room: Counter() for room in self.rooms()}
        for module, imported in self.arrows.items():
            others = map(room_of, imported)
            found[room_of(module)].update(o for o in others if o != room_of(module))
        return found

    def up(self, order: list[str]) -> list[str]:
        """The arrows that go against `order`, as lines; those from or to a room it has not are not
        among them."""
        floor = {room: number for number, room in enumerate(order)}
        return [
            f"{module} -> {target}"
            for module, imported in sorted(self.arrows.items())
            for target in sorted(imported)
            if floor.get(room_of(module), len(order)) < floor.get(room_of(target), -1)
        ]

    def faults(self, order: list[str]) -> list[str]:
        """All that is wrong with it, as lines; nothing where it stands as `order` says."""
        rooms = self.rooms()
        return [
            *(f"a circle of modules: {' '.join(circle)}" for circle in circles(self.arrows)),
            *(f"a circle of rooms: {' '.join(circle)}" for circle in circles(self.between())),
            *(f"an arrow up: {arrow}" for arrow in self.up(order)),
            *(f"a room without a place in ORDER: {room}" for room in rooms if room not in order),
            *(f"a place in ORDER without a room: {room}" for room in order if room not in rooms),
            *(f"an import that cannot be followed: {place}" for place in self.unseen),
        ]


def room_of(module: str) -> str:
    """The room that `module` stands in: the folder below its package, or the module itself."""
    return ".".join(module.split(".")[:2])


def read_imports(root: Path, packages: Iterable[str], tables: Mapping[str, str]) -> Imports:
    """The imports of all modules of the `packages`, folders in `root`; `tables` as `TABLES`."""
    imports = Imports()
    files = {_name(path, root): path for top in packages for path in (root / top).rglob("*.py")}
    imports.arrows.update((module, set()) for module in files)
    for module, path in files.items():
        tree = ast.parse(path.read_text("utf-8"))
        named = set(imported_names(tree)) | set(_table(tree, tables.get(module)))
        imports.arrows[module] |= {found for name in named if (found := _of(name, files))}
        if module not in tables:
            imports.unseen.extend(
                f"{path.relative_to(root).as_posix()}:{line}" for line in _unseen(tree, packages)
            )
    return imports


def circles(arrows: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The sets of nodes that all reach each other, each once."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        ahead = list(arrows[start])
        while ahead:
            if (node := ahead.pop()) not in found:
                found.add(node)
                ahead += arrows[node]
        return found

    reach = {node: reached(node) for node in arrows}
    return sorted(
        sorted(circle)
        for circle in {
            frozenset(other for other in reach[node] if node in reach[other])
            for node in arrows
            if node in reach[node]
        }
    )


def _name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imported_names(tree: ast.AST) -> Iterable[str]:
    """What the imports in `tree` name: modules, or names in modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _table(tree: ast.Module, name: str | None) -> Iterable[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
            yield from ast.literal_eval(node.value).values()


def _of(name: str, files: Mapping[str, Path]) -> str | None:
    """The module of ours that `name` is, or stands in."""
    return next((tried for tried in (name, name.rpartition(".")[0]) if tried in files), None)


def _unseen(tree: ast.AST, packages: Iterable[str]) -> Iterable[int]:
    """The lines of the imports that `imported_names` does not see."""
    callers = {"import_module", "__import__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            callers |= {a.asname for a in node.names if a.name in callers and a.asname}
            if node.level:
                yield node.lineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in callers:
            name = node.args[0] if node.args else None
            seen = isinstance(name, ast.Constant) and isinstance(name.value, str)
            if not seen or name.value.split(".")[0] in packages:
                yield node.lineno


def main() -> int:
    imports = read_imports(ROOT, PACKAGES, TABLES)
    between = imports.between()
    print("The rooms and their modules")
    for room, modules in imports.rooms().items():
        print(f"  {room:22}", *(module.removeprefix(f"{room}.") for module in modules[1:]))
    print(f"\n{sum(map(len, imports.arrows.values()))} arrows between modules,", end=" ")
    print(f"{sum(map(len, between.values()))} between rooms")
    for room, others in between.items():
        print(f"  {room:22}", *(f"{other} ({count})" for other, count in sorted(others.items())))
    faults = imports.faults(ORDER)
    print("", *(faults or ["no circle, no arrow up"]), sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
