"""Where held-out tokens went in a mixture of experts, and how that changes from probe to probe.

Shapes: ``N`` tokens that count (padding does not), ``L`` MoE layers, ``E`` experts, ``K`` chosen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from olmeda.model.loss import IGNORED, lm_loss
from olmeda.model.moe import RouterOutput
from olmeda.model.transformer import Transformer

STRONGEST = 8
"""Pairs of experts of each layer that are logged."""


@contextlib.contextmanager
def routing(model: nn.Module) -> Iterator[list[list[RouterOutput]]]:
    """Collect what the routers of ``model`` decide in forward passes made inside, pass by pass."""
    passes: list[list[RouterOutput]] = []
    handle = model.register_forward_hook(lambda _, given, hidden: passes.append(hidden.routers))
    try:
        yield passes
    finally:
        handle.remove()


def visited(routers: Sequence[RouterOutput], labels_BT: Tensor) -> Tensor:
    """Which experts each token that counts went to, ``[N, L, E]`` bool."""
    counts_M = (labels_BT != IGNORED).flatten()
    return torch.stack([routed.visited_NE[counts_M].cpu() for routed in routers], 1)


def overlap(earlier_NLE: Tensor, later_NLE: Tensor) -> list[float]:
    """Router saturation: the share of a layer's later choices that were made earlier too, by layer.

    Chance is K / E.
    """
    both_L = (earlier_NLE & later_NLE).sum((0, 2), dtype=torch.float64)
    chosen_L = later_NLE.sum((0, 2), dtype=torch.float64).clamp(min=1)
    return [float(share) for share in both_L / chosen_L]


def strongest_pairs(visited_NLE: Tensor, most: int = STRONGEST) -> list[list[list[float]]]:
    """By layer the pairs ``[i, j, share]`` with the highest co-activation, highest first.

    ``share``: of the tokens that went to i, those that went to j too; all pairs of a token's
    experts count. Chance is (K - 1) / (E - 1). Ties by number.
    """
    found = []
    for visited_NE in visited_NLE.unbind(1):
        as_float_NE = visited_NE.float()  # counts stay exact below 2^24 tokens
        together_EE = as_float_NE.T @ as_float_NE
        tokens_E1 = together_EE.diagonal().clone()[:, None]
        share_EE = (together_EE / tokens_E1.clamp(min=1)).fill_diagonal_(-1.0)
        experts, shares = len(share_EE), share_EE.flatten()
        order = torch.argsort(shares, descending=True, stable=True)[:most].tolist()
        pairs = [[at // experts, at % experts, round(float(shares[at]), 6)] for at in order]
        found.append([pair for pair in pairs if pair[2] > 0])
    return found


class RouteProbe:
    """Routes the same held-out tokens at every probe and says how the choices have moved."""

    def __init__(
        self,
        model: Transformer,
        windows: Sequence[tuple[Tensor, Tensor]],
        layers: int,
        experts: int,
    ) -> None:
        self.model, self.windows = model, windows
        tokens = sum(int((labels != IGNORED).sum()) for _, labels in windows)
        self._first_NLE = torch.zeros(tokens, layers, experts, dtype=torch.bool)
        self._before_NLE = torch.zeros(tokens, layers, experts, dtype=torch.bool)
        self._probes = torch.zeros((), dtype=torch.int64)

    @property
    def memory(self) -> Mapping[str, Tensor]:
        """The choices of the first probe and of the one before, and how many there were."""
        return {
            "routes.first": self._first_NLE,
            "routes.before": self._before_NLE,
            "routes.probes": self._probes,
        }

    @torch.no_grad()
    def measure(self) -> dict[str, Any]:
        """``coactivation`` and, from the second probe on, ``saturation/first`` and ``/before``."""
        with routing(self.model) as passes:
            for ids_BT, labels_BT in self.windows:
                lm_loss(self.model, ids_BT, labels_BT)
        parts = [visited(p, labels) for p, (_, labels) in zip(passes, self.windows, strict=True)]
        now_NLE = torch.cat(parts)
        found: dict[str, Any] = {"coactivation": strongest_pairs(now_NLE)}
        if int(self._probes):
            found["saturation/first"] = overlap(self._first_NLE, now_NLE)
            found["saturation/before"] = overlap(self._before_NLE, now_NLE)
        else:
            self._first_NLE.copy_(now_NLE)
        self._before_NLE.copy_(now_NLE)
        self._probes += 1
        return found
