"""The kernel that attends from rows of a batch to a cache, against torch's masked attention."""

from __future__ import annotations

import pytest
import torch

from olmeda.model.attend import LEAST_ROWS, attend_cached
from olmeda.model.kernels import threads

ROWS, ROOM = 5, 70


def drawn(heads: int, groups: int, width: int, tokens: int = 1) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    wide = torch.randn(ROWS, tokens, heads + 2, width, generator=generator)
    keys, values = torch.randn(2, ROWS, groups, ROOM, width, generator=generator).mul(2)
    return [wide[:, :, 1:-1], keys[:, :, :64], values[:, :, :64]]  # strided, as in the model


def mask_of(positions_BT: torch.Tensor, window: int) -> torch.Tensor:
    behind_BTS = positions_BT[..., None] - torch.arange(64)
    return ((behind_BTS >= 0) & (behind_BTS < (window or 64)))[:, None]


@pytest.mark.parametrize(("heads", "groups", "width"), [(4, 4, 64), (6, 2, 32), (3, 1, 16)])
@pytest.mark.parametrize(("window", "softcap"), [(0, 0.0), (7, 0.0), (0, 2.5), (5, 1.5)])
def test_each_row_sees_what_its_mask_shows(
    heads: int, groups: int, width: int, window: int, softcap: float
) -> None:
    assert ROWS >= LEAST_ROWS
    q, k, v = drawn(heads, groups, width)
    positions_BT = torch.tensor([[0], [63], [5], [30], [31]])
    mask = mask_of(positions_BT, window)
    with torch.inference_mode():
        wanted = attend_cached(q, k, v, mask, softcap=softcap)
        found = attend_cached(
            q, k, v, mask, window=window, softcap=softcap, positions_BT=positions_BT
        )
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert not torch.equal(found, wanted)  # it was another kernel


def test_threads_change_no_bit_of_cached_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "WORTH_SPLITTING", 0)
    q, k, v = drawn(4, 2, 32)
    positions_BT = torch.tensor([[9], [63], [5], [30], [31]])
    found = []
    for number in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda number=number: number)
        with torch.inference_mode():
            found.append(
                attend_cached(q, k, v, mask_of(positions_BT, 0), positions_BT=positions_BT)
            )
    assert torch.equal(*found)


def test_gradients_go_through_torch() -> None:
    q, k, v = drawn(4, 4, 32)
    q.requires_grad_()
    positions_BT = torch.full((ROWS, 1), 40)
    attend_cached(q, k, v, mask_of(positions_BT, 0), positions_BT=positions_BT).sum().backward()
    assert q.grad is not None


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("softcap", [0.0, 2.5])
def test_nan_comes_through_to_the_rows_that_see_it(which: int, softcap: float) -> None:
    qkv = drawn(4, 4, 32)
    rows = qkv[which].movedim(1, 0 if which else 1)  # keys and values: heads first
    if which:
        rows[:, 2, 20] = torch.nan
    else:
        rows[2] = torch.nan
    positions_BT = torch.tensor([[30]] * ROWS)
    with torch.inference_mode():
        found = attend_cached(
            *qkv, mask_of(positions_BT, 0), softcap=softcap, positions_BT=positions_BT
        )
    broken = found.isnan().flatten(1)
    assert broken[2].any()
    assert not broken[[0, 1, 3, 4]].any()
