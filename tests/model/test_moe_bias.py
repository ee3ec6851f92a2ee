"""Balance without a loss: the bias follows visits, counts in the choice and not in the weights."""

from __future__ import annotations

import torch

from model.conftest import TINY
from olmeda.model.config import load_preset
from olmeda.model.experts.bias import biased_routers, forget_visits, move_biases
from olmeda.model.experts.router import Router
from olmeda.model.loss import IGNORED, lm_loss
from olmeda.model.transformer import Transformer


def model(rate: float = 0.1) -> Transformer:
    experts = {"count": 4, "chosen": 1, "bias_rate": rate, "balance_weight": 0.0}
    config = load_preset("tour-moe", **TINY, mlp_width=24, experts=experts)
    return Transformer.initialised(config, 5).train()


def alone(*values: float) -> list[float]:
    return list(values)


def bias(router: Router) -> torch.Tensor:
    assert router.bias_E is not None
    return router.bias_E


def ids(rows: int = 4) -> torch.Tensor:
    return torch.randint(0, 96, (rows, 33), generator=torch.Generator().manual_seed(1))


def test_experts_with_few_visits_rise_and_those_with_many_fall() -> None:
    found = model()
    first, second = biased_routers(found)
    first.visits_E = torch.tensor([10, 0, 4, 6])
    move_biases(found, alone)
    torch.testing.assert_close(bias(first), torch.tensor([-0.1, 0.1, 0.1, -0.1]))
    assert first.visits_E is None
    assert bias(second).tolist() == [0, 0, 0, 0]  # nothing was counted


def test_the_mean_stays_where_it_is() -> None:
    found = model()
    router = biased_routers(found)[0]
    router.visits_E = torch.tensor([5, 5, 5, 5])
    move_biases(found, alone)
    assert bias(router).tolist() == [0, 0, 0, 0]


def test_biases_move_by_the_sum_over_processes() -> None:
    found = model()
    router = biased_routers(found)[0]
    router.visits_E = torch.tensor([9, 1, 1, 1])
    elsewhere = [0, 20, 0, 0]
    move_biases(found, lambda *here: [a + b for a, b in zip(here, elsewhere, strict=True)])
    torch.testing.assert_close(bias(router), torch.tensor([-0.1, -0.1, 0.1, 0.1]))


def test_the_bias_counts_in_the_choice_and_not_in_the_weights() -> None:
    found = model()
    router = biased_routers(found)[0]
    x = torch.randn(1, 20, 32, generator=torch.Generator().manual_seed(2))
    bias(router)[3] = 10.0
    routed = router(x)
    assert (routed.chosen_NK == 3).all()
    torch.testing.assert_close(routed.weights_NK[:, 0], routed.probs_NE[:, 3])


def test_visits_of_all_micro_batches_are_counted_and_padding_is_not() -> None:
    found, given = model(), ids()
    labels = given[:, 1:].clone()
    labels[1, 10:] = IGNORED
    for part in (slice(0, 2), slice(2, 4)):
        lm_loss(found, given[part, :-1], labels[part])
    for router in biased_routers(found):
        assert router.visits_E is not None
        assert int(router.visits_E.sum()) == 3 * 32 + 10


def test_nothing_is_counted_where_only_a_loss_is_measured() -> None:
    found, given = model(), ids()
    with torch.no_grad():
        lm_loss(found, given[:, :-1], given[:, 1:])
    lm_loss(found.eval(), given[:, :-1], given[:, 1:])
    assert all(router.visits_E is None for router in biased_routers(found))


def test_what_a_step_without_end_counted_can_be_forgotten() -> None:
    found, given = model(), ids()
    lm_loss(found, given[:, :-1], given[:, 1:])
    assert all(router.visits_E is not None for router in biased_routers(found))
    forget_visits(found)
    assert all(router.visits_E is None for router in biased_routers(found))


def test_moving_biases_makes_load_even() -> None:
    found, given = model(rate=0.002), ids(16)
    spread = []
    for _ in range(60):
        lm_loss(found, given[:, :-1], given[:, 1:])
        visits = biased_routers(found)[0].visits_E
        assert visits is not None
        spread.append(int(visits.max()) / float(visits.double().mean()))
        move_biases(found, alone)
    assert spread[-1] < 1.15 < spread[0]


def test_biases_are_part_of_the_state_of_a_model() -> None:
    found = model()
    bias(biased_routers(found)[1])[2] = 0.5
    copy = model()
    copy.load_state_dict(found.state_dict())
    assert float(bias(biased_routers(copy)[1])[2]) == 0.5
    assert not biased_routers(Transformer(load_preset("tour-moe", **TINY, mlp_width=24)))
