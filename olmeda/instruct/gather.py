"""What one task finds in a corpus: rendered, cut to size, each question once, drawn by rank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from olmeda.artifacts.examples import Instance
from olmeda.base.files import digest_bytes
from olmeda.instruct.draw import Draw, rank
from olmeda.instruct.registries import Item
from olmeda.instruct.split import SPLITS, TEST, TRAIN, VALIDATION, Placed
from olmeda.instruct.task import TaskFile
from olmeda.instruct.template import Rendered


class Limits(NamedTuple):
    """How many instances a split takes, and how long their texts may be (characters)."""

    most: Mapping[str, int]
    input_characters: int
    output_characters: int

    def allow(self, text: Rendered) -> bool:
        """Whether both parts are short enough."""
        short = len(text.input) <= self.input_characters
        return short and len(text.output) <= self.output_characters


class Gathering:
    """The instances that one task finds, as a pass over the corpus goes on."""

    def __init__(
        self, file: TaskFile, source: Path, family: str, limits: Limits, seed: int
    ) -> None:
        self.file, self.source, self.family = file, source, family
        self.left_out: Counter[str] = Counter()
        self._items, self._limits, self._seed = file.items(), limits, seed
        labels = file.choices or [""]
        self._draws = {
            (split, label): Draw[Instance](-(-limits.most[split] // len(labels)))
            for split in SPLITS
            for label in labels
        }
        self._seen: dict[str, set[str]] = {split: set() for split in SPLITS}

    def read(self, placed: Placed) -> None:
        """Offer every item of one document."""
        document, split = placed
        if split is None:
            self.left_out["near copy across the split"] += 1
            return
        for item in self._items(document):
            self._offer(document.id, item, split)

    def _offer(self, document: str, item: Item, split: str) -> None:
        name = f"{self.file.name}/{document}#{item.part}"
        text = self.file.render(item.fields, name)
        if not self._limits.allow(text):
            self.left_out["too long"] += 1
            return
        mark = _mark(text.input)
        if mark in self._seen[split]:
            self.left_out["asked before"] += 1
            return
        self._seen[split].add(mark)
        metadata: dict[str, Any] = {
            "split": split,
            "template": self.file.name,
            "document": document,
        }
        if self.file.choices:
            metadata["choices"] = self.file.choices
        row = Instance(name, self.family, text.input, text.output, metadata | item.about)
        label = text.output if self.file.choices else ""
        self._draws[split, label].offer(rank(self._seed, name), row)

    def rows(self, split: str) -> list[Instance]:
        """The drawn instances in order of rank; equally many of each choice.

        A question that also stands in a more protected split is left out.
        """
        barred = {TRAIN: (VALIDATION, TEST), VALIDATION: (TEST,), TEST: ()}[split]
        drawn = [d.ranked() for (s, _), d in self._draws.items() if s == split]
        for label, ranked in enumerate(drawn):
            drawn[label] = [(r, row) for r, row in ranked if not self._stands_in(row, barred)]
        fewest = min(len(ranked) for ranked in drawn)
        kept = [pair for ranked in drawn for pair in ranked[:fewest]]
        return [row for _, row in sorted(kept, key=lambda pair: (pair[0], pair[1].id))]

    def _stands_in(self, row: Instance, splits: Sequence[str]) -> bool:
        mark = _mark(row.input)
        return any(mark in self._seen[split] for split in splits)

    def found(self) -> dict[str, int | dict[str, int]]:
        """How many instances of each split, and what was left out why."""
        counts: dict[str, int | dict[str, int]] = {s: len(self.rows(s)) for s in SPLITS}
        return counts | {"left_out": dict(sorted(self.left_out.items()))}


def _mark(text: str) -> str:
    return digest_bytes(text.encode("utf-8", "surrogatepass"))
