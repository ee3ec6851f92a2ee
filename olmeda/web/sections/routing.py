"""Routing: how a mixture of experts spreads tokens, by layer, source and token."""

from __future__ import annotations

import pathlib

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


class Specialised(msgspec.Struct, frozen=True):
    """The mean share of a token's visits that go to its favourite expert, with its interval."""

    share: float
    low: float
    high: float
    chance: float
    ids: int


class Flow(msgspec.Struct, frozen=True):
    """Of the tokens of ``expert``, the share that visits ``other`` in the next layer."""

    expert: int
    other: int
    share: float
    low: float
    high: float
    chance: float


class Path(msgspec.Struct, frozen=True):
    """What a token's expert tells of its expert in layer ``to``, in bits, and the main flows."""

    to: int
    bits: float
    bits_low: float
    bits_high: float
    bits_chance: float
    flows: list[Flow]


class Settled(msgspec.Struct, frozen=True):
    """How much of the final choice an earlier checkpoint made: all experts, and the first."""

    all: Share
    top1: Share


class Layer(msgspec.Struct, frozen=True):
    """What was measured of one layer; lists are by expert; ``coactivation`` is of ``shown``."""

    layer: int
    load: list[Share]
    evenness: float
    domains: dict[str, list[Share]]
    top_pairs: list[Pair]
    shown: list[int]
    coactivation: list[list[float]]
    vocabulary: dict[str, Specialised]
    words: list[list[Word]]
    paths: list[Path]
    saturation: dict[str, Settled]


class Routing(msgspec.Struct, frozen=True):
    """What ``routing.json`` of routing.analyse holds; ``chance`` is what random routing gives."""

    system: str
    experts: int
    chosen: int
    tokens: int
    documents: int
    sources: list[str]
    level: float
    least_count: int
    chance: dict[str, float]
    layers: list[Layer]


def routing_section(routing: pathlib.Path) -> Section:
    """Load, specialisation by source and by token of every layer, against chance."""
    check(routing, "scores")
    found: Routing = read_json(routing / "routing.json", Routing)
    where = origin(routing)
    lead = (
        f"{found.system} has {found.experts} experts in each of {len(found.layers)} layers and "
        f"sends every token to {found.chosen} of them. Measured on {whole(found.tokens)} tokens of "
        f"{whole(found.documents)} held-out documents."
    )
    blocks: tuple[Figure | Table, ...] = (
        _load(found, where), _layers(found, where), _sources(found, where), _pairs(found, where),
        _vocabulary(found, where), _paths(found, where), _words(found, where),
    )  # fmt: skip
    if found.layers[0].saturation:
        blocks = (*blocks[:2], _settled(found, where), *blocks[2:])
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
    rows: list[Row] = []
    for layer in found.layers:
        most, least = max(layer.load, key=_share), min(layer.load, key=_share)
        pair = layer.top_pairs[0] if layer.top_pairs else None
        rows.append(
            [str(layer.layer), decimal(layer.evenness), _cell(most), _cell(least),
             "–" if pair is None else f"{pair.expert} → {pair.other}",
             "–" if pair is None else percent(pair.share)]
        )  # fmt: skip
    heads = ["Layer", "Evenness", "Most used", "Least used", "Closest pair", "together"]
    caption = (
        "Each layer: evenness of use (1 is uniform), shares of the most and the least used expert "
        f"with {percent(found.level, 0)} intervals over documents, and the pair of experts chosen "
        f"together most often ({percent(found.chance['coactivation'])} by chance)."
    )
    return table(caption, heads, rows, [where])


def _settled(found: Routing, where: Origin) -> Table:
    names = list(found.layers[0].saturation)
    rows: list[Row] = [
        [str(layer.layer), *(_cell(layer.saturation[n].all) for n in names),
         *(_cell(layer.saturation[n].top1) for n in names)]
        for layer in found.layers
    ]  # fmt: skip
    chance, first = found.chance["saturation"], found.chance["saturation_top1"]
    caption = (
        "Saturation: how many of a token's final experts an earlier checkpoint chose already "
        f"({percent(chance)} by chance), and how often its first expert was the same "
        f"({percent(first)} by chance)."
    )
    heads = ["Layer", *(f"all, {n}" for n in names), *(f"first, {n}" for n in names)]
    return table(caption, heads, rows, [where])


def _pairs(found: Routing, where: Origin) -> Figure:
    chance = found.chance["coactivation"]
    picked = dict.fromkeys((0, len(found.layers) - 1))
    panels = tuple(
        heat_half(
            f"layer {found.layers[place].layer}",
            [
                Heat(str(expert), other, share, share if expert == other else chance)
                for expert, row in zip(found.layers[place].shown,
                                       found.layers[place].coactivation, strict=True)
                for other, share in zip(found.layers[place].shown, row, strict=True)
            ],
            "also chosen", "expert",
        )
        for place in picked
    )  # fmt: skip
    caption = (
        "Co-activation in the first and the last layer: of the tokens that chose an expert (row), "
        f"the share that chose another (column) too, against {percent(chance)} by chance (blank). "
        "Every pair counts; where there are more than 16 experts, those of the closest pairs are "
        "shown."
    )
    return Figure(caption, panels, caption, (where,))


SERIES = {"": "read", "_next": "that follows", "_predicted": "predicted"}


def _vocabulary(found: Routing, where: Origin) -> Table:
    rows: list[Row] = []
    for layer in found.layers:
        row: Row = [str(layer.layer)]
        for ending in SERIES:
            held = layer.vocabulary[ending]
            row += [_cell(Share(held.share, held.low, held.high)), percent(held.chance)]
        rows.append(row)
    heads = ["Layer"]
    for name in SERIES.values():
        heads += [f"Token {name}", "by chance"]
    caption = (
        "Vocabulary specialisation: the mean share of a token's visits that go to its favourite "
        f"expert, over tokens seen at least {found.least_count} times, by the token read, the one "
        "that follows, and the one the model predicts. By chance: the same choices dealt to other "
        "tokens."
    )
    return table(caption, heads, rows, [where])


def _paths(found: Routing, where: Origin) -> Table:
    rows: list[Row] = []
    for layer in found.layers:
        for path in layer.paths:
            flow = path.flows[0] if path.flows else None
            bits = Cell(decimal(path.bits), interval(path.bits_low, path.bits_high, 2))
            row: Row = [f"{layer.layer} → {path.to}", bits, decimal(path.bits_chance)]
            if flow is None:
                row += ["–", "–", "–"]
            else:
                share = Cell(percent(flow.share), interval(100 * flow.low, 100 * flow.high, 1))
                row += [f"{flow.expert} → {flow.other}", share, percent(flow.chance)]
            rows.append(row)
    caption = (
        "Paths: what a token's first expert tells of its first expert in another layer (mutual "
        "information in bits, and what shuffled choices give), and the flow that stands out most: "
        "the share of an expert's tokens that go on to another, beside that expert's share of all."
    )
    heads = ["Layers", "Bits", "by chance", "Main flow", "Share", "of all"]
    return table(caption, heads, rows, [where])


def _words(found: Routing, where: Origin) -> Table:
    last = found.layers[-1]
    rows: list[Row] = [
        [str(expert), Cell("  ".join(visible(w.text) for w in words) or "–", code=True),
         percent(words[0].share, 0) if words else "–"]
        for expert, words in enumerate(last.words)
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
