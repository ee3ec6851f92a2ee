"""The language of rules: comparisons of attributes, joined by and, or, not and parentheses.

::

    gopher.word_count < 50 or (c4.has_curly_brace == 1 and not characters.bytes > 1e5)

An attribute is ``tagger.name``, or ``tagger@version.name`` where several versions are there; a
value is a number or a quoted string. A comparison with a missing value is neither true nor false
(Kleene's logic: ``unknown or true`` is true, ``not unknown`` is unknown); a rule takes something
away only where its expression is decided.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from olmeda.base.errors import ConfigError, unknown

OPERATORS = {
    "<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal,
    "==": pc.equal, "!=": pc.not_equal,
}  # fmt: skip
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
      | (?P<name>[A-Za-z_]\w*(?:@\d+)?(?:\.[\w-]+)*)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign><=|>=|==|!=|<|>|\(|\))
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Attribute:
    """An attribute by the name a rule gives it."""

    name: str


@dataclass(frozen=True)
class Comparison:
    """``left operator right``; at least one side is an attribute."""

    left: Attribute | float | str
    operator: str
    right: Attribute | float | str


@dataclass(frozen=True)
class Not:
    """The opposite of an expression."""

    inner: Expression


@dataclass(frozen=True)
class Both:
    """``left and right``, or with ``either`` set ``left or right``."""

    left: Expression
    right: Expression
    either: bool


Expression = Comparison | Not | Both


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    column: int


def parse(text: str) -> Expression:
    """The expression that ``text`` says. Raises ConfigError naming the column of what is wrong."""
    reader = _Reader(text, _tokens(text))
    expression = reader.either()
    if reader.now.kind != "end":
        raise reader.problem("expected and, or, or the end")
    return expression


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise ConfigError(f"rule {text!r}: cannot read {text[at:]!r} at column {at + 1}")
        kind = match.lastgroup or ""
        word = match.group(kind)
        if kind == "name" and word in ("and", "or", "not"):
            kind = "sign"
        found.append(_Token(kind, word, match.start(match.lastgroup or 0) + 1))
        at = match.end()
    return [*found, _Token("end", "the end", len(text) + 1)]


class _Reader:
    """Recursive descent over the tokens: or, and, not, comparison."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self.text, self.tokens, self.at = text, tokens, 0

    @property
    def now(self) -> _Token:
        return self.tokens[self.at]

    def problem(self, expected: str) -> ConfigError:
        shown = self.now.text if self.now.kind == "end" else repr(self.now.text)
        return ConfigError(
            f"rule {self.text!r}: {expected} at column {self.now.column}, found {shown}"
        )

    def take(self, *signs: str) -> str:
        """The token's text if it is one of ``signs``, else nothing."""
        if self.now.kind == "sign" and self.now.text in signs:
            self.at += 1
            return self.tokens[self.at - 1].text
        return ""

    def either(self) -> Expression:
        left = self.both()
        while self.take("or"):
            left = Both(left, self.both(), True)
        return left

    def both(self) -> Expression:
        left = self.negation()
        while self.take("and"):
            left = Both(left, self.negation(), False)
        return left

    def negation(self) -> Expression:
        if self.take("not"):
            return Not(self.negation())
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise self.problem("expected )")
            return inner
        return self.comparison()

    def comparison(self) -> Comparison:
        left = self.value()
        sign = self.take(*OPERATORS)
        if not sign:
            raise self.problem("expected a comparison (< <= > >= == !=)")
        right = self.value()
        if not isinstance(left, Attribute) and not isinstance(right, Attribute):
            raise ConfigError(f"rule {self.text!r}: compares two values, and no attribute")
        if self.now.kind == "sign" and self.now.text in OPERATORS:
            raise self.problem("expected and, or, or the end (write a < b and b < c)")
        return Comparison(left, sign, right)

    def value(self) -> Attribute | float | str:
        token = self.now
        if token.kind not in ("name", "number", "text"):
            raise self.problem("expected an attribute, a number or a quoted string")
        self.at += 1
        if token.kind == "number":
            return float(token.text)
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1])
        return Attribute(token.text)


def resolve(name: str, columns: Mapping[str, str]) -> str:
    """The column that ``name`` means. ``columns``: ``tagger@version.name`` -> kind.

    Raises ConfigError for a name that no column has, or that several versions have.
    """
    if name in columns:
        return name
    plain = {column: re.sub(r"@\d+\.", ".", column) for column in columns}
    matches = [column for column, short in plain.items() if short == name]
    if len(matches) > 1:
        raise ConfigError(f"{name!r} is there in versions: {', '.join(matches)}; name one")
    if not matches:
        raise ConfigError(unknown("attribute", name, [*plain.values()]))
    return matches[0]


def bound(expression: Expression, columns: Mapping[str, str], rule: str) -> Expression:
    """The expression with full column names, every comparison checked to be of one kind."""
    try:
        return _bound(expression, columns)
    except ConfigError as problem:
        raise ConfigError(f"rule {rule!r}: {problem}") from None


def _bound(expression: Expression, columns: Mapping[str, str]) -> Expression:
    if isinstance(expression, Not):
        return Not(_bound(expression.inner, columns))
    if isinstance(expression, Both):
        left, right = _bound(expression.left, columns), _bound(expression.right, columns)
        return Both(left, right, expression.either)
    sides = [
        Attribute(resolve(side.name, columns)) if isinstance(side, Attribute) else side
        for side in (expression.left, expression.right)
    ]
    kinds = [_kind(side, columns) for side in sides]
    for side, kind in zip(sides, kinds):
        if kind == "spans":
            raise ConfigError(f"{_shown(side)} is spans, which have no value; use it with cut:")
    if kinds[0] != kinds[1]:
        raise ConfigError(
            f"{_shown(sides[0])} is a {kinds[0]}, and {_shown(sides[1])} is a {kinds[1]}"
        )
    return Comparison(sides[0], expression.operator, sides[1])


def _kind(side: Attribute | float | str, columns: Mapping[str, str]) -> str:
    if isinstance(side, Attribute):
        return columns[side.name]
    return "number" if isinstance(side, float) else "text"


def _shown(side: Attribute | float | str) -> str:
    return side.name if isinstance(side, Attribute) else repr(side)


def evaluate(expression: Expression, table: pa.Table) -> pa.Array:
    """Booleans [rows] of a bound expression; null where it is undecided."""
    if isinstance(expression, Not):
        return pc.invert(evaluate(expression.inner, table))
    if isinstance(expression, Both):
        join = pc.or_kleene if expression.either else pc.and_kleene
        return join(evaluate(expression.left, table), evaluate(expression.right, table))
    left, right = (
        table.column(side.name) if isinstance(side, Attribute) else pa.scalar(side)
        for side in (expression.left, expression.right)
    )
    return OPERATORS[expression.operator](left, right)
