"""From a step to its text and from a document to its steps, for runs in any state."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from olmeda.artifacts.corpus import Corpus
from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ArtifactError, ConfigError, InputError
from olmeda.tokens.tokenizer import Tokenizer
from olmeda.train.batches import InstanceBatches
from olmeda.train.order_record import read_order
from olmeda.train.run import RunConfig, batches_of, run
from olmeda.train.trace import (
    told_document,
    told_step,
    told_whole,
    trace_document,
    trace_step,
    trace_whole,
)
from olmeda.train.traced_run import TracedRun, open_run
from olmeda.train.world import World
from train.conftest import MODELS

LOOP = {"steps": 20, "batch_tokens": 128, "micro_tokens": 64, "sequence": 32, "lr": 0.01,
        "save_every": 10, "warmup": 2}  # fmt: skip


def config(tokens: dict[str, Path], **changes: Any) -> RunConfig:
    loop = {**LOOP, **changes.pop("loop", {})}
    values = {"tokens": tokens["tokens"], "model": MODELS["dense"], "loop": loop, "seed": 3}
    return RunConfig.model_validate({**values, **changes})


@pytest.fixture(scope="module")
def made(tokens: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of whole documents, which kept its checkpoint of step 10."""
    settings = config(
        tokens,
        data={"packing": {"kind": "best_fit"}, "attention": "document"},
        loop={"batch_schedule": [{"after": 8, "tokens": 256}]},
        checkpoints={"keep_every": 10},
    )
    return run(settings, tmp_path_factory.mktemp("runs") / "made")


@pytest.fixture(scope="module")
def opened(made: Path) -> TracedRun:
    return open_run(made)


@pytest.mark.parametrize("step", [1, 8, 9, 20])
def test_the_text_of_a_step_is_what_the_model_was_to_predict(opened: TracedRun, step: int) -> None:
    found = trace_step(opened, step, excerpt=0)
    tokenizer = Tokenizer.open(opened.tokens.tokenizer)
    targets = [
        micro.labels_BT[row][micro.labels_BT[row] >= 0].tolist()
        for micro in opened.batches.at(step - 1)
        for row in range(len(micro.labels_BT))
    ]
    places = sorted({s.place for s in found.stretches})
    assert places == [*range(found.first, found.first + found.count)]
    assert found.count == (4 if step <= 8 else 8)
    for place, wanted in zip(places, targets, strict=True):
        text = "".join(s.text for s in found.stretches if s.place == place)
        assert text == tokenizer.decode(wanted, skip_special=False)


def test_a_stretch_names_the_document_its_file_and_line(
    opened: TracedRun, tokens: dict[str, Path]
) -> None:
    corpus = Corpus.open(tokens["tokens"].parent / "tokens-text")
    lines = {
        f"documents/{shard.name}.jsonl.zst": list(corpus.read(shard)) for shard in corpus.shards
    }
    for seen in trace_step(opened, 3, excerpt=0).stretches:
        document = lines[seen.file][seen.line - 1]
        assert (document.id, document.source) == (seen.id, seen.source)
        assert seen.text.removesuffix("<|endoftext|>") in document.text
        assert seen.since < seen.upto <= seen.of
        assert seen.learned


def test_the_steps_of_a_document_are_those_whose_trace_names_it(opened: TracedRun) -> None:
    held = {n: {s.id for s in trace_step(opened, n).stretches} for n in range(1, 21)}
    for name in opened.tokens.documents["id"].to_list():
        (found,) = trace_document(opened, name)
        assert {s.step for s in found.sights} == {n for n, ids in held.items() if name in ids}
        assert all(s.seen for s in found.sights)


def test_checkpoints_name_the_order_that_they_have_seen(made: Path, opened: TracedRun) -> None:
    kept = made.with_name("made.checkpoints") / "step-00000010"
    for folder in (made, kept):
        held = read_order(folder)
        assert held is not None
        assert held.order_digest == opened.batches.order_digest
        assert held.tokens_digest == opened.tokens.digest


def test_a_kept_checkpoint_knows_how_far_it_has_seen(made: Path) -> None:
    kept = open_run(made.with_name("made.checkpoints") / "step-00000010")
    assert (kept.done, kept.until) == (10, 20)
    assert trace_step(kept, 10).seen
    later = trace_step(kept, 11)
    assert not later.seen
    assert "step 11 of 20, not seen yet (10 taken)" in told_step(later)
    (found,) = trace_document(kept, later.stretches[0].id)
    assert {s.step for s in found.sights if not s.seen} >= {11}
    assert "not yet" in told_document([found])


def test_an_unfinished_run_is_traced_as_the_finished_one_will_be(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = InstanceBatches.at

    def at(self: InstanceBatches, number: int) -> Any:
        if number == 14:
            raise KeyboardInterrupt
        return plain(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(InstanceBatches, "at", at)
        with pytest.raises(KeyboardInterrupt):
            run(config(tokens), tmp_path / "half")
    half = open_run(tmp_path / "half")
    assert (half.done, half.until) == (14, 20)
    early, late = trace_step(half, 12), trace_step(half, 15)
    assert early.seen
    assert not late.seen
    whole = open_run(run(config(tokens), tmp_path / "half"))
    assert trace_step(whole, 12).stretches == early.stretches
    assert trace_step(whole, 15).stretches == late.stretches


def test_batches_that_a_run_passed_over_count_as_left_out(opened: TracedRun) -> None:
    back = dataclasses.replace(opened, done=18, passed_over=((6, 9),))
    assert [n for n in range(1, 21) if not back.has_seen(n)] == [7, 8, 9, 19, 20]
    assert "step 8 of 20, not seen (18 taken)" in told_step(trace_step(back, 8))
    (found,) = trace_document(back, trace_step(back, 8).stretches[0].id)
    assert "left out" in told_document([found])


def test_masked_instances_are_told(tokens: dict[str, Path], tmp_path: Path) -> None:
    data = {"repeats": {"longest": 1, "times": 2}}
    found = open_run(run(config(tokens, data=data, loop={"steps": 6}), tmp_path / "made"))
    stretches = [s for n in range(1, 7) for s in trace_step(found, n).stretches]
    assert {s.learned for s in stretches} == {True, False}
    step = next(n for n in range(1, 7) if not trace_step(found, n).stretches[0].learned)
    assert "masked: repeats itself" in told_step(trace_step(found, step))


def test_moved_tokens_are_named_and_others_are_refused(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    copied = tmp_path / "tokens"
    shutil.copytree(tokens["tokens"], copied)
    made = run(config({"tokens": copied}, loop={"steps": 2}), tmp_path / "made")
    wanted = trace_step(open_run(made), 1)
    copied.rename(tmp_path / "moved")
    with pytest.raises(ArtifactError, match="is not there; say where it lies: --tokens"):
        open_run(made)
    assert trace_step(open_run(made, tmp_path / "moved", contents=True), 1) == wanted
    with pytest.raises(ArtifactError, match="another order of data"):
        open_run(made, tokens["heldout"])
    file = next((tmp_path / "moved" / "shards").iterdir())
    content = bytearray(file.read_bytes())
    content[11] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"\.bin: changed since it was made"):
        open_run(made, tmp_path / "moved", contents=True)


def test_what_is_no_step_document_or_run_is_refused(
    opened: TracedRun, tokens: dict[str, Path]
) -> None:
    for step in (0, 21):
        with pytest.raises(ConfigError, match=r"its steps are 1 \.\. 20"):
            trace_step(opened, step)
    name = opened.tokens.documents["id"][0]
    with pytest.raises(InputError, match=f"did you mean .*'{name}'"):
        trace_document(opened, f"{name}x")
    with pytest.raises(ArtifactError, match="no training run here"):
        open_run(tokens["tokens"])


def test_processes_share_the_steps_of_a_mixture_whose_stages_end_with_steps(
    tokens: dict[str, Path],
) -> None:
    one, other = TokenSet.open(tokens["tokens"]).sources
    stages = [{"until_steps": 9, "shares": {one: 1}}, {"shares": {one: 1, other: 1}}]
    settings = config(
        tokens,
        data={"packing": {"kind": "best_fit"}, "attention": "document", "mix": {"stages": stages}},
        loop={"batch_schedule": [{"after": 5, "tokens": 256}], "micro_tokens": 32},
    )
    opened = TokenSet.open(tokens["tokens"])
    alone = batches_of(settings, opened)
    assert set(alone.loader.spans(0, alone.draws(9).first)["source"]) == {one}
    assert set(alone.loader.spans(alone.draws(9).first, 40)["source"]) == {one, other}
    shares = [batches_of(settings, opened, World(rank, 2)) for rank in range(2)]
    assert {s.order_digest for s in shares} == {alone.order_digest}
    for step in (0, 7, 12):
        parts = [micro for share in shares for micro in share.at(step)]
        for mine, whole in zip(parts, alone.at(step), strict=True):
            assert mine.ids_BT.equal(whole.ids_BT)
            assert mine.labels_BT.equal(whole.labels_BT)
            assert mine.segments == whole.segments


def test_a_mixture_that_is_too_short_for_the_run_is_refused_before_it(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    source = TokenSet.open(tokens["tokens"]).sources[0]
    mix = {"shares": {source: 1}, "repeat": {source: 0.1}}
    with pytest.raises(
        ConfigError, match=r"fewer than the 80 of 20 steps; raise data\.mix\.repeat"
    ):
        run(config(tokens, data={"mix": mix}), tmp_path / "made")


def test_the_command_prints_text_and_json(made: Path, opened: TracedRun) -> None:
    from olmeda import cli

    cli._add_rooms()
    runner = CliRunner()
    step = runner.invoke(cli.app, ["train", "trace", str(made), "--step", "5"])
    assert step.output.rstrip("\n") == told_step(trace_step(opened, 5))
    name = trace_step(opened, 5).stretches[0].id
    words = ["train", "trace", str(made), "--document", name, "--json"]
    (document,) = json.loads(runner.invoke(cli.app, words).output)
    assert document["id"] == name
    assert 5 in {s["step"] for s in document["sights"]}
    whole = runner.invoke(cli.app, ["train", "trace", str(made)])
    assert whole.output.rstrip("\n") == told_whole(trace_whole(opened))
    both = ["train", "trace", str(made), "--step", "1", "--document", name]
    assert isinstance(runner.invoke(cli.app, both).exception, ConfigError)
