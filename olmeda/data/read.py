"""data.read: bring sources into one corpus; what cannot be read is named or set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import field_validator, model_validator

from olmeda.artifacts.corpus import CorpusWriter, Document
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import Config
from olmeda.base.errors import InputError
from olmeda.base.files import write_rows
from olmeda.base.log import progress, say
from olmeda.data.found import Bad, Found, Source
from olmeda.data.registries import source

QUARANTINE = "quarantine.jsonl"


class SourceConfig(Config, frozen=True, extra="allow"):
    """One source: its name in the corpus, its kind, and the kind's own parameters.

    ``share``: the part of a mix that this source asks for; all sources declare one, or none does.
    """

    name: str
    kind: str
    share: float | None = None

    @field_validator("name")
    @classmethod
    def _is_a_file_name(cls, name: str) -> str:
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"{name!r} cannot name files; use letters, digits, - and _")
        return name

    @property
    def place(self) -> str:
        """How messages name the source, with its path if it has one."""
        path = (self.model_extra or {}).get("path")
        return f"source {self.name}" + (f", in {path}" if path else "")

    def build(self) -> Source:
        """The source with its parameters checked. Raises ConfigError naming nearest kinds."""
        built: Source = source.bind({**(self.model_extra or {}), "name": self.kind})()
        return built


class ReadConfig(Config, frozen=True):
    """Which sources are read, and what happens to a record that is no document."""

    sources: list[SourceConfig]
    on_bad: Literal["stop", "quarantine"] = "stop"
    shard_bytes: int = 64_000_000

    @model_validator(mode="after")
    def _names_and_shares_fit(self) -> ReadConfig:
        if not self.sources:
            raise ValueError("sources: at least one is needed")
        twice = [n for n, times in Counter(s.name for s in self.sources).items() if times > 1]
        if twice:
            raise ValueError(f"sources: two are called {twice[0]!r}")
        given = [s.name for s in self.sources if s.share is not None]
        if given and len(given) < len(self.sources):
            silent = next(s.name for s in self.sources if s.share is None)
            raise ValueError(f"sources: {given[0]!r} declares a share, so {silent!r} must too")
        if any(s.share is not None and s.share < 0 for s in self.sources):
            raise ValueError("sources: a share is 0 or more")
        return self

    @property
    def shares(self) -> dict[str, float]:
        """The declared share of each source, empty if none is declared."""
        return {s.name: s.share for s in self.sources if s.share is not None}


def fingerprints(config: ReadConfig) -> dict[str, str]:
    """What each source would read, digested."""
    return {s.name: s.build().fingerprint() for s in config.sources}


@verb("data.read", makes="corpus", fingerprints=fingerprints)
def read(config: ReadConfig, making: Making) -> None:
    """Read sources into a corpus."""
    sources = [(s, s.build()) for s in config.sources]
    bad: list[Bad] = []
    counts: Counter[str] = Counter()
    with CorpusWriter(making.path, config.shares, config.shard_bytes) as out:
        for document in progress(_documents(sources, config.on_bad, bad), "read"):
            out.write(document)
            counts["documents"] += 1
            counts["characters"] += len(document.text)
            counts[f"documents/{document.source}"] += 1
    for held, _ in sources:
        if not counts[f"documents/{held.name}"]:
            raise InputError(f"{held.place}: gave no document at all{_why_none(held.name, bad)}")
    making.counts.update(counts)
    if bad:
        write_rows(making.path / QUARANTINE, bad)
        making.counts["quarantined"] = len(bad)
        say(f"{len(bad)} records are no documents; they are kept in {QUARANTINE} with the reasons")


def _documents(
    sources: Sequence[tuple[SourceConfig, Source]], on_bad: str, bad: list[Bad]
) -> Iterator[Document]:
    """Good documents of all sources in order; bad records go to ``bad``, or stop everything."""
    places: dict[str, str] = {}
    for config, held in sources:
        name = config.name
        for item in held.read(name):
            if isinstance(item, Found):
                item = _unless_known(item, places)
            if isinstance(item, Found):
                places[item.document.id] = f"{name}, {item.place}"
                yield item.document
                continue
            if on_bad == "stop":
                raise InputError(
                    f"{item.place}: {item.reason} ({config.place}). Mend it, or say "
                    "on_bad: quarantine to set such records aside"
                )
            bad.append(Bad(item.file, item.line, item.reason, item.content, name))


def _unless_known(item: Found, places: dict[str, str]) -> Found | Bad:
    """The document, or a bad record where its id was given before: ids name documents."""
    first = places.get(item.document.id)
    if first is None:
        return item
    reason = f"the id {item.document.id!r} was given before, at {first}; ids must differ"
    return Bad(item.file, item.line, reason, item.document.text[:200])


def _why_none(name: str, bad: list[Bad]) -> str:
    own = [b for b in bad if b.source == name]
    if not own:
        return "; it is empty"
    return f"; {len(own)} records were bad, the first at {own[0].place}: {own[0].reason}"
