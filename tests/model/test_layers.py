"""Norm, gate and rotary positions against plain autograd, in double precision."""

from __future__ import annotations

import torch
from torch.autograd import gradcheck

from olmeda.model.mlp import swiglu
from olmeda.model.norm import rms_norm
from olmeda.model.rope import rotary_table, rotate


def doubles(*shape: int) -> torch.Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.double)
    return x.requires_grad_()


def test_rms_norm_has_the_value_and_gradient_of_its_formula() -> None:
    x, weight = doubles(3, 4, 8), doubles(8)
    wanted = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weight
    torch.testing.assert_close(rms_norm(x, weight, 1e-5), wanted)
    assert gradcheck(lambda a, b: rms_norm(a, b, 1e-5), (x, weight))


def test_rms_norm_of_zeros_is_zero() -> None:
    assert not rms_norm(torch.zeros(2, 4), torch.ones(4), 1e-6).any()


def test_rms_norm_takes_a_strided_slice() -> None:
    wide, weight = doubles(3, 4, 24), doubles(8)
    assert gradcheck(lambda a, b: rms_norm(a.split(8, -1)[1], b, 1e-5), (wide, weight))


def test_swiglu_has_the_value_and_gradient_of_its_formula() -> None:
    both = doubles(5, 6)
    gate, up = both.chunk(2, -1)
    torch.testing.assert_close(swiglu(both), gate * torch.sigmoid(gate) * up)
    assert gradcheck(swiglu, (both,))


def test_rotation_keeps_length_and_depends_on_distance_only() -> None:
    cos, sin = rotary_table(32, 8, 10_000.0)
    cos, sin = cos[:, None].double(), sin[:, None].double()
    q, k = doubles(1, 1, 1, 8).expand(1, 32, 1, 8), doubles(8).expand(1, 32, 1, 8)
    turned_q, turned_k = rotate(q, cos, sin), rotate(k, cos, sin)
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm(dim=-1))
    products = turned_q[0, :, 0] @ turned_k[0, :, 0].T
    for distance in range(4):
        line = products.diagonal(distance)
        torch.testing.assert_close(line, line[:1].expand_as(line))


def test_rotation_gradient_is_the_rotation_back() -> None:
    cos, sin = rotary_table(5, 4, 100.0)
    cos, sin = cos[:, None].double(), sin[:, None].double()
    assert gradcheck(lambda x: rotate(x, cos, sin), (doubles(2, 5, 3, 4),))
