"""Rows that join, leave and are guessed ahead: each gets what it would get alone."""

from __future__ import annotations

import pytest
import torch

from model.conftest import CONFIGS
from model.test_generate import lively, prompts, slowly
from olmeda.base.errors import ConfigError, InputError, ResourceError
from olmeda.model.decode import Decoder, Prompt, Row
from olmeda.model.packed import narrowed, packed
from olmeda.model.sampling import Sampling
from olmeda.model.transformer import Transformer

DRAWN = Sampling(temperature=0.9, top_k=60, top_p=0.95, min_p=0.01)


def finish(decoder: Decoder, asked: list[Prompt]) -> list[list[int]]:
    """All at once."""
    rows = [row for row, _ in decoder.join(asked)]
    while decoder.rows:
        decoder.step()
    return [row.tokens for row in rows]


def asked(how: Sampling = DRAWN) -> list[Prompt]:
    return [Prompt(p, 12, frozenset([0]), how, (1, i)) for i, p in enumerate(prompts())]


@pytest.mark.parametrize("name", CONFIGS)
def test_greedy_is_reading_everything_anew_for_every_option(name: str) -> None:
    model = lively(name)
    wanted = [slowly(model, p, 8, 0) for p in prompts()]
    together = [Prompt(p, 8, frozenset([0])) for p in prompts()]
    assert finish(Decoder(model, 8), together) == wanted
    for prompt, answer in zip(together, wanted, strict=True):
        assert finish(Decoder(model, 1), [prompt]) == [answer]


@pytest.mark.parametrize("how", [Sampling(), DRAWN])
def test_guessing_changes_no_token(how: Sampling) -> None:
    model = lively("dense")
    plain = [finish(Decoder(model, 1, quick=False), [p])[0] for p in asked(how)]
    guessing = Decoder(model, 1)
    assert guessing.guesser is not None
    assert [finish(guessing, [p])[0] for p in asked(how)] == plain
    assert 0 < guessing.right < guessing.guessed  # wrong guesses were put right


def test_a_model_with_experts_is_not_guessed_ahead() -> None:
    # a check of several tokens reads more experts than a step: it costs what it saves
    model = lively("moe")
    decoder = Decoder(model, 1)
    assert decoder.guesser is None
    plain = [finish(Decoder(model, 1, quick=False), [p])[0] for p in asked()]
    assert [finish(decoder, [p])[0] for p in asked()] == plain


def test_a_twin_that_guesses_badly_is_asked_no_more() -> None:
    model = lively("dense")
    decoder = Decoder(model, 1)
    decoder.guesser = narrowed(Transformer.initialised(CONFIGS["dense"], 9))
    wanted = [finish(Decoder(model, 1, quick=False), [p])[0] for p in asked()]
    assert [finish(decoder, [p])[0] for p in asked()] == wanted
    assert decoder.guessed <= 45


def test_rows_join_and_leave_between_steps() -> None:
    model = lively("dense")
    alone = [finish(Decoder(model, 1, quick=False), [p])[0] for p in asked()]
    decoder = Decoder(model, 3)
    rows: list[Row] = []
    waiting = asked()
    while waiting or decoder.rows:
        if waiting and decoder.free:
            rows += [row for row, _ in decoder.join([waiting.pop(0)])]
        decoder.step()
    assert [row.tokens for row in rows] == alone


def test_dropped_row_leaves_the_others_alone() -> None:
    model = lively("dense")
    wanted = [finish(Decoder(model, 1, quick=False), [p])[0] for p in asked()]
    decoder = Decoder(model, 8)
    rows = [row for row, _ in decoder.join(asked())]
    decoder.step()
    decoder.drop(rows[2])
    decoder.drop(rows[2])
    while decoder.rows:
        decoder.step()
    assert [r.tokens for i, r in enumerate(rows) if i != 2] == [*wanted[:2], *wanted[3:]]
    assert len(rows[2].tokens) < len(wanted[2])


@pytest.mark.parametrize("quick", [False, True])
def test_log_probabilities_are_those_of_the_scores(quick: bool) -> None:
    model = lively("dense")
    ids = prompts()[3]
    decoder = Decoder(model, 1, quick=quick)
    found = decoder.join([Prompt(ids, 9, best=3)])
    tokens = list(found[0][1])
    while decoder.rows:
        tokens += decoder.step()[0][1]
    whole = [*ids, *(t.id for t in tokens)]
    with torch.inference_mode():
        logps_TV = model.logits(model(torch.tensor([whole])).h_BTD)[0].log_softmax(-1)
    for place, token in enumerate(tokens, len(ids) - 1):
        assert token.logprob == pytest.approx(float(logps_TV[place, token.id]), abs=1e-4)
        best = logps_TV[place].topk(3)
        assert [i for i, _ in token.best] == best.indices.tolist()


def test_bias_is_added_to_the_scores() -> None:
    model = lively("dense")
    forced = Prompt([5, 6], 4, bias={7: 1e4})
    assert finish(Decoder(model, 2), [forced, Prompt([5, 6], 4)])[0] == [7] * 4


@pytest.mark.parametrize("name", ["dense", "tied", "moe"])
def test_packed_twin_is_the_model(name: str) -> None:
    model = lively(name)
    ids_BT = torch.tensor([prompts()[3], prompts()[3]])
    with torch.inference_mode():
        wanted = model.logits(model(ids_BT).h_BTD)
        twin = packed(model)
        assert twin is not model
        found = twin.logits(twin(ids_BT).h_BTD)
        rough = narrowed(model)
        assert rough is not None
        guess = rough.logits(rough(ids_BT).h_BTD)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
    assert (guess - wanted).norm() < 0.3 * wanted.norm()
    assert [n for n, _ in model.named_parameters()]  # and the model is as it was
    with torch.inference_mode():
        assert torch.equal(model.logits(model(ids_BT).h_BTD), wanted)


def test_model_of_other_numbers_is_used_as_it_is() -> None:
    model = lively("dense").double()
    assert packed(model) is model
    assert narrowed(model) is None


@pytest.mark.parametrize("ids", [[], [96], [-1], [1] * 64])
def test_prompt_that_cannot_be_continued_is_refused(ids: list[int]) -> None:
    with pytest.raises(InputError, match="the prompt has"):
        Decoder(lively("dense"), 1, quick=False).check(ids)


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"top_k": -1}, {"top_p": 1.1}, {"min_p": 2}]
)
def test_sampling_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Sampling(**wrong)  # type: ignore[arg-type]


def test_allocation_that_fails_leaves_the_decoder_right(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder(lively("dense"), 4, quick=False)
    wanted = finish(decoder, asked()[:4])
    new_zeros, calls = torch.Tensor.new_zeros, []

    def fails(self: torch.Tensor, *shape: int) -> torch.Tensor:
        calls.append(shape)
        if len(calls) == 2:
            raise RuntimeError("no memory")
        return new_zeros(self, *shape)

    decoder.cache.size = 8  # so that it must grow
    decoder.cache.keys = [k[:, :, :8].clone() for k in decoder.cache.keys]
    decoder.cache.values = [v[:, :, :8].clone() for v in decoder.cache.values]
    monkeypatch.setattr(torch.Tensor, "new_zeros", fails)
    with pytest.raises(RuntimeError, match="no memory"):
        decoder.join(asked()[3:4])
    monkeypatch.undo()
    assert decoder.free == 4
    assert finish(decoder, asked()[:4]) == wanted


def test_prompts_that_fail_to_join_leave_those_that_run_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = lively("dense")
    alone = [finish(Decoder(model, 1, quick=False), [p])[0] for p in asked()]
    decoder = Decoder(model, 4, quick=False)
    first = decoder.join(asked()[:1])[0][0]
    monkeypatch.setattr(model, "logits", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        decoder.join(asked()[1:3])
    monkeypatch.undo()
    assert (decoder.free, decoder.rows) == (3, [first])
    second = decoder.join(asked()[4:5])[0][0]
    while decoder.rows:
        decoder.step()
    assert [first.tokens, second.tokens] == [alone[0], alone[4]]


def test_room_is_taken_by_need_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("olmeda.model.decode.KEPT_BYTES", 0)
    decoder = Decoder(lively("dense"), 16, quick=False)
    decoder.join([Prompt([5] * 40, 4)])
    assert decoder.cache.room == 1
    decoder.join([Prompt([5] * 4, 4)])
    assert decoder.cache.room == 2
    while decoder.rows:
        decoder.step()
    assert (decoder.cache.room, decoder.cache.size) == (0, 0)


def test_memory_is_bounded() -> None:
    model = lively("dense")
    wanted = finish(Decoder(model, 1, quick=False), [Prompt([5] * 18, 9)])[0]
    each = 2 * 2 * 32 * 4  # keys and values, 2 layers, width 32, float32
    decoder = Decoder(model, 8, quick=False, memory=50 * each)
    row = decoder.join([Prompt([5] * 18, 9)])[0][0]
    with pytest.raises(ResourceError, match="4 texts of up to 18 tokens"):
        decoder.join([Prompt([7] * 2, 2)] * 3)
    other = decoder.join([Prompt([6] * 20, 40)])[0][0]
    with pytest.raises(ResourceError, match="2 texts of up to 26 tokens"):
        while len(other.tokens) < 40:
            decoder.step()
    decoder.drop(other)
    while decoder.rows:
        decoder.step()
    assert row.tokens == wanted


@pytest.mark.parametrize("name", ["dense", "grouped", "moe"])
@pytest.mark.parametrize("how", [Sampling(), DRAWN])
def test_model_in_bf16_is_continued(name: str, how: Sampling) -> None:
    model = lively(name).bfloat16()
    model.fill_tables()
    decoder = Decoder(model, 8)
    assert decoder.cache.keys[0].dtype == torch.bfloat16
    found = finish(decoder, [Prompt(p, 12, how=how) for p in prompts()])
    assert [len(tokens) for tokens in found] == [12] * 8
