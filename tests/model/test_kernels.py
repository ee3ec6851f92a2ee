"""Kernels in vectors against torch's float64, at the edges of what floats hold too."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import silu

from olmeda.model.experts.activation import SwiGLU
from olmeda.model.kernels import threads
from olmeda.model.kernels.eligible import vectorises
from olmeda.model.kernels.head_loss import label_logprobs, summed_nll
from olmeda.model.kernels.large_pages import LEAST, on_large_pages
from olmeda.model.kernels.rms_norm import rms_norm
from olmeda.model.kernels.swiglu import gated_product, swiglu
from olmeda.model.rope import rotate


def gated(both: torch.Tensor) -> torch.Tensor:
    gate, up = both.chunk(2, -1)
    return silu(gate) * up


@pytest.mark.parametrize("rows", [1, 63, 200])
def test_gate_and_gradient_equal_the_formula(rows: int) -> None:
    generator = torch.Generator().manual_seed(1)
    both = (5 * torch.randn(rows, 96, generator=generator)).requires_grad_()
    grad = torch.randn(rows, 48, generator=generator)
    exact = both.detach().double().requires_grad_()
    found, wanted = swiglu(both), gated(exact)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)
    (ours,) = torch.autograd.grad(found, both, grad)
    (theirs,) = torch.autograd.grad(wanted, exact, grad.double())
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-6)


def test_gate_stays_finite_at_both_ends() -> None:
    gate = torch.tensor([-1e4, -200.0, -100.0, 0.0, 100.0, 1e4] + [1.0] * 10)
    both = torch.cat([gate, torch.ones(16)])[None].requires_grad_()
    found = swiglu(both)
    torch.testing.assert_close(found, silu(gate)[None], atol=1e-6, rtol=1e-6)
    (slope,) = torch.autograd.grad(found.sum(), both)
    assert torch.isfinite(slope).all()


def test_gate_is_the_same_bits_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "WORTH_SPLITTING", 0)
    both = torch.randn(500, 64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    found = []
    for number in (1, 4):
        monkeypatch.setattr(torch, "get_num_threads", lambda number=number: number)
        out = swiglu(both)
        found.append((out, *torch.autograd.grad(out.square().sum(), both)))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_only_float32_on_the_cpu_in_whole_vectors_is_taken() -> None:
    x = torch.zeros(2, 32)
    assert vectorises(32, x)
    assert not vectorises(24, x)
    assert not vectorises(32, x, x.double())
    assert not vectorises(32, x.to("meta"))
    assert not vectorises(32, x[:0])


@pytest.mark.parametrize("width", [48, 20])
def test_gate_and_product_at_once_equal_both_apart(width: int) -> None:
    generator = torch.Generator().manual_seed(4)
    both = torch.randn(2, 30, 2 * width, generator=generator).requires_grad_()
    down = torch.randn(24, width, generator=generator).requires_grad_()
    found, wanted = gated_product(both, down), swiglu(both) @ down.T
    torch.testing.assert_close(found, wanted)
    ours = torch.autograd.grad(found.square().sum(), (both, down))
    theirs = torch.autograd.grad(wanted.square().sum(), (both, down))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("shape", "added"), [((1, 48), False), ((3, 67, 48), True)])
def test_norm_and_gradients_equal_the_formula(shape: tuple[int, ...], added: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    x, beside, grad = (torch.randn(shape, generator=generator) for _ in range(3))
    weight = torch.randn(48, generator=generator)
    given = [t.requires_grad_() for t in (x, weight, beside)][: 2 + added]
    exact = [t.detach().double().requires_grad_() for t in given]
    found = rms_norm(given[0], given[1], 1e-5, *given[2:])
    wanted = torch.nn.functional.rms_norm(exact[0], (48,), exact[1], 1e-5) + sum(exact[2:])
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)
    ours = torch.autograd.grad(found, given, grad)
    theirs = torch.autograd.grad(wanted, exact, grad.double())
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=2e-5)


def test_norm_of_a_slice_of_columns_is_that_of_its_copy() -> None:
    wide = torch.randn(2, 5, 96, generator=torch.Generator().manual_seed(4)).requires_grad_()
    weight = torch.ones(48)
    part = wide[..., 48:]
    assert torch.equal(rms_norm(part, weight, 1e-6), rms_norm(part.contiguous(), weight, 1e-6))
    (grad,) = torch.autograd.grad(rms_norm(part, weight, 1e-6).square().sum(), wide)
    assert not grad[..., :48].any()
    assert torch.isfinite(grad).all()


def test_norm_is_the_same_bits_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "WORTH_SPLITTING", 0)
    x = torch.randn(300, 64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    weight = torch.randn(64, generator=torch.Generator().manual_seed(5)).requires_grad_()
    found = []
    for number in (1, 4):
        monkeypatch.setattr(torch, "get_num_threads", lambda number=number: number)
        out = rms_norm(x, weight, 1e-6)
        found.append((out, *torch.autograd.grad(out.square().sum(), (x, weight))))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("width", [24, 48])  # torch's operations, and a kernel
def test_weighed_gate_and_its_gradients_equal_the_formula(width: int) -> None:
    generator = torch.Generator().manual_seed(6)
    both = 5 * torch.randn(67, 2 * width, generator=generator)
    grad, weight = torch.randn(67, width, generator=generator), torch.rand(67, generator=generator)
    exact = [t.double().requires_grad_() for t in (both, weight)]
    wanted = gated(exact[0]) * exact[1][:, None]
    slopes = torch.autograd.grad(wanted, exact, grad.double())
    found = torch.empty(67)
    again, slope = SwiGLU().backward(both, grad.clone(), weight, found)
    torch.testing.assert_close(
        SwiGLU().weighed(both, weight).double(), wanted, rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(again.double(), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(slope.double(), slopes[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.double(), slopes[1], rtol=1e-5, atol=1e-4)


def test_gradients_of_gradients_are_refused_and_not_wrong() -> None:
    x, weight = torch.randn(3, 32, requires_grad=True), torch.ones(32, requires_grad=True)
    labels, cos = torch.zeros(3, dtype=torch.long), torch.ones(3, 1, 16)
    down = torch.randn(8, 16, requires_grad=True)
    for made in (
        swiglu(x),
        gated_product(x, down),
        rms_norm(x, weight, 1e-6),
        rms_norm(x[:, :24], weight[:24], 1e-6),
        rotate(x.view(1, 3, 1, 32), cos, cos),
        summed_nll(x, torch.randn(9, 32, requires_grad=True), labels),
        label_logprobs(x, torch.randn(9, 32, requires_grad=True), labels)[0],
    ):
        (slope,) = torch.autograd.grad(made.square().sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            slope.square().sum().backward()


def test_a_tensor_on_large_pages_is_itself_and_holds_what_is_written() -> None:
    unset = torch.empty(LEAST // 4 + 5)
    found = on_large_pages(unset)
    assert found is unset
    assert float(found.fill_(2.0).sum(dtype=torch.float64)) == 2 * len(unset)
