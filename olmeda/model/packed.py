"""Twins of a model for inference on a CPU: its linear maps laid out for the machine, or narrowed.

A twin shares everything with its model but the weights of linear maps, which it holds once more:
packed (the same numbers, in the order in which oneDNN reads them) or as 8-bit integers, a scale a
row (a rough copy of a quarter of the size, for guessing tokens that the model then checks). Weights
are copied when the twin is made: make a new one after a training step.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from olmeda.model.linear import Linear
from olmeda.model.mlp import MLP
from olmeda.model.norm import RMSNorm
from olmeda.model.transformer import Transformer

ROWS = 16
"""Rows of a product that the packed order is made for; one order serves one row and hundreds."""
PROBE_ROWS = 3


class PackedLinear(nn.Module):
    """``x @ weight.T`` by oneDNN, from a weight in oneDNN's own order."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), ROWS)

    def forward(self, x: Tensor) -> Tensor:
        """Map the last dimension of ``x``."""
        mapped: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, None, "none", [], "")
        return mapped


class NarrowLinear(nn.Module):
    """About ``x @ weight.T``: weight and ``x`` rounded to 8 bits, a scale for each output.

    On CPUs without VNNI a few sums may saturate: one more way to be rough.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight
        held = weight.detach().float()
        scales = held.abs().amax(1).clamp_(min=1e-12).double() / 127
        zeros = torch.zeros(len(held), dtype=torch.long)
        with warnings.catch_warnings():  # torch announces another home for these for years
            warnings.simplefilter("ignore")
            rounded = torch.quantize_per_channel(held, scales, zeros, 0, torch.qint8)
            self.packed: Any = torch.ops.quantized.linear_prepack(rounded, None)

    def forward(self, x: Tensor) -> Tensor:
        """Map the last dimension of ``x``, roughly."""
        mapped: Tensor = torch.ops.quantized.linear_dynamic(x, self.packed)
        return mapped


class QuickNorm(nn.Module):
    """RMSNorm in five small operations: at a few rows the calls cost more than the work."""

    def __init__(self, norm: RMSNorm) -> None:
        super().__init__()
        width = norm.weight.shape[0]
        self.weight = norm.weight.detach() * width**0.5
        self.floor = norm.eps * width

    def forward(self, x_ND: Tensor, beside_ND: Tensor | None = None) -> Tensor:
        """Normalise the last dimension of ``x_ND``, plus ``beside_ND``."""
        scale_N1 = torch.linalg.vecdot(x_ND, x_ND).add_(self.floor).rsqrt_().unsqueeze_(-1)
        normed: Tensor = (x_ND * scale_N1).mul_(self.weight)
        return normed if beside_ND is None else normed.add_(beside_ND)


class QuickMLP(nn.Module):
    """The gated MLP in as few calls as there are."""

    def __init__(self, gate_up: nn.Module, down: nn.Module) -> None:
        super().__init__()
        self.gate_up, self.down = gate_up, down

    def forward(self, x_ND: Tensor) -> Tensor:
        """Map each token by itself."""
        gate_NF, up_NF = self.gate_up(x_ND).chunk(2, -1)
        mapped: Tensor = self.down(nn.functional.silu(gate_NF).mul_(up_NF))
        return mapped


def packed(model: Transformer) -> Transformer:
    """The same model, faster at a few rows; the model itself where its device cannot do it."""
    twin = _twin(model, PackedLinear, exact=True)
    return model if twin is None else twin


def narrowed(model: Transformer) -> Transformer | None:
    """A rough and small twin; None where this torch or machine has no 8-bit products."""
    return _twin(model, NarrowLinear, exact=False)


def _twin(
    model: Transformer, make: Callable[[Tensor], nn.Module], *, exact: bool
) -> Transformer | None:
    head = model.head_weight
    if head.device.type != "cpu" or head.dtype != torch.float32:
        return None
    if not _works(make, head[: min(len(head), 64)], exact):
        return None
    twin: Transformer = _copied(model, make)
    twin._modules["head"] = make(head)
    return twin


def _copied(module: Any, make: Callable[[Tensor], nn.Module]) -> Any:
    """The module with linear maps, norms and gates made anew, everything else shared."""
    if type(module) is Linear:
        return make(module.weight)
    if type(module) is RMSNorm:
        return QuickNorm(module)
    if type(module) is MLP:
        return QuickMLP(make(module.gate_up.weight), make(module.down.weight))
    shell = copy.copy(module)
    shell.__dict__["_modules"] = {n: m and _copied(m, make) for n, m in module._modules.items()}
    return shell


def _works(make: Callable[[Tensor], nn.Module], weight: Tensor, exact: bool) -> bool:
    """Whether this build of torch has the product, and it is what it should be."""
    weight = weight.detach().contiguous()
    x = torch.linspace(-1, 1, PROBE_ROWS * weight.shape[1]).view(PROBE_ROWS, -1)
    try:
        found = make(weight)(x)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    wanted = nn.functional.linear(x, weight)
    far = (found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30)
    return bool(far < (1e-5 if exact else 0.2))
