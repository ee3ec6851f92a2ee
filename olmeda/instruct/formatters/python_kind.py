"""Functions and what they do to their caller: return a value, raise, or neither."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from olmeda.artifacts.corpus import Document
from olmeda.instruct.python_code import FunctionNode, functions, is_python, own_nodes
from olmeda.instruct.registries import Item, formatter


@formatter("python_kind")
def python_kind(document: Document, *, characters: int = 320) -> Iterator[Item]:
    """Functions of at most ``characters``: fields ``code`` and ``kind`` (raises, returns, neither).

    The kind is read from the syntax tree (see ``kind_of``); generators are left out, because they
    are too few to balance.
    """
    if not is_python(document):
        return
    for function in functions(document.text):
        kind = kind_of(function.node)
        if kind and len(function.code) <= characters and function.is_sound:
            yield Item(function.part, {"code": function.code, "kind": kind})


def kind_of(node: FunctionNode) -> str | None:
    """``raises`` if a raise statement stands in the function itself, else ``returns`` if it returns
    a value, else ``neither``; None for generators. Nested functions do not count.
    """
    nodes = list(own_nodes(node))
    if any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in nodes):
        return None
    if any(isinstance(n, ast.Raise) for n in nodes):
        return "raises"
    if any(isinstance(n, ast.Return) and n.value is not None for n in nodes):
        return "returns"
    return "neither"
