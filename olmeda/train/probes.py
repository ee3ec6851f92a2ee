"""What is measured between steps: bits per byte of held-out text by source, and expert load.

Shapes: ``B`` windows, ``T`` tokens of each.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import InputError
from olmeda.model.loss import lm_loss
from olmeda.model.moe import MoE
from olmeda.model.transformer import Transformer
from olmeda.tokens.heldout import heldout_bytes, heldout_windows
from olmeda.train.loop import Hook, Moment


@dataclass(frozen=True)
class HeldOut:
    """What is scored of one source: windows as ``(ids_BT, labels_BT)``, and its UTF-8 bytes."""

    source: str
    windows: list[tuple[Tensor, Tensor]]
    bytes: int


def held_out(tokens: TokenSet, sequence: int, most_tokens: int, rows: int) -> list[HeldOut]:
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
        found[source].windows.append((torch.from_numpy(ids_BT), torch.from_numpy(labels_BT)))
    return list(found.values())


@torch.no_grad()
def bits_per_byte(model: Transformer, held: HeldOut) -> float:
    """Bits the model needs for a byte of the source, end tokens included."""
    nll = sum(float(lm_loss(model, ids, labels).nll_sum) for ids, labels in held.windows)
    return nll / held.bytes / math.log(2)


@contextlib.contextmanager
def counting_visits(model: nn.Module) -> Iterator[list[Tensor]]:
    """Count, layer by layer, how many tokens visit each expert in forward passes made inside."""
    layers = [module for module in model.modules() if isinstance(module, MoE)]
    visits = [torch.zeros(layer.count, dtype=torch.int64) for layer in layers]

    def count(place: int) -> Any:
        def add(module: nn.Module, given: Any, output: Any) -> None:
            chosen_NK = output[1].chosen_NK
            visits[place] += torch.bincount(chosen_NK.flatten(), minlength=len(visits[place]))

        return add

    handles = [layer.register_forward_hook(count(i)) for i, layer in enumerate(layers)]
    try:
        yield visits
    finally:
        for handle in handles:
            handle.remove()


def held_out_probe(model: Transformer, held: list[HeldOut]) -> Hook:
    """A hook that measures ``heldout/<source>`` and, with experts, ``load`` (shares by layer)."""

    def measure(moment: Moment) -> Mapping[str, Any]:
        with counting_visits(model) as visits:
            found: dict[str, Any] = {f"heldout/{h.source}": bits_per_byte(model, h) for h in held}
        if visits:
            found["load"] = [(v.double() / v.sum()).tolist() for v in visits]
        return found

    return measure
