from __future__ import annotations

import pytest
import torch

from olmeda.train.muon import Muon, Scale, orthogonalise, update_scale


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


@pytest.mark.parametrize("shape", [(12, 30), (30, 12)])
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize(("scale", "theirs"), [("adamw", "match_rms_adamw"), ("original", None)])
def test_against_torchs_muon_up_to_its_bf16(
    scale: Scale, theirs: str | None, nesterov: bool, shape: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(shape, generator=generator)
    mine, other = (torch.nn.Parameter(start.clone()) for _ in range(2))
    a = Muon([mine], lr=0.01, weight_decay=0.1, nesterov=nesterov, scale=scale)
    b = torch.optim.Muon([other], lr=0.01, weight_decay=0.1, nesterov=nesterov, adjust_lr_fn=theirs)
    for _ in range(4):
        mine.grad = torch.randn(shape, generator=generator)
        other.grad = mine.grad.clone()
        a.step()
        b.step()
    moved = (other - start).norm()
    assert (mine - other).norm() < 0.02 * moved


def test_matrices_that_share_a_parameter_move_as_if_they_did_not() -> None:
    generator = torch.Generator().manual_seed(5)
    start, grad = (torch.randn(10, 6, generator=generator) for _ in range(2))
    rows = (6, 2, 2)
    together = torch.nn.Parameter(start.clone())
    together.grad = grad.clone()
    apart = [torch.nn.Parameter(part.clone()) for part in start.split(rows)]
    for param, part in zip(apart, grad.split(rows), strict=True):
        param.grad = part.clone()
    Muon([together], lr=0.1, parts={together: rows}).step()
    Muon(apart, lr=0.1).step()
    torch.testing.assert_close(together.data, torch.cat([p.data for p in apart]))


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
    assert update_scale(512, 128, "original") == 2
    assert update_scale(128, 512, "original") == 1
