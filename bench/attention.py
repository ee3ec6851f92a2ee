"""Attention with its gradient on one thread: our kernel against torch's, by turns, in CPU time.

Run with ``make bench ROOM=attention``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from comparison import Row, publish
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from olmeda.model.attend import attend
from olmeda.model.segments import Segments

RUNS = 9
CASES = {
    "4 x 512, 8 heads of 32": (4, 512, 8, 8, 32, 0, 0),
    "2 x 512, 8 heads of 64": (2, 512, 8, 8, 64, 0, 0),
    "1 x 512, 8 heads of 128 for 2": (1, 512, 8, 2, 128, 0, 0),
    "1 x 2048, 8 heads of 64": (1, 2048, 8, 8, 64, 0, 0),
    "1 x 2048, 8 heads of 64, window 256": (1, 2048, 8, 8, 64, 256, 0),
    "2 x 2048, 4 heads of 64, documents of 128": (2, 2048, 4, 4, 64, 0, 128),
}
"""Sequences, tokens, heads, key heads, head width, window, length of documents (0: whole rows)."""


def seconds(works: list[Callable[[], Tensor]], inputs: list[Tensor]) -> list[float]:
    """The median CPU seconds of each with its gradient."""
    taken: list[list[float]] = [[] for _ in works]
    for run in range(RUNS + 1):
        for work, times in zip(works, taken, strict=True):
            began = time.process_time()
            mixed = work()
            torch.autograd.grad(mixed, inputs, torch.ones_like(mixed))
            if run:
                times.append(time.process_time() - began)
    return [statistics.median(times) for times in taken]


def compare(name: str) -> Row:
    """One case; torch is given a mask where it has no other way."""
    batch, tokens, heads, key_heads, width, window, document = CASES[name]
    generator = torch.Generator().manual_seed(1)
    q, k, v = (
        torch.randn(batch, tokens, h, width, generator=generator).requires_grad_()
        for h in (heads, key_heads, key_heads)
    )
    segments = Segments((document,) * (batch * tokens // document)) if document else None
    place = torch.arange(tokens)
    mask = None
    if window:
        mask = (place <= place[:, None]) & (place > place[:, None] - window)
    if document:
        mask = (place <= place[:, None]) & (place // document == place[:, None] // document)

    def peer() -> Tensor:
        return scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask,
            is_causal=mask is None, enable_gqa=heads != key_heads,
        ).transpose(1, 2)  # fmt: skip

    def ours() -> Tensor:
        return attend(q, k, v, window=window, segments=segments)

    torch.testing.assert_close(ours(), peer(), rtol=1e-5, atol=1e-5)
    mine, theirs = seconds([ours, peer], [q, k, v])
    seen = min(window or tokens / 2, (document or tokens) / 2)
    operations = 14 * batch * heads * tokens * seen * width / 1e9
    return Row(
        name, operations / mine, operations / theirs, theirs / mine, "GFLOP per CPU second", "torch"
    )


def main() -> None:
    """Measure, compare, publish."""
    torch.set_num_threads(1)
    publish("attention", [compare(name) for name in CASES])


if __name__ == "__main__":
    main()
