"""Who may import whom, and which names no file may have: kept hard by reading syntax trees."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent / "olmeda"
LOWER = {"base", "artifacts"}
MAY_IMPORT = {
    "base": set(),
    "artifacts": {"base"},
    "data": LOWER,
    "tokens": LOWER,
    "model": LOWER,
    "train": LOWER | {"tokens", "model"},
    "routing": LOWER | {"tokens", "model"},
    "instruct": LOWER,
    "tune": LOWER | {"tokens", "model", "train", "instruct"},
    "merge": LOWER,
    "evals": LOWER | {"tokens", "model", "instruct"},
    "reward": LOWER | {"tokens", "model", "instruct"},
    "billboard": LOWER,
    "rubric": LOWER,
    "serve": LOWER | {"tokens", "model"},
    "web": LOWER | {"billboard", "rubric"},
}
MAY_IMPORT["cli"] = set(MAY_IMPORT) | {"recipe", "verbs", "plugins"}
NO_TORCH = {
    "base",
    "artifacts",
    "data",
    "tokens",
    "instruct",
    "merge",
    "billboard",
    "rubric",
    "web",
}
NO_NUMPY = {"base"}
TOP_FILES = {"__init__", "__main__", "recipe", "verbs", "plugins"}
BANNED = re.compile(r"(utils?|common|helpers?|misc)\.py|.*_v2\.py")


def imports(file: Path) -> list[str]:
    """Every module that a file imports, at any depth of its code."""
    found: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            assert node.module
            found += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return found


def files(room: str) -> list[Path]:
    return sorted((HOME / room).rglob("*.py"))


def test_rooms_are_the_known_ones() -> None:
    rooms = {p.name for p in HOME.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert rooms == set(MAY_IMPORT)
    assert {p.stem for p in HOME.glob("*.py")} == TOP_FILES


def test_formats_know_nothing_of_who_reads_them() -> None:
    for file in (HOME / "data" / "formats").glob("*.py"):
        assert not [m for m in imports(file) if m.startswith("olmeda.data.reading")], file


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_room_imports_only_what_it_may(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    for file in files(room):
        for module in imports(file):
            parts = module.split(".")
            if parts[0] == "olmeda" and len(parts) > 1:
                known = parts[1] in MAY_IMPORT or parts[1] in TOP_FILES
                assert not known or parts[1] in allowed, f"{file} imports {module}"
            assert not (room in NO_TORCH and parts[0] == "torch"), f"{file} imports torch"
            assert not (room in NO_NUMPY and parts[0] == "numpy"), f"{file} imports numpy"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_private_module_or_name_is_taken_from_another_room(room: str) -> None:
    for file in files(room):
        for module in imports(file):
            parts = module.split(".")
            if parts[0] == "olmeda" and len(parts) > 2 and parts[1] != room:
                private = [p for p in parts[2:] if p.startswith("_") and not p.startswith("__")]
                assert not private, f"{file} imports {module}"


def test_no_file_has_a_name_that_says_nothing() -> None:
    everywhere = [
        *HOME.rglob("*.py"),
        *HOME.parent.glob("tests/**/*.py"),
        *HOME.parent.glob("bench/*.py"),
    ]
    assert [p for p in everywhere if BANNED.fullmatch(p.name)] == []
