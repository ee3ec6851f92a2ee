"""A Python function against itself with one mutation of its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from random import Random

from olmeda.artifacts.corpus import Document
from olmeda.instruct.python_code import PythonFunction, functions, is_python
from olmeda.reward.mutations import mutated, mutations
from olmeda.reward.pairs import (
    ANSWER_CHARACTERS,
    PROMPT_CHARACTERS,
    Pair,
    Passage,
    interleaved,
    limited,
)

LEAST_CHARACTERS = 60


def python_mutation(document: Document, draws: Random) -> Iterator[Passage]:
    """Functions of a Python file; the worse answer parses too and its tree differs.

    Both answers are printed from their trees, so that neither shows its author's layout.
    """
    if not is_python(document):
        return
    for function in functions(document.text):
        if len(function.code) > 2 * ANSWER_CHARACTERS or not function.is_sound:
            continue
        tree = ast.parse(function.code)
        chosen = ast.unparse(tree)
        if LEAST_CHARACTERS <= len(chosen) <= ANSWER_CHARACTERS:
            yield function.part, _alternatives(function, tree, chosen, draws)


def _alternatives(
    function: PythonFunction, tree: ast.Module, chosen: str, draws: Random
) -> Iterator[Pair]:
    sites = mutations(tree)
    prompt = _prompt(function)
    truth = ast.dump(ast.parse(chosen))
    for mutation in interleaved(sites, [m.kind for m in sites], draws):
        rejected = mutated(tree, mutation)
        if ast.dump(ast.parse(rejected)) != truth:
            yield Pair(prompt, chosen, rejected, {"mutation": mutation.kind})


def _prompt(function: PythonFunction) -> str:
    ask = f"Write the Python function {function.qualname}."
    return limited(f"{ask} {function.docstring or ''}", PROMPT_CHARACTERS)
