from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from olmeda.train.step import Losses, accumulate, train_step


@dataclass(frozen=True)
class Points:
    x_NC: Tensor
    y_N: Tensor

    @property
    def units(self) -> int:
        return len(self.y_N)

    @property
    def tokens(self) -> int:
        return len(self.y_N)


def squares(model: nn.Module, micro: Points) -> Losses:
    error_N = model(micro.x_NC)[:, 0] - micro.y_N
    weight = sum(p.square().sum() for p in model.parameters())
    assert isinstance(weight, Tensor)
    return Losses(error_N.square().sum(), weight, {"error": error_N.sum()})


def points(count: int) -> Points:
    generator = torch.Generator().manual_seed(count)
    return Points(
        torch.randn(count, 3, generator=generator), torch.randn(count, generator=generator)
    )


def halves(whole: Points, at: int) -> list[Points]:
    return [Points(whole.x_NC[:at], whole.y_N[:at]), Points(whole.x_NC[at:], whole.y_N[at:])]


def test_micro_batches_of_unequal_size_give_the_gradient_of_the_whole() -> None:
    model, whole = nn.Linear(3, 1), points(10)
    other = copy.deepcopy(model)
    together = accumulate(model, [whole], squares)
    apart = accumulate(other, halves(whole, 3), squares)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)
    assert abs(together["loss"] - apart["loss"]) < 1e-6
    assert abs(together["error"] - apart["error"]) < 1e-6


def test_gradient_is_clipped_before_the_update() -> None:
    model = nn.Linear(3, 1)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    measures = train_step(model, [points(10)], squares, [optimizer], clip=0.01)
    moved = torch.cat([(p - b).flatten() for p, b in zip(model.parameters(), before, strict=True)])
    assert measures["grad_norm"] > 0.01
    assert abs(moved.norm().item() - 0.01) < 1e-5


def test_a_loss_that_is_no_number_updates_nothing() -> None:
    model = nn.Linear(3, 1)
    before = copy.deepcopy(model.state_dict())
    bad = points(4)
    bad.y_N[1] = float("nan")
    train_step(model, [bad], squares, [torch.optim.SGD(model.parameters(), lr=1.0)], clip=1.0)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
