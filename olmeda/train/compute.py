"""How a model is computed while it trains: number format, what is kept for the way back, compiling.

None of this changes what is computed but for rounding. Weights, gradients and the optimiser stay in
fp32; ``bf16`` runs matrix products in bfloat16 under autocast.
"""

from __future__ import annotations

import functools
import os
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn
from torch.utils.checkpoint import checkpoint

from olmeda.base.config import Config
from olmeda.base.errors import ConfigError
from olmeda.model.transformer import Transformer
from olmeda.train.step import Losses, LossFn, MicroBatch

BF16_UNITS = ("avx512_bf16", "amx_bf16")
"""What processors that multiply bfloat16 themselves have; others emulate it, 48 times slower than
fp32 (256^3 products, AVX2, one thread: 25.0 against 0.52 ms)."""


class ComputeConfig(Config, frozen=True):
    """Where and how training computes."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """``auto``: a GPU where torch sees one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """``auto``: bf16 on GPUs that have it, fp32 on processors."""
    recompute: Annotated[int, Field(ge=0)] = 0
    """Every n-th block keeps only its input and computes the rest again on the way back: 1 is
    all of them (least memory, a third more work), 0 none."""
    compile: bool = False
    """Let torch.compile fuse each block; the first steps take minutes."""

    def where(self) -> str:
        """The kind of device. Raises ConfigError where it is not there."""
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("compute.device cuda: torch sees no GPU; say compute.device=cpu")
        return self.device

    def is_bf16(self) -> bool:
        """Whether products run in bfloat16. Raises ConfigError where that would be emulated."""
        device = self.where()
        if self.precision == "auto":
            return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        if self.precision == "bf16" and device == "cpu" and not has_bf16_units():
            raise ConfigError(
                "compute.precision bf16: this processor has no bf16 units and would emulate them, "
                "some 48 times slower than fp32; say compute.precision=fp32 (or auto)"
            )
        return self.precision == "bf16"

    def apply(self, model: Transformer) -> None:
        """Change, in place, how ``model`` computes: before it is sharded or trained."""
        if self.where() == "cuda":  # cuBLAS repeats its results with a workspace of this kind alone
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        for number, block in enumerate(model.blocks):
            if self.compile:
                block.forward = torch.compile(block.forward)
            if self.recompute and number % self.recompute == 0:
                recompute_forward(block)

    def computing(self, loss_fn: LossFn) -> LossFn:
        """The loss in the precision of this configuration."""
        return in_bf16(loss_fn, self.where()) if self.is_bf16() else loss_fn


def has_bf16_units() -> bool:
    """Whether this processor multiplies bfloat16 itself."""
    known = torch.cpu.get_capabilities()
    return any(known.get(unit, False) for unit in BF16_UNITS)


def in_bf16(loss_fn: LossFn, device: str) -> LossFn:
    """``loss_fn`` with its matrix products in bfloat16."""

    def loss(model: Transformer, micro: MicroBatch) -> Losses:
        with torch.autocast(device, torch.bfloat16):
            return loss_fn(model, micro)

    return loss


def recompute_forward(block: nn.Module) -> None:
    """Let a block keep its input alone, and compute again when gradients flow back."""
    # nothing in a block draws random numbers, so their state need not be kept
    block.forward = functools.partial(
        checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False
    )
