"""Train ai2-olmo's model as its users do: AdamW, cosine after warm-up, clipping at 1.

Prints one JSON line. Runs in the environment of the torch peers and imports nothing of olmeda. Its
argument is JSON:
``ids`` (.npy of token ids), ``heldout`` (.npz of windows and labels, and their bytes), ``shape``,
``steps``, ``rows`` of a step, ``sequence``, ``lr``, ``warmup``, ``seed``, ``threads``.
"""

import json
import math
import sys
import time

import numpy as np
import torch
from olmo.config import (
    ActivationType,
    BlockType,
    InitFnType,
    LayerNormType,
    ModelConfig,
)
from olmo.model import OLMo
from torch.nn.functional import cross_entropy


def build(shape):
    """OLMo 2's configuration of ai2-olmo in the given shape, drawn from a normal of 0.02."""
    return OLMo(
        ModelConfig(
            d_model=shape["width"],
            n_layers=shape["layers"],
            n_heads=shape["heads"],
            mlp_hidden_size=2 * shape["mlp_width"],
            activation_type=ActivationType.swiglu,
            block_type=BlockType.sequential,
            rope=True,
            rope_theta=int(shape["rope_theta"]),
            attention_dropout=0.0,
            residual_dropout=0.0,
            embedding_dropout=0.0,
            attention_layer_norm=True,
            layer_norm_type=LayerNormType.rms,
            layer_norm_with_affine=True,
            attention_layer_norm_with_affine=True,
            layer_norm_eps=1e-6,
            norm_after=True,
            include_bias=False,
            bias_for_layer_norm=False,
            max_sequence_length=shape["sequence"],
            vocab_size=shape["vocab_size"],
            embedding_size=shape["vocab_size"],
            weight_tying=False,
            eos_token_id=0,
            pad_token_id=1,
            init_device="cpu",
            init_fn=InitFnType.normal,
            init_std=0.02,
            init_cutoff_factor=3.0,
        )
    )


def bits_per_byte(model, heldout):
    """Bits for a byte of the held-out windows."""
    model.eval()
    total = 0.0
    with torch.no_grad():
        for ids, labels in zip(
            torch.from_numpy(heldout["ids"]).split(16),
            torch.from_numpy(heldout["labels"]).split(16),
        ):
            logits = model(ids).logits
            total += float(
                cross_entropy(
                    logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum"
                )
            )
    model.train()
    return total / float(heldout["bytes"]) / math.log(2)


def main():
    """Train, measure, print."""
    given = json.loads(sys.argv[1])
    torch.set_num_threads(given["threads"])
    torch.manual_seed(given["seed"])
    model = build(given["shape"])
    names = dict(model.named_parameters())
    embeddings = [p for n, p in names.items() if "wte" in n]
    others = [p for n, p in names.items() if "wte" not in n]
    groups = [{"params": others, "weight_decay": 0.1}, {"params": embeddings, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=given["lr"], betas=(0.9, 0.95), eps=1e-8, fused=True)
    ids, length = np.load(given["ids"], mmap_mode="r"), given["sequence"]
    order = np.random.default_rng(given["seed"]).permutation((len(ids) - 1) // length)
    heldout = np.load(given["heldout"])
    steps, warmup, began = given["steps"], given["warmup"], time.perf_counter()
    for step in range(steps):
        share = max(step - warmup, 0) / max(steps - warmup, 1)
        factor = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * share))
        if step < warmup:
            factor = (step + 1) / warmup
        for group in optimizer.param_groups:
            group["lr"] = given["lr"] * factor
        chosen = order[step * given["rows"] : (step + 1) * given["rows"]]
        rows = np.stack([ids[n * length : n * length + length + 1] for n in chosen])
        batch = torch.from_numpy(rows.astype(np.int64))
        logits = model(batch[:, :-1]).logits
        loss = cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - began
    cpu = time.process_time()
    bits = bits_per_byte(model, heldout)
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "bits": bits}))


if __name__ == "__main__":
    main()
