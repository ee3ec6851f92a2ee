"""House rules that a program can check: sizes, docstrings, annotations, verbs, start-up."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from olmeda.plugins import REGISTRIES, registry
from olmeda.verbs import VERBS, find_verb

HOME = Path(__file__).parent.parent / "olmeda"
FILES = sorted(HOME.rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef
LONG_FILE, LONG_FUNCTION, LONG_LOOP = 400, 60, 90


def functions(tree: ast.AST) -> list[Function]:
    return [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(HOME)))
def test_file_and_functions_are_short(file: Path) -> None:
    text = file.read_text()
    assert text.count("\n") <= LONG_FILE
    for function in functions(ast.parse(text)):
        most = LONG_LOOP if (file.stem, function.name) == ("loop", "train") else LONG_FUNCTION
        assert function.end_lineno is not None
        assert function.end_lineno - function.lineno < most, function.name


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(HOME)))
def test_public_names_have_docstrings_and_annotations(file: Path) -> None:
    tree = ast.parse(file.read_text())
    if file.name != "__init__.py":
        assert ast.get_docstring(tree), "the module says nothing about itself"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name
    for function in functions(tree):
        assert function.returns is not None, function.name


@pytest.mark.parametrize("name", VERBS)
def test_verb_says_the_line_that_help_shows(name: str) -> None:
    verb = find_verb(name)
    assert verb.name == name
    assert (verb.__doc__ or "").strip().partition("\n")[0] == VERBS[name][1]


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_plugin_is_summarised(kind: str) -> None:
    held = registry(kind)
    assert held.names()
    for name in held.names():
        assert held.get(name).summary.endswith("."), name


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys\n"
        "from olmeda import cli\n"
        "cli._add_rooms()\n"
        "heavy = {'torch', 'numpy', 'numba', 'polars', 'pyarrow', 'transformers', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_machine_path_is_written_down() -> None:
    root = HOME.parent
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    )
    word = re.compile(r"(?<![\w.$}])/(?:" + "wor" + "k|roo" + r"t)/")
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            assert not word.search((root / name).read_text(errors="replace")), name
