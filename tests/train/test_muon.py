from __future__ import annotations

import pytest
import torch

from olmeda.train.muon import Muon, orthogonalise, update_scale


@pytest.mark.parametrize("shape", [(3, 8, 20), (3, 20, 8), (1, 16, 16)])
def test_singular_values_land_near_one(shape: tuple[int, int, int]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalise(x, rounds=8))
    assert values.min() > 0.3
    assert values.max() < 1.4


def test_a_stack_is_treated_like_its_matrices_one_by_one() -> None:
    x = torch.randn(5, 6, 9, generator=torch.Generator().manual_seed(2))
    alone = torch.stack([orthogonalise(m[None])[0] for m in x])
    torch.testing.assert_close(orthogonalise(x), alone)


def test_against_torchs_muon_up_to_its_bf16() -> None:
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(12, 30, generator=generator)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    a = Muon([ours], lr=0.01, weight_decay=0.1)
    b = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        ours.grad = torch.randn(12, 30, generator=generator)
        theirs.grad = ours.grad.clone()
        a.step()
        b.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved


def test_experts_stacked_move_as_if_they_were_separate() -> None:
    generator = torch.Generator().manual_seed(4)
    start, grad = (torch.randn(3, 6, 8, generator=generator) for _ in range(2))
    stacked = torch.nn.Parameter(start.clone())
    separate = [torch.nn.Parameter(m.clone()) for m in start]
    stacked.grad = grad.clone()
    for param, part in zip(separate, grad, strict=True):
        param.grad = part.clone()
    Muon([stacked], lr=0.1).step()
    Muon(separate, lr=0.1).step()
    torch.testing.assert_close(stacked.data, torch.stack([p.data for p in separate]))


def test_update_has_the_size_of_adamws() -> None:
    assert update_scale(128, 512) == pytest.approx(0.2 * 512**0.5)
