"""data.mix: apply rules, cut spans, and draw each source's share of a budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from pydantic import Field, model_validator

from olmeda.artifacts.corpus import Attributes, Corpus, CorpusWriter, write_ledger
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import InputError
from olmeda.base.log import progress, say
from olmeda.data.decide import RuleConfig, bind_rule
from olmeda.data.funnel import Funnel
from olmeda.data.judge import CUTS, SHARES, Judge, Outcome, join_kinds
from olmeda.data.ledger import LedgerRows
from olmeda.data.shares import Budget, Unit, allowances, chosen_shares, select, sizes_of


class MixConfig(Config, frozen=True):
    """What goes into a corpus: rules in order, a least length, and shares of a budget.

    ``min_characters`` counts the text without white space around it. ``shares`` are those the
    sources declared, or one a source; they matter only with a ``budget``.
    """

    corpus: ArtifactPath
    attributes: list[ArtifactPath] = []
    rules: list[RuleConfig] = []
    min_characters: int = Field(default=0, ge=0)
    budget: Budget | None = None
    shares: Literal["declared"] | dict[str, float] = "declared"
    seed: int = 0
    shard_bytes: int = 64_000_000

    @model_validator(mode="after")
    def _shares_have_a_budget(self) -> MixConfig:
        if self.budget is None and self.shares != "declared":
            raise ValueError("shares: are shares of a budget; say budget: {unit: …, amount: …}")
        return self


@verb("data.mix", makes="corpus")
def mix(config: MixConfig, making: Making) -> None:
    """Apply rules and shares; keep a ledger of what left and why."""
    corpus = Corpus.open(config.corpus)
    attributes = [Attributes.open(path, corpus) for path in config.attributes]
    columns = join_kinds(attributes)
    rules = [bind_rule(rule, columns, corpus.sources) for rule in config.rules]
    shares = chosen_shares(config.shares, corpus.shares, corpus.sources) if config.budget else {}
    judge = Judge(corpus, attributes, rules, config.min_characters)
    funnel, ledger = Funnel(judge.stages(config.budget is not None), corpus.sources), LedgerRows()
    chosen: set[str] | None = None
    reasons: dict[str, str] = {}
    if config.budget is not None:
        chosen, reasons = draw_shares(judge, config.budget, shares, config.seed, funnel)
    with CorpusWriter(making.path, corpus.shares, config.shard_bytes) as out:
        for outcome in progress(judge.outcomes(), "mix", corpus.documents):
            if chosen is not None and not outcome.stage and outcome.document.id not in chosen:
                reason = reasons[outcome.document.source]
                outcome = Outcome(outcome.document, outcome.cuts, outcome.text, SHARES, reason)
            enter_books(outcome, funnel, ledger)
            if not outcome.stage:
                out.write(msgspec.structs.replace(outcome.document, text=outcome.text))
    write_ledger(making.path, [ledger.table()], funnel.rows())
    making.counts.update(totals(funnel, corpus))


def draw_shares(
    judge: Judge, budget: Budget, shares: Mapping[str, float], seed: int, funnel: Funnel
) -> tuple[set[str], dict[str, str]]:
    """``(ids that go in, reason for each source's others)``; a source that is short is noted."""
    ids: dict[str, list[str]] = {source: [] for source in judge.corpus.sources}
    sizes: dict[str, list[int]] = {source: [] for source in judge.corpus.sources}
    for shard in judge.corpus.shards:
        left = [outcome for outcome in judge.judge(shard) if not outcome.stage]
        ids[shard.source] += [outcome.document.id for outcome in left]
        sizes[shard.source] += _sizes(left, budget.unit)
    available = {source: sum(held) for source, held in sizes.items()}
    allowed = allowances(budget.amount, available, shares)
    chosen: set[str] = set()
    reasons: dict[str, str] = {}
    for source, allowance in allowed.items():
        reasons[source] = f"over its share of {allowance:,} {budget.unit}"
        chosen |= select(ids[source], sizes[source], allowance, seed)
        if available[source] < allowance:
            note = f"has only {available[source]:,} of its share of {allowance:,} {budget.unit}"
            funnel.drop(SHARES, source, note, 0)
            say(f"source {source}: {note}; the others are not given more")
    return chosen, reasons


def _sizes(outcomes: Sequence[Outcome], unit: Unit) -> list[int]:
    return [int(size) for size in sizes_of([outcome.text for outcome in outcomes], unit)]


def enter_books(outcome: Outcome, funnel: Funnel, ledger: LedgerRows) -> None:
    """Count a document through the stages to where it left, or out of the last one."""
    document = outcome.document
    before, source = len(document.text), document.source
    for stage in funnel.stages:
        funnel.enter(stage, source, before)
        if stage == CUTS:
            funnel.cut(stage, source, outcome.cuts)
            before = len(outcome.text)
            for cut in outcome.cuts:
                ledger.cut(document.id, source, stage, cut)
        if stage == outcome.stage:
            funnel.drop(stage, source, outcome.reason)
            length = len(document.text)
            ledger.drop(document.id, source, stage, outcome.reason, length, outcome.kept)
            return
        funnel.leave(stage, source, before)


def totals(funnel: Funnel, corpus: Corpus) -> dict[str, int]:
    """What a person wants to know of a mix. Raises InputError if no document is left."""
    rows = funnel.rows()
    last = [row for row in rows if row.stage == funnel.stages[-1]]
    reasons: Counter[str] = Counter()
    for row in rows:
        reasons.update(row.dropped)
    if not sum(row.documents_out for row in last):
        told = "; ".join(f"{times} by {reason!r}" for reason, times in reasons.most_common(3))
        raise InputError(f"{corpus.path}: no document is left after the mix: {told}")
    return {
        "documents": sum(row.documents_out for row in last),
        "characters": sum(row.characters_out for row in last),
        "documents_in": corpus.documents,
        "dropped": reasons.total(),
        "cut_spans": sum(sum(row.cut_spans.values()) for row in rows),
        **{f"documents/{row.source}": row.documents_out for row in last},
    }
