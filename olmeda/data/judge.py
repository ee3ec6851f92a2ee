"""What rules, cuts and a least length make of each document, before shares are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from olmeda.artifacts.corpus import Attributes, Corpus, Document, Shard
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.data.cut import Cut, without
from olmeda.data.decide import Rule, cuts_of, dropped_by

RULES, CUTS, LENGTH, SHARES = "rules", "cuts", "length", "shares"
"""The stages of a mix, in order."""
NOTHING_LEFT = "nothing left after cuts"


@dataclass(frozen=True)
class Outcome:
    """What rules, cuts and length leave of a document; ``reason`` is empty where it stays."""

    document: Document
    cuts: Sequence[Cut]
    text: str
    stage: str = ""
    reason: str = ""
    kept: str | None = None


def join_kinds(attributes: Sequence[Attributes]) -> dict[str, str]:
    """Every column of several attribute sets with its kind. Raises ConfigError for a repetition."""
    columns: dict[str, str] = {}
    for held in attributes:
        for name, kind in held.columns.items():
            if name in columns:
                raise ConfigError(f"attributes: {name!r} is in two of them; leave one out")
            columns[name] = kind
    return columns


@dataclass(frozen=True)
class Judge:
    """Rules, cuts and length over a corpus; ``outcomes`` may be gone through more than once."""

    corpus: Corpus
    attributes: Sequence[Attributes]
    rules: Sequence[Rule]
    min_characters: int

    def stages(self, with_shares: bool) -> list[str]:
        """The stages of the funnel, in order."""
        stages = [RULES]
        stages += [CUTS] if any(rule.spans for rule in self.rules) else []
        stages += [LENGTH] if self.min_characters else []
        return stages + ([SHARES] if with_shares else [])

    def outcomes(self) -> Iterator[Outcome]:
        """What becomes of each document, in order."""
        for shard in self.corpus.shards:
            yield from self.judge(shard)

    def judge(self, shard: Shard) -> Iterator[Outcome]:
        """What becomes of each document of one shard."""
        table = self.table(shard)
        dropped = dropped_by(self.rules, table, shard.source)
        cuts = cuts_of(self.rules, table, shard.source)
        copies = {
            rule.copy: table.column(rule.copy).to_pylist() for rule in self.rules if rule.copy
        }
        ids = table.column("id").to_pylist()
        for row, document in enumerate(self.corpus.read(shard)):
            if ids[row] != document.id:
                raise ArtifactError(
                    f"{shard.name}, row {row}: attributes are of {ids[row]}, the document is "
                    f"{document.id}; make the attributes again"
                )
            rule = dropped[row]
            if rule is not None:
                kept = copies[rule.copy][row] if rule.copy else None
                yield Outcome(document, (), document.text, RULES, rule.reason, kept)
            else:
                yield self.shortened(document, cuts[row])

    def shortened(self, document: Document, cuts: Sequence[Cut]) -> Outcome:
        """The document after its cuts, dropped where too little is left."""
        text = without(document.text, cuts) if cuts else document.text
        size = len(text.strip())
        if cuts and not size:
            return Outcome(document, cuts, text, CUTS, NOTHING_LEFT)
        if size < self.min_characters:
            return Outcome(document, cuts, text, LENGTH, f"min_characters: {self.min_characters}")
        return Outcome(document, cuts, text)

    def table(self, shard: Shard) -> pa.Table:
        """All attributes of one shard side by side. Raises ArtifactError where ids differ."""
        whole: pa.Table | None = None
        for held in self.attributes:
            table = held.read(shard)
            if whole is None:
                whole = table
                continue
            if not whole.column("id").equals(table.column("id")):
                raise ArtifactError(f"{held.path}: {shard.name} has other ids; make it again")
            for name in table.column_names[1:]:
                whole = whole.append_column(name, table.column(name))
        if whole is None:
            ids = [document.id for document in self.corpus.read(shard)]
            return pa.table({"id": pa.array(ids, pa.string())})
        return whole
