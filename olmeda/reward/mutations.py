"""Mutations of a Python syntax tree: each site and kind as data, each applied to a copy.

A mutation is what a careless author writes: a comparison, an operator, a constant, a condition, a
statement or an order of arguments that is not the right one.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.FloorDiv,
    ast.FloorDiv: ast.Div, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """``kind`` applied to the ``place``-th node of a tree (in the order of ``ast.walk``)."""

    kind: str
    place: int
    detail: int = 0


def mutations(tree: ast.AST) -> list[Mutation]:
    """Every mutation of a tree, in the order of its nodes."""
    return [
        Mutation(kind, place, detail)
        for place, node in enumerate(ast.walk(tree))
        for kind, detail in _kinds(node)
    ]


def mutated(tree: ast.Module, mutation: Mutation) -> str:
    """The source of a copy of ``tree`` with one mutation."""
    changed = copy.deepcopy(tree)
    for place, node in enumerate(ast.walk(changed)):
        if place == mutation.place:
            _apply(node, mutation)
            break
    return ast.unparse(ast.fix_missing_locations(changed))


def _kinds(node: ast.AST) -> Iterator[tuple[str, int]]:
    """What can be done to this node: kind and detail (a choice within the kind)."""
    match node:
        case ast.Compare(ops=ops):
            yield from (("comparison", i) for i, op in enumerate(ops) if type(op) in COMPARISONS)
        case ast.BoolOp():
            yield "boolean_operator", 0
        case ast.BinOp(left=left, right=right) if not (_is_text(left) or _is_text(right)):
            yield from _operator(node.op)
        case ast.AugAssign(value=value) if not _is_text(value):
            yield from _operator(node.op)
        case ast.Constant(value=bool()):
            yield "boolean_constant", 0
        case ast.Constant(value=int() as number):
            yield from (("off_by_one", step) for step in (1, -1) if number + step >= 0)
        case ast.If() | ast.While() | ast.IfExp():
            yield "negated_condition", 0
        case ast.Call(args=args):
            yield from (
                ("swapped_arguments", i) for i in range(len(args) - 1) if _swappable(args, i)
            )
    if isinstance(
        node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.If, ast.For, ast.While, ast.With)
    ):
        places = range(len(node.body)) if len(node.body) > 1 else ()
        yield from (("dropped_statement", i) for i in places)


def _operator(op: ast.operator) -> Iterator[tuple[str, int]]:
    if type(op) in OPERATORS:
        yield "operator", 0


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def _swappable(args: list[ast.expr], i: int) -> bool:
    starred = isinstance(args[i], ast.Starred) or isinstance(args[i + 1], ast.Starred)
    return not starred and ast.dump(args[i]) != ast.dump(args[i + 1])


def _apply(node: ast.AST, mutation: Mutation) -> None:
    at = mutation.detail
    match node, mutation.kind:
        case ast.Compare(ops=ops), "comparison":
            ops[at] = COMPARISONS[type(ops[at])]()
        case ast.BoolOp(op=op), "boolean_operator":
            node.op = ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.BinOp(op=op) | ast.AugAssign(op=op), "operator":
            node.op = OPERATORS[type(op)]()
        case ast.Constant(value=value), "boolean_constant":
            node.value = not value
        case ast.Constant(value=int() as value), "off_by_one":
            node.value = value + at
        case ast.If() | ast.While() | ast.IfExp(), "negated_condition":
            node.test = _negated(node.test)
        case ast.Call(args=args), "swapped_arguments":
            args[at], args[at + 1] = args[at + 1], args[at]
        case (
            (
                ast.FunctionDef(body=body)
                | ast.AsyncFunctionDef(body=body)
                | ast.If(body=body)
                | ast.For(body=body)
                | ast.While(body=body)
                | ast.With(body=body)
            ),
            "dropped_statement",
        ):
            del body[at]
        case _:
            raise AssertionError(f"{mutation} does not fit {ast.dump(node)}")


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)
