"""Training steps of one implementation, timed: ``model_steps.py NAME SHAPE THREADS STEPS``.

NAME is olmeda, transformers, litgpt or ai2-olmo, run by a Python that has it; SHAPE is JSON. All
are OLMo 2's architecture (normalised outputs, normalised queries and keys) of one shape in float32
with random weights, trained by torch's fused AdamW on the same random ids. Prints JSON: seconds of
CPU and of the clock for each step, parameters, and the peak of memory over that before the model.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Loss = Callable[[Tensor], Tensor]
Shape = dict[str, int]


def olmeda(shape: Shape) -> tuple[nn.Module, Loss]:
    """Ours."""
    from olmeda.model.config import load_preset
    from olmeda.model.loss import lm_loss
    from olmeda.model.transformer import Transformer

    sizes = {k: v for k, v in shape.items() if k != "rows"}
    model = Transformer.initialised(load_preset("tour-dense", **sizes), 1)

    def loss(ids: Tensor) -> Tensor:
        parts = lm_loss(model, ids[:, :-1], ids[:, 1:])
        return parts.nll_sum / parts.tokens

    return model, loss


def transformers(shape: Shape) -> tuple[nn.Module, Loss]:
    """transformers' Olmo2ForCausalLM with torch's attention."""
    from transformers import Olmo2Config, Olmo2ForCausalLM

    config = Olmo2Config(
        vocab_size=shape["vocab_size"], hidden_size=shape["width"],
        intermediate_size=shape["mlp_width"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], max_position_embeddings=shape["sequence"],
        pad_token_id=0, eos_token_id=0, bos_token_id=0, tie_word_embeddings=False,
        use_cache=False, attn_implementation="sdpa",
    )  # fmt: skip
    model = Olmo2ForCausalLM(config)

    def loss(ids: Tensor) -> Tensor:
        # shift_labels: the same tokens count as for the others
        labels = ids[:, 1:].contiguous()
        return model(ids[:, :-1], labels=labels, shift_labels=labels).loss

    return model, loss


def litgpt(shape: Shape) -> tuple[nn.Module, Loss]:
    """litgpt's GPT as it describes OLMo 2, with the loss its pretraining uses."""
    from litgpt import GPT, Config
    from litgpt.utils import chunked_cross_entropy

    config = Config.from_name(
        "OLMo-2-1124-7B", block_size=shape["sequence"], vocab_size=shape["vocab_size"],
        padded_vocab_size=shape["vocab_size"], n_layer=shape["layers"], n_embd=shape["width"],
        n_head=shape["heads"], n_query_groups=shape["heads"],
        head_size=shape["width"] // shape["heads"], intermediate_size=shape["mlp_width"],
    )  # fmt: skip
    model = GPT(config)

    def loss(ids: Tensor) -> Tensor:
        return chunked_cross_entropy(model(ids[:, :-1]), ids[:, 1:].contiguous(), chunk_size=0)

    return model, loss


def ai2_olmo(shape: Shape) -> tuple[nn.Module, Loss]:
    """ai2-olmo's OLMo with OLMo 2's norms."""
    from olmo.config import ActivationType, LayerNormType, ModelConfig
    from olmo.model import OLMo

    config = ModelConfig(
        d_model=shape["width"], n_heads=shape["heads"], n_layers=shape["layers"],
        mlp_hidden_size=2 * shape["mlp_width"], activation_type=ActivationType.swiglu, rope=True,
        rope_theta=500_000, attention_dropout=0.0, residual_dropout=0.0, embedding_dropout=0.0,
        attention_layer_norm=True, norm_after=True, layer_norm_type=LayerNormType.rms,
        layer_norm_eps=1e-6, include_bias=False, bias_for_layer_norm=False,
        max_sequence_length=shape["sequence"], vocab_size=shape["vocab_size"],
        embedding_size=shape["vocab_size"], weight_tying=False, eos_token_id=0, pad_token_id=0,
        init_device="cpu",
    )  # fmt: skip
    model = OLMo(config)

    def loss(ids: Tensor) -> Tensor:
        logits = model(ids[:, :-1]).logits
        return cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    return model, loss


BUILDERS = {
    "olmeda": olmeda,
    "transformers": transformers,
    "litgpt": litgpt,
    "ai2-olmo": ai2_olmo,
}


def resident() -> int:
    """Bytes of memory in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> int:
    """The most bytes that were in use at once since ``warm_up``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def warm_up(name: str, shape: Shape) -> None:
    """A step of a tiny model: imports and compiled code do not count as memory of a step."""
    tiny = {**shape, "layers": 1, "sequence": 32, "rows": 1, "vocab_size": 64}
    _, loss = BUILDERS[name](tiny)
    loss(torch.zeros(1, 33, dtype=torch.long)).backward()
    Path("/proc/self/clear_refs").write_text("5")


def measure(name: str, shape: Shape, steps: int) -> dict[str, Any]:
    """Time ``steps`` steps after two that are not counted."""
    warm_up(name, shape)
    ids = torch.randint(
        shape["vocab_size"], (shape["rows"], shape["sequence"] + 1),
        generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    at_start = resident()
    model, loss = BUILDERS[name](shape)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    cpu, clock, losses = [], [], []
    for _ in range(steps + 2):
        began = time.process_time(), time.perf_counter()
        value = loss(ids)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        cpu.append(time.process_time() - began[0])
        clock.append(time.perf_counter() - began[1])
        losses.append(value.item())
    parameters = sum(p.numel() for p in model.parameters())
    return {
        "cpu": cpu[2:], "clock": clock[2:], "losses": losses, "parameters": parameters,
        "memory": peak() - at_start,
    }  # fmt: skip


def main() -> None:
    name, shape, threads, steps = sys.argv[1:5]
    torch.set_num_threads(int(threads))
    print(json.dumps(measure(name, json.loads(shape), int(steps))))


if __name__ == "__main__":
    main()
