"""Functions in Python source, read from the syntax tree alone: nothing is imported or run."""

from __future__ import annotations

import ast
import functools
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from olmeda.artifacts.corpus import Document

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True)
class PythonFunction:
    """A function or method: where it stands, what it says, and its source without docstring.

    ``code`` is dedented, starts at ``def`` (decorators left out) and parses on its own.
    """

    qualname: str
    line: int
    code: str
    docstring: str | None
    node: FunctionNode

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def part(self) -> str:
        return f"{self.qualname}:{self.line}"

    @functools.cached_property
    def is_sound(self) -> bool:
        """Whether ``code`` parses on its own (dedenting can break a string of several lines)."""
        try:
            ast.parse(self.code)
        except (SyntaxError, ValueError, RecursionError):
            return False
        return True


def is_python(document: Document) -> bool:
    """Whether a document says that it is Python source: by its language, else by its name."""
    language = document.metadata.get("language")
    if language is not None:
        return str(language).lower() == "python"
    return str(document.metadata.get("path", document.id)).endswith((".py", ".pyi"))


@functools.lru_cache(maxsize=2)
def functions(text: str) -> tuple[PythonFunction, ...]:
    """Every function of a source text in file order; none where the text is no Python.

    Cached, because several formatters ask for the functions of the same document in turn.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in the text are not our business
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    lines = text.splitlines()
    found = (_function(node, name, lines) for node, name in _definitions(tree, ""))
    return tuple(f for f in found if f is not None)


def _definitions(tree: ast.AST, prefix: str) -> Iterator[tuple[FunctionNode, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node, prefix + node.name
            yield from _definitions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from _definitions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.stmt):
            yield from _definitions(node, prefix)


def _function(node: FunctionNode, qualname: str, lines: list[str]) -> PythonFunction | None:
    docstring = ast.get_docstring(node)
    assert node.end_lineno is not None
    kept = lines[node.lineno - 1 : node.end_lineno]
    if docstring is not None:
        first, rest = node.body[0], node.body[1:]
        assert first.end_lineno is not None
        if not rest or rest[0].lineno <= first.end_lineno or first.lineno == node.lineno:
            return None  # nothing but a docstring, or no clean cut: no function to ask about
        kept = lines[node.lineno - 1 : first.lineno - 1] + lines[first.end_lineno : node.end_lineno]
    code = textwrap.dedent("\n".join(line.rstrip() for line in kept if line.strip()))
    return PythonFunction(qualname, node.lineno, code, docstring, node)


def parameter_names(node: FunctionNode) -> list[str]:
    """The names of a function's parameters in the order of its signature."""
    a = node.args
    names = [*a.posonlyargs, *a.args, *([a.vararg] if a.vararg else []), *a.kwonlyargs]
    return [arg.arg for arg in [*names, *([a.kwarg] if a.kwarg else [])]]


def own_nodes(node: FunctionNode) -> Iterator[ast.AST]:
    """The nodes of a function's body that are not inside another function or class."""
    waiting: list[ast.AST] = list(reversed(node.body))
    while waiting:
        current = waiting.pop()
        yield current
        if not isinstance(current, _SCOPES):
            waiting.extend(reversed(list(ast.iter_child_nodes(current))))


def without_name(code: str, name: str, blank: str) -> str:
    """``code`` with every mention of ``name`` as a whole word replaced by ``blank``."""
    return re.sub(rf"\b{re.escape(name)}\b", blank, code)
