"""reward.trios: preference trios whose better answer the corpus itself vouches for."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from random import Random

from pydantic import Field, field_validator

from olmeda.artifacts.corpus import Attributes, Corpus, Document
from olmeda.artifacts.examples import Trio
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ConfigError, InputError, unknown
from olmeda.base.files import write_json, write_rows
from olmeda.base.log import progress
from olmeda.instruct.draw import rank
from olmeda.reward.makers.python_mutation import python_mutation
from olmeda.reward.makers.python_signature import python_signature
from olmeda.reward.makers.text_corrupt import text_corrupt
from olmeda.reward.makers.text_shuffle import text_shuffle
from olmeda.reward.pairs import Balance, Maker
from olmeda.reward.walls import Documents, drawn

MAKERS: dict[str, Maker] = {
    "python_mutation": python_mutation,
    "python_signature": python_signature,
    "text_shuffle": text_shuffle,
    "text_corrupt": text_corrupt,
}


class Least(Config, frozen=True):
    """How many trios a maker must find to be used."""

    train: int = Field(default=40, ge=1)
    test: int = Field(default=10, ge=1)


class TriosConfig(Config, frozen=True):
    """Settings of reward.trios.

    ``subsets``: section -> its subsets, each a list of makers in order of preference; the first
    that finds ``least`` trios in this corpus is used, so that a corpus of Python gets trios about
    Python and any folder of prose trios about text. ``heldout``: attributes of data.hold_out; its
    held-out documents give the test trios. ``per_subset``, ``per_test``: most trios of a subset;
    ``per_document``: most of one document; ``per_source``: documents of each source looked at.
    """

    corpus: ArtifactPath
    heldout: ArtifactPath
    subsets: dict[str, list[list[str]]] = Field(min_length=1)
    per_subset: int = Field(default=1000, ge=1)
    per_test: int = Field(default=200, ge=1)
    per_document: int = Field(default=8, ge=1)
    per_source: int = Field(default=1500, ge=1)
    least: Least = Least()
    seed: int = 0

    @field_validator("subsets")
    @classmethod
    def _known(cls, subsets: dict[str, list[list[str]]]) -> dict[str, list[list[str]]]:
        for name in (n for lists in subsets.values() for names in lists for n in names):
            if name not in MAKERS:
                raise ValueError(unknown("maker of trios", name, MAKERS))
        return subsets


class Found:
    """What one maker made: trios of both splits, none in both, and what was passed over."""

    def __init__(self, name: str, section: str, config: TriosConfig) -> None:
        self.name, self.section, self.config = name, section, config
        self.left_out: Counter[str] = Counter()
        self._known: set[tuple[str, str]] = set()
        self._tested: set[str] = set()
        self.test: list[Trio] = []
        self.train: list[Trio] = []

    def read(self, documents: Documents) -> None:
        """Make the test trios, then train trios that share no answer with them."""
        self.test = self._made(documents.test, self.config.per_test, "test")
        self._tested = {trio.chosen for trio in self.test}
        self.train = self._made(documents.train, self.config.per_subset, "train")

    @property
    def is_enough(self) -> bool:
        """Whether there are at least the trios that a subset needs."""
        least = self.config.least
        return len(self.train) >= least.train and len(self.test) >= least.test

    def report(self) -> dict[str, object]:
        """Counts, how often the chosen answer is longer, mutations, what was left out and why."""
        both = [*self.train, *self.test]
        kinds = Counter(str(t.metadata["mutation"]) for t in both)
        return {
            "section": self.section,
            "train": len(self.train),
            "test": len(self.test),
            "chosen_longer": sum(len(t.chosen) > len(t.rejected) for t in both),
            "chosen_shorter": sum(len(t.chosen) < len(t.rejected) for t in both),
            "mutations": dict(sorted(kinds.items())),
            "left_out": dict(sorted(self.left_out.items())),
        }

    def _made(self, documents: Iterable[Document], most: int, split: str) -> list[Trio]:
        balance = Balance()
        made = (
            trio
            for document in progress(documents, f"{self.name} {split}")
            for trio in itertools.islice(self._of(document, balance), self.config.per_document)
        )
        return list(itertools.islice(made, most))

    def _of(self, document: Document, balance: Balance) -> Iterator[Trio]:
        draws = Random(rank(self.config.seed, self.name, document.id))
        for part, alternatives in MAKERS[self.name](document, draws):
            pair = balance.choose(alternatives)
            if pair is None:
                self.left_out["too long, or no pair keeps lengths in balance"] += 1
            elif (pair.prompt, pair.chosen) in self._known:
                self.left_out["made before"] += 1
                balance.surplus -= pair.longer
            elif pair.chosen in self._tested:
                self.left_out["its answer is tested"] += 1
                balance.surplus -= pair.longer
            else:
                self._known.add((pair.prompt, pair.chosen))
                yield Trio(
                    f"{self.name}/{document.id}#{part}", pair.prompt, pair.chosen, pair.rejected,
                    self.name, self.section, {"document": document.id, **pair.metadata},
                )  # fmt: skip


@verb("reward.trios", makes="examples")
def trios(config: TriosConfig, making: Making) -> None:
    """Make preference trios that the corpus can verify."""
    corpus = Corpus.open(config.corpus)
    heldout = Attributes.open(config.heldout, corpus)
    documents = drawn(corpus, heldout, config.per_source, config.seed)
    if not documents.test:
        raise InputError(f"{config.heldout}: holds out no document; hold some out to test with")
    tried: dict[str, Found] = {}
    used: dict[str, Found] = {}
    for section, names in subset_lists(config.subsets):
        found = _first_enough(section, names, config, documents, tried, used)
        used[found.name] = found
    for split in ("train", "test"):
        rows = [t for found in used.values() for t in (found.train, found.test)[split == "test"]]
        making.counts[split] = write_rows(making.path / f"{split}.jsonl", rows)
    reports = {name: found.report() | {"used": name in used} for name, found in tried.items()}
    write_json(making.path / "found.json", reports)
    making.counts |= {f"{name}.train": len(found.train) for name, found in used.items()}
    making.counts |= {f"{name}.test": len(found.test) for name, found in used.items()}


def subset_lists(subsets: Mapping[str, list[list[str]]]) -> Iterator[tuple[str, list[str]]]:
    """Each section with each of its lists of preference."""
    for section, lists in subsets.items():
        for names in lists:
            yield section, names


def _first_enough(
    section: str,
    names: list[str],
    config: TriosConfig,
    documents: Documents,
    tried: dict[str, Found],
    used: Mapping[str, Found],
) -> Found:
    """The first maker of a list that finds enough and is not used yet. Raises InputError."""
    free = [n for n in names if n not in used]
    if not free:
        raise ConfigError(f"subsets.{section}: {', '.join(names)} is used already; name another")
    for name in free:
        if name not in tried:
            tried[name] = Found(name, section, config)
            tried[name].read(documents)
        if tried[name].is_enough:
            return tried[name]
    gave = ", ".join(f"{n} {len(tried[n].train)} and {len(tried[n].test)}" for n in free)
    raise InputError(
        f"subsets.{section}: no maker finds {config.least.train} train and {config.least.test} "
        f"test trios in this corpus; found: {gave}. Add text, lower `least`, hold out more "
        "documents, or name another maker"
    )
