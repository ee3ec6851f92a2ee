"""Mixtures of experts: a layer against a dense one of equal FLOPs, a step against transformers'.

Run with ``make bench ROOM=moe`` (one thread; ``OMP_NUM_THREADS=2`` for two).
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence

import torch
import transformers
from comparison import Row, publish, rate
from torch import Tensor, nn

from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.hf_config import to_hf
from olmeda.model.loss import lm_loss
from olmeda.model.mlp import build_mlp
from olmeda.model.moe import MoE
from olmeda.model.transformer import Transformer

WIDTH, HIDDEN, TOKENS, RUNS = 256, 256, 2048, 9
SHAPES = ((8, 2), (16, 2), (64, 8))
"""Experts, and how many of them a token visits."""
STEP = {"layers": 2, "vocab_size": 2048, "sequence": 512, "heads": 8}
ROWS = 2
"""Rows of 512 tokens in a step."""
SPECIAL = {"bos": 0, "eos": 0, "pad": 1}
UNIT = "tokens per CPU second"


def config(experts: int, chosen: int, **values: object) -> ModelConfig:
    """A mixture of the measured width."""
    shape = {"width": WIDTH, "mlp_width": HIDDEN, **STEP, **values}
    return load_preset("tour-moe", **shape, experts={"count": experts, "chosen": chosen})


def drawn(module: nn.Module) -> nn.Module:
    """The module with weights that are not all alike."""
    generator = torch.Generator().manual_seed(0)
    for weight in module.parameters():
        nn.init.normal_(weight, 0, 0.02, generator=generator)
    return module


def alternating(works: Sequence[Callable[[], object]]) -> list[float]:
    """The median CPU seconds of each, by turns: what the machine does meanwhile hits all alike."""
    taken: list[list[float]] = [[] for _ in works]
    for run in range(RUNS + 1):
        for work, times in zip(works, taken, strict=True):
            began = time.process_time()
            work()
            if run:
                times.append(time.process_time() - began)
    return [statistics.median(times) for times in taken]


def pass_through(layer: nn.Module) -> Callable[[], None]:
    """Forward and backward of a layer on the same tokens."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, TOKENS // 4, WIDTH, generator=generator).requires_grad_()
    grad = torch.randn(x.shape, generator=generator)

    def work() -> None:
        found = layer(x)
        y: Tensor = found[0] if isinstance(found, tuple) else found
        y.backward(grad)
        x.grad = None
        layer.zero_grad()

    return work


def layers() -> list[Row]:
    """A layer with experts against a dense MLP that does as many operations, and transformers'."""
    rows = []
    for experts, chosen in SHAPES:
        ours = config(experts, chosen)
        wide = ours.model_copy(update={"experts": None, "mlp_width": HIDDEN * chosen})
        theirs = peer(ours, "grouped_mm").model.layers[0].mlp
        works = [pass_through(drawn(m)) for m in (MoE(ours), build_mlp(wide), theirs)]
        sparse, dense, grouped = alternating(works)
        name = f"layer, {experts} experts, {chosen} chosen"
        rows.append(rate(TOKENS, sparse, dense, name, UNIT, "dense MLP of equal FLOPs"))
        rows.append(rate(TOKENS, sparse, grouped, name, UNIT, "transformers, grouped_mm"))
    return rows


def peer(ours: ModelConfig, path: str) -> nn.Module:
    """transformers' model of the same configuration, with one of its ways to compute experts."""
    values = to_hf(ours, SPECIAL)
    values["experts_implementation"] = path
    made = transformers.OlmoeConfig.from_dict(values)
    made._attn_implementation = "sdpa"
    model: nn.Module = drawn(transformers.OlmoeForCausalLM(made))
    return model


def step(model: nn.Module, loss: Callable[[Tensor], Tensor]) -> Callable[[], None]:
    """A training step with fused AdamW on the same rows each time."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(0, STEP["vocab_size"], (ROWS, STEP["sequence"]), generator=generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def work() -> None:
        loss(ids).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()

    return work


def steps() -> list[Row]:
    """A whole step against transformers' two ways; each takes its own losses of routers."""
    rows = []
    for experts, chosen in SHAPES:
        ours = Transformer.initialised(config(experts, chosen), 0).train()
        theirs = [peer(ours.config, path).train() for path in ("grouped_mm", "eager")]

        def our_loss(ids: Tensor, ours: Transformer = ours) -> Tensor:
            found = lm_loss(ours, ids[:, :-1], ids[:, 1:])
            mean = found.nll_sum / found.tokens
            return mean + 0.01 * found.balance + 0.001 * found.router_z

        def their_loss(model: nn.Module) -> Callable[[Tensor], Tensor]:
            return lambda ids: model(ids, labels=ids, output_router_logits=True).loss

        works = [step(ours, our_loss), *(step(m, their_loss(m)) for m in theirs)]
        own, grouped, eager = alternating(works)
        name, tokens = f"step, {experts} experts, {chosen} chosen", ROWS * STEP["sequence"]
        rows.append(rate(tokens, own, grouped, name, UNIT, "transformers, grouped_mm"))
        rows.append(rate(tokens, own, eager, name, UNIT, "transformers, eager"))
    return rows


def main() -> None:
    """Measure, compare, publish."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    publish("moe", [*layers(), *steps()])


if __name__ == "__main__":
    main()
