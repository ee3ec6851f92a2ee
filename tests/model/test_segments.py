from __future__ import annotations

import pytest
import torch

from olmeda.model.attend import attend
from olmeda.model.config import load_preset
from olmeda.model.segments import Segments
from olmeda.model.transformer import Transformer


def test_a_document_in_a_shared_row_is_read_as_if_it_were_alone() -> None:
    config = load_preset("tour-dense", layers=2, width=32, heads=4, vocab_size=64, sequence=32)
    model = Transformer.initialised(config, 1)
    ids_BT = torch.randint(64, (2, 20), generator=torch.Generator().manual_seed(3))
    lengths = (5, 15, 5, 7, 8)
    h_ND = model(ids_BT, segments=Segments(lengths)).h_BTD.flatten(0, 1)
    start = 0
    for length in lengths:
        alone_1T = ids_BT.flatten()[None, start : start + length]
        torch.testing.assert_close(h_ND[start : start + length], model(alone_1T).h_BTD[0])
        start += length


@pytest.mark.parametrize("lengths", [(2,), (2, 4), (5, -1), ()])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_segments_of_another_batch_are_refused(lengths: tuple[int, ...], kind: torch.dtype) -> None:
    q = torch.zeros(1, 4, 2, 16, dtype=kind)
    with pytest.raises(ValueError, match="and the batch 4"):
        attend(q, q, q, segments=Segments(lengths))


def test_model_refuses_segments_of_another_batch() -> None:
    config = load_preset("tour-dense", layers=2, width=64, heads=2, vocab_size=64, sequence=32)
    model = Transformer.initialised(config, 1)
    with pytest.raises(ValueError, match="and the batch 20"):
        model(torch.zeros(2, 10, dtype=torch.long), segments=Segments((10, 30)))
