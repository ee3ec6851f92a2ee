"""Rules bound to the attributes there are, and what they say of the documents of a shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pydantic import model_validator

from olmeda.base.config import Config
from olmeda.base.errors import ConfigError, unknown
from olmeda.data.cut import Cut, merged
from olmeda.data.rules import Attribute, Both, Expression, Not, bound, evaluate, parse, resolve

COPY_OF = {"duplicate_document": "kept", "near_copy": "nearest"}
"""Where a rule asks for the first, the second names the other document, for the ledger."""


class RuleConfig(Config, frozen=True):
    """One rule: ``drop`` where an expression is true, ``keep`` only where it is, or ``cut`` spans.

    ``replace`` is put in the place of each cut; ``sources`` limits the rule to some sources.
    """

    drop: str | None = None
    keep: str | None = None
    cut: str | None = None
    replace: str = ""
    sources: list[str] = []

    @model_validator(mode="after")
    def _does_one_thing(self) -> RuleConfig:
        given = [v for v in (self.drop, self.keep, self.cut) if v is not None]
        if len(given) != 1:
            raise ValueError("a rule says one of drop, keep, cut")
        if self.replace and self.cut is None:
            raise ValueError("replace goes with cut")
        return self


@dataclass(frozen=True)
class Rule:
    """A checked rule. ``expression`` decides a drop or keep, ``spans`` names the column of a cut.

    ``reason`` is the rule's own text; ``copy`` the column that names the document's copy, if any.
    """

    reason: str
    expression: Expression | None
    drops_where: bool
    spans: str
    replacement: str
    sources: frozenset[str]
    copy: str

    def is_about(self, source: str) -> bool:
        """Whether the rule is meant for documents of ``source``."""
        return not self.sources or source in self.sources


def bind_rule(config: RuleConfig, columns: Mapping[str, str], sources: Sequence[str]) -> Rule:
    """Check a rule against the attributes and sources there are. Raises ConfigError."""
    for source in config.sources:
        if source not in sources:
            raise ConfigError(f"rules: {unknown('source', source, sources)}")
    only = frozenset(config.sources)
    if config.cut is not None:
        column = resolve(config.cut.strip(), columns)
        if columns[column] != "spans":
            raise ConfigError(f"rule cut: {config.cut!r} is a {columns[column]}, not spans")
        return Rule(config.cut.strip(), None, False, column, config.replace, only, "")
    text = (config.drop if config.drop is not None else config.keep) or ""
    expression = bound(parse(text), columns, text)
    reason = text.strip() if config.drop is not None else f"keep: {text.strip()}"
    copy = next((c for c in map(_copy_column, attributes_of(expression)) if c in columns), "")
    return Rule(reason, expression, config.drop is not None, "", "", only, copy)


def attributes_of(expression: Expression) -> list[str]:
    """The columns an expression reads, in order."""
    if isinstance(expression, Not):
        return attributes_of(expression.inner)
    if isinstance(expression, Both):
        return attributes_of(expression.left) + attributes_of(expression.right)
    sides = (expression.left, expression.right)
    return [side.name for side in sides if isinstance(side, Attribute)]


def _copy_column(column: str) -> str:
    tagger, _, name = column.rpartition(".")
    return f"{tagger}.{COPY_OF.get(name, '')}"


def dropped_by(rules: Sequence[Rule], table: pa.Table, source: str) -> list[Rule | None]:
    """For each document the first rule that drops it, or None."""
    found: list[Rule | None] = [None] * table.num_rows
    for rule in rules:
        if rule.expression is None or not rule.is_about(source):
            continue
        for row, verdict in enumerate(evaluate(rule.expression, table).to_pylist()):
            if found[row] is None and verdict is rule.drops_where:
                found[row] = rule
    return found


def cuts_of(rules: Sequence[Rule], table: pa.Table, source: str) -> list[list[Cut]]:
    """For each document the disjoint stretches that the cut rules take."""
    found: list[list[Cut]] = [[] for _ in range(table.num_rows)]
    for rule in rules:
        if not rule.spans or not rule.is_about(source):
            continue
        for row, spans in enumerate(table.column(rule.spans).to_pylist()):
            found[row] += [
                Cut(span["start"], span["end"], rule.reason, rule.replacement)
                for span in spans or ()
            ]
    return [merged(cuts) if cuts else cuts for cuts in found]
