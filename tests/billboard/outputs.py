"""A small world of outputs: machines of rising skill, and one person."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from olmeda.artifacts.examples import Output

TASK = "test/generation"
WORDS = "return the number of items in a list or raise an error when empty".split()  # noqa: SIM905


def make_outputs(systems: int = 8, items: int = 30, seed: int = 3) -> list[Output]:
    """Machines that keep more and more words of the reference, and one person who paraphrases."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(items):
        reference = " ".join(rng.choice(WORDS, size=9))
        for s in range(systems):
            kept = rng.random(9) < (s + 1) / (systems + 1)
            text = " ".join(w if k else "um" for w, k in zip(reference.split(), kept))
            rows.append(Output(f"m{s}", TASK, f"i{i:03d}", "describe", reference, text))
        text = " ".join(reversed(reference.split()[2:]))
        rows.append(Output("Human", TASK, f"i{i:03d}", "describe", reference, text))
    return rows


def changed(row: Output, **fields: Any) -> Output:
    """A copy of one output with some fields replaced."""
    return msgspec.structs.replace(row, **fields)
