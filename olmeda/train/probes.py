"""What is measured between steps: bits per byte of held-out text by source, and expert load.

Shapes: ``B`` windows, ``T`` tokens of each, ``L`` MoE layers, ``E`` experts.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import InputError
from olmeda.model.loss import IGNORED, lm_loss
from olmeda.model.moe import RouterOutput
from olmeda.model.probe import Probe
from olmeda.model.transformer import Transformer
from olmeda.tokens.heldout import heldout_bytes, heldout_windows
from olmeda.train.loop import Hook, Moment
from olmeda.train.routes import RouteProbe, routing, visited
from olmeda.train.world import ALONE, World


@dataclass(frozen=True)
class HeldOut:
    """What is scored of one source: windows as ``(ids_BT, labels_BT)``, and its UTF-8 bytes."""

    source: str
    windows: list[tuple[Tensor, Tensor]]
    bytes: int


def held_out(
    tokens: TokenSet, sequence: int, most_tokens: int, rows: int, device: str = "cpu"
) -> list[HeldOut]:
    """Whole documents of each source, ``most_tokens`` a source, ``rows`` windows at a time.

    Raises InputError for a held-out set, or a source of it, without text.
    """
    sizes = heldout_bytes(tokens, most_tokens)
    if not sizes:
        raise InputError(f"{tokens.path}: the held-out set is empty; set documents aside")
    found = {source: HeldOut(source, [], size) for source, size in sizes.items()}
    for ids_BT, labels_BT, source in heldout_windows(tokens, sequence, most_tokens, rows):
        if not sizes[source]:
            raise InputError(f"{tokens.path}: the held-out documents of {source!r} are empty")
        window = torch.from_numpy(ids_BT).to(device), torch.from_numpy(labels_BT).to(device)
        found[source].windows.append(window)
    return list(found.values())


def sample(held: Sequence[HeldOut], most_tokens: int) -> list[tuple[Tensor, Tensor]]:
    """The first rows of each source: ``most_tokens`` (padding included), but at least one row.

    Every process of a world takes the same.
    """
    found = []
    for source in held:
        room = max(1, most_tokens // source.windows[0][0].shape[1])
        for ids_BT, labels_BT in source.windows:
            if room > 0:
                found.append((ids_BT[:room], labels_BT[:room]))
            room -= len(ids_BT)
    return found


@dataclass
class Tally:
    """What passes over held-out text added up to: nats, and visits by layer and expert."""

    nats: float = 0.0
    visits_LE: Tensor | None = None

    def add(self, nats: float, routers: Sequence[RouterOutput], labels_BT: Tensor) -> None:
        """Count one pass; tokens without a label are padding and count nowhere."""
        self.nats += nats
        if routers:
            counts_LE = visited(routers, labels_BT).sum(0)
            self.visits_LE = counts_LE if self.visits_LE is None else self.visits_LE + counts_LE


@torch.no_grad()
def read_through(model: Transformer, held: HeldOut, world: World = ALONE) -> Tally:
    """Read this process's share of a source's windows.

    Every process reads equally many, for where the model lies in pieces a pass of one needs the
    others; what another has read already counts nowhere.
    """
    tally = Tally()
    for turn in range(-(-len(held.windows) // world.size)):
        at = turn * world.size + world.rank
        ids_BT, labels_BT = held.windows[min(at, len(held.windows) - 1)]
        with routing(model) as passes:
            nats = lm_loss(model, ids_BT, labels_BT).nll_sum
        if at < len(held.windows):
            tally.add(float(nats), passes[0], labels_BT)
        elif passes[0]:
            tally.add(0.0, passes[0], torch.full_like(labels_BT, IGNORED))
    return tally


def bits_per_byte(model: Transformer, held: HeldOut, world: World = ALONE) -> float:
    """Bits the model needs for a byte of the source, end tokens included."""
    return _bits(read_through(model, held, world), held, world)


def _bits(tally: Tally, held: HeldOut, world: World) -> float:
    (nats,) = world.total(tally.nats)
    return nats / held.bytes / math.log(2)


def held_out_probe(
    model: Transformer,
    held: Sequence[HeldOut],
    world: World = ALONE,
    routes: RouteProbe | None = None,
    downstream: Sequence[Probe] = (),
) -> Hook:
    """A hook that measures ``heldout/<source>``, with experts ``load`` (shares by layer) and what
    ``routes`` tells, and then whatever the caller hands in as ``downstream``.
    """

    def measure(moment: Moment) -> Mapping[str, Any]:
        with looking(model):
            found: dict[str, Any] = {}
            visits: list[Tensor] = []
            for source in held:
                tally = read_through(model, source, world)
                found[f"heldout/{source.source}"] = _bits(tally, source, world)
                visits += [] if tally.visits_LE is None else [tally.visits_LE]
            if visits:
                found["load"] = _load(torch.stack(visits).sum(0), world)
            if routes is not None:
                found |= routes.measure()
            for ask in downstream:
                found |= ask(model)
        return found

    return measure


@contextlib.contextmanager
def looking(model: nn.Module) -> Iterator[None]:
    """The model out of training while inside: what is read there moves nothing in it."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def _load(visits_LE: Tensor, world: World) -> list[list[float]]:
    """Each expert's share of the visits, by layer."""
    summed = world.total(*visits_LE.flatten().tolist())
    totals_LE = torch.tensor(summed, dtype=torch.float64).view_as(visits_LE)
    return (totals_LE / totals_LE.sum(1, keepdim=True)).tolist()
