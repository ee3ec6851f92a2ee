"""Routing: how a mixture of experts spreads tokens, by layer, source and token."""

from __future__ import annotations

from pathlib import Path

import msgspec

from olmeda.artifacts.lineage import check
from olmeda.base.files import read_json
from olmeda.web.heat import Heat, heat_full, heat_half
from olmeda.web.numerals import decimal, interval, percent, whole
from olmeda.web.page import Cell, Fact, Figure, Origin, Row, Section, Table, table
from olmeda.web.provenance import origin


class Share(msgspec.Struct, frozen=True):
    """A share of one with its interval over documents."""

    share: float
    low: float
    high: float


class Pair(msgspec.Struct, frozen=True):
    """How often ``other`` is chosen where ``expert`` is."""

    expert: int
    other: int
    share: float


class Word(msgspec.Struct, frozen=True):
    """A token that keeps to one expert: its text, its id, the share of its visits, its count."""

    text: str
    id: int
    share: float
    count: int


class Vocabulary(msgspec.Struct, frozen=True):
    """The mean share of a token's visits that go to its favourite expert."""

    share: float
    chance: float
    ids: int
    words: list[list[Word]]


class Layer(msgspec.Struct, frozen=True):
    """What was measured of one layer; lists are by expert."""

    layer: int
    load: list[Share]
    evenness: float
    domains: dict[str, list[Share]]
    top_pairs: list[Pair]
    vocabulary: Vocabulary
    saturation: dict[str, float]


class Routing(msgspec.Struct, frozen=True):
    """What ``routing.json`` of routing.analyse holds; ``chance`` is what random routing gives."""

    system: str
    experts: int
    chosen: int
    tokens: int
    documents: int
    sources: list[str]
    least_count: int
    chance: dict[str, float]
    layers: list[Layer]


def routing_section(routing: Path) -> Section:
    """Load, specialisation by source and by token of every layer, against chance."""
    check(routing, "scores")
    found: Routing = read_json(routing / "routing.json", Routing)
    where = origin(routing)
    lead = (
        f"{found.system} has {found.experts} experts in each of {len(found.layers)} layers and "
        f"sends every token to {found.chosen} of them. Measured on {whole(found.tokens)} tokens of "
        f"{whole(found.documents)} held-out documents."
    )
    blocks = (_load(found, where), _layers(found, where), _sources(found, where),
              _words(found, where))  # fmt: skip
    least = min(layer.evenness for layer in found.layers)
    fact = Fact(percent(least), "evenness of expert use in the least even layer", where)
    return Section("routing", "Expert use", lead, blocks, (fact,))


def _load(found: Routing, where: Origin) -> Figure:
    chance = found.chance["load"]
    cells = [
        Heat(str(layer.layer), expert, held.share, chance)
        for layer in found.layers
        for expert, held in enumerate(layer.load)
    ]
    caption = (
        f"Share of tokens (per cent) that each expert gets, by layer. Uniform is "
        f"{percent(chance, 2)}: blank; blue is more, orange less, full colour four times or a "
        "quarter."
    )
    highest = max(cells, key=lambda c: c.share)
    alt = f"{caption} The most used is expert {highest.column} of layer {highest.row}."
    panel = heat_full("share of each expert", cells, "expert", "layer")
    return Figure(caption, (panel,), alt, (where,))


def _sources(found: Routing, where: Origin) -> Figure:
    chance = found.chance["domain_share"]
    panels = tuple(
        heat_half(
            f"layer {layer.layer}",
            [Heat(source, expert, held.share, chance)
             for source, shares in layer.domains.items() for expert, held in enumerate(shares)],
            "expert", "",
        )
        for layer in found.layers
    )  # fmt: skip
    caption = (
        "Specialisation by source: share of a source's tokens that visit each expert, against "
        f"{percent(chance)} by chance (blank). Rows of different colour show experts that prefer "
        "a source."
    )
    return Figure(caption, panels, caption, (where,))


def _layers(found: Routing, where: Origin) -> Table:
    settled = list(dict.fromkeys(name for layer in found.layers for name in layer.saturation))
    rows: list[Row] = []
    for layer in found.layers:
        most, least = max(layer.load, key=_share), min(layer.load, key=_share)
        pair = layer.top_pairs[0] if layer.top_pairs else None
        rows.append(
            [str(layer.layer), decimal(layer.evenness), _cell(most), _cell(least),
             "–" if pair is None else percent(pair.share),
             percent(layer.vocabulary.share), percent(layer.vocabulary.chance),
             *(percent(layer.saturation[n]) if n in layer.saturation else "–" for n in settled)]
        )  # fmt: skip
    heads = ["Layer", "Evenness", "Most used", "Least used", "Closest pair", "Token to favourite",
             "by chance", *(f"settled at {name}" for name in settled)]  # fmt: skip
    caption = (
        "Each layer: evenness of use (1 is uniform), shares of the most and the least used expert "
        "with 95 % intervals over documents, how often the closest pair of experts is chosen "
        f"together ({percent(found.chance['coactivation'])} by chance), and the mean share of a "
        "token's visits that go to its favourite expert (tokens seen at least "
        f"{found.least_count} times)."
    )
    return table(caption, heads, rows, [where])


def _words(found: Routing, where: Origin) -> Table:
    last = found.layers[-1]
    rows: list[Row] = [
        [str(expert), Cell("  ".join(visible(w.text) for w in words) or "–", code=True),
         percent(words[0].share, 0) if words else "–"]
        for expert, words in enumerate(last.vocabulary.words)
    ]  # fmt: skip
    caption = (
        f"Tokens that keep most to each expert of layer {last.layer} (␣ is a space, ⏎ a new line), "
        "and the share of the first one's visits."
    )
    return table(caption, ["Expert", "<<Tokens", "Share"], rows, [where])


def visible(text: str) -> str:
    """Text of a token with its white space shown; what cannot be printed is escaped."""
    shown = text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown)


def _share(held: Share) -> float:
    return held.share


def _cell(held: Share) -> Cell:
    return Cell(percent(held.share), interval(100 * held.low, 100 * held.high, 1))
