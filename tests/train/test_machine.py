from __future__ import annotations

import pytest
import torch

from olmeda.train.machine import OutOfMemory, naming_shortage


def test_an_allocation_that_fails_names_the_step_and_what_to_do() -> None:
    with pytest.raises(OutOfMemory, match=r"step 3: out of memory .*loop\.micro_tokens"):
        with naming_shortage(3):
            torch.empty(1 << 60)


@pytest.mark.parametrize(
    "problem", [torch.OutOfMemoryError("CUDA out of memory. Tried"), MemoryError()]
)
def test_other_ways_to_say_it_are_known(problem: Exception) -> None:
    with pytest.raises(OutOfMemory, match="step 1: out of memory"):
        with naming_shortage(1):
            raise problem


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        with naming_shortage(1):
            raise RuntimeError("shapes")
