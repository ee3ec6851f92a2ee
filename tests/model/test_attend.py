"""Attention against its formula: every pair scored, masked, capped and summed one by one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from olmeda.model.attend import attend, attend_cached
from olmeda.model.kernels import threads
from olmeda.model.segments import Segments


def formula(
    q: Tensor, k: Tensor, v: Tensor, window: int, softcap: float, lengths: tuple[int, ...]
) -> Tensor:
    """Attention by float64 matrices over all pairs, with one mask for all that is asked."""
    (batch, tokens, _, width), shared = q.shape, q.shape[2] // k.shape[2]
    q64, k64, v64 = q.double(), *(t.double().repeat_interleave(shared, 2) for t in (k, v))
    scores = torch.einsum("bthc,bshc->bhts", q64, k64) / math.sqrt(width)
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    place = torch.arange(tokens)
    sees = (place[None] <= place[:, None]) & (place[:, None] - place[None] < (window or tokens))
    stretch = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    stretch = stretch.view(batch, tokens)
    sees = sees & (stretch[:, :, None] == stretch[:, None])
    probs = torch.softmax(scores.masked_fill(~sees[:, None], -torch.inf), -1)
    return torch.einsum("bhts,bshc->bthc", probs, v64)


def drawn(batch: int, tokens: int, heads: int, key_heads: int, width: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    shapes = [(heads, width), (key_heads, width), (key_heads, width)]
    return [torch.randn(batch, tokens, *s, generator=generator).requires_grad_() for s in shapes]


CASES = {
    "plain": (2, 50, 4, 4, 32, 0, 0.0, None),
    "one token": (1, 1, 2, 2, 32, 0, 0.0, None),
    "long": (1, 301, 2, 2, 64, 0, 0.0, None),
    "grouped": (2, 77, 6, 2, 64, 0, 0.0, None),
    "one key head": (1, 130, 4, 1, 16, 0, 0.0, None),
    "narrow heads": (2, 40, 4, 2, 8, 0, 0.0, None),
    "odd width": (1, 140, 2, 1, 80, 0, 0.0, None),
    "wide heads": (1, 140, 2, 1, 128, 0, 0.0, None),
    "window": (2, 150, 4, 2, 32, 40, 0.0, None),
    "window of one": (1, 20, 2, 2, 32, 1, 0.0, None),
    "window past all": (1, 20, 2, 2, 32, 64, 0.0, None),
    "softcap": (2, 150, 4, 2, 32, 0, 3.0, None),
    "segments": (2, 150, 4, 2, 32, 0, 0.0, (100, 50, 1, 48, 1, 100)),
    "all at once": (2, 150, 4, 2, 48, 60, 2.0, (100, 50, 1, 48, 1, 100)),
}


@pytest.mark.parametrize("name", CASES)
def test_attention_and_gradients_equal_the_formula(name: str) -> None:
    *shape, window, softcap, lengths = CASES[name]
    q, k, v = drawn(*shape)
    segments = None if lengths is None else Segments(lengths)
    found = attend(q, k, v, window=window, softcap=softcap, segments=segments)
    alone = lengths or (shape[1],) * shape[0]
    wanted = formula(q, k, v, window, softcap, alone)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-5)
    upstream = torch.randn(found.shape, generator=torch.Generator().manual_seed(6))
    ours = torch.autograd.grad(found, (q, k, v), upstream)
    theirs = torch.autograd.grad(wanted, (q, k, v), upstream.double())
    for got, want in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("softcap", [0.0, 3.0])
def test_cached_attention_equals_the_last_rows_of_the_whole(softcap: float) -> None:
    q, k, v = drawn(2, 30, 4, 2, 32)
    whole = attend(q, k, v, softcap=softcap)
    mask = (torch.arange(30) <= torch.arange(25, 30)[:, None]).expand(2, 1, 5, 30)
    keys, values = k.transpose(1, 2), v.transpose(1, 2)
    found = attend_cached(q[:, 25:], keys, values, mask, softcap=softcap)
    torch.testing.assert_close(found, whole[:, 25:], rtol=1e-5, atol=1e-5)


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "WORTH_SPLITTING", 0)
    q, k, v = drawn(3, 150, 4, 2, 32)
    found = []
    for number in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda number=number: number)
        mixed = attend(q, k, v)
        found.append([mixed, *torch.autograd.grad(mixed.square().sum(), (q, k, v))])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_attention_takes_strided_slices_of_a_fused_product() -> None:
    wide = torch.randn(2, 70, 3 * 64, generator=torch.Generator().manual_seed(1))
    q, k, v = (t.unflatten(-1, (2, 32)) for t in wide.split(64, -1))
    wanted = formula(q, k, v, 0, 0.0, (70, 70))
    torch.testing.assert_close(attend(q, k, v).double(), wanted, rtol=1e-5, atol=1e-5)


def test_huge_scores_do_not_overflow() -> None:
    q, k, v = (100 * t.detach() for t in drawn(1, 60, 2, 2, 32))
    wanted = formula(q, k, v, 0, 0.0, (60,))
    torch.testing.assert_close(attend(q, k, v).double(), wanted, rtol=1e-4, atol=1e-2)


def test_torch_computes_what_the_kernel_does_not_take() -> None:
    q, k, v = (t.detach().double() for t in drawn(1, 60, 2, 2, 32))
    torch.testing.assert_close(attend(q, k, v), formula(q, k, v, 0, 0.0, (60,)))
    assert attend(*(t.to("meta") for t in (q, k, v))).shape == q.shape


@pytest.mark.parametrize("softcap", [0.0, 3.0])
@pytest.mark.parametrize("which", range(3))
def test_nan_comes_through(which: int, softcap: float) -> None:
    generator = torch.Generator().manual_seed(3)
    q, k, v = qkv = [torch.randn(1, 70, 2, 16, generator=generator) for _ in range(3)]
    qkv[which][0, 40] = torch.nan
    for t in qkv:
        t.requires_grad_()
    found = attend(q, k, v, softcap=softcap)
    seen = slice(40, 41) if which == 0 else slice(40, None)  # by itself, or by all that follow
    assert found[0, seen].isnan().all()
    assert found[0, :32].isfinite().all()
    grads = torch.autograd.grad(found.sum(), qkv)
    assert any(grad.isnan().any() for grad in grads)


def test_scores_that_overflow_give_nan_and_not_a_number() -> None:
    huge = torch.full((1, 4, 2, 16), 1e25)
    assert not attend(huge, huge, huge).isfinite().any()
