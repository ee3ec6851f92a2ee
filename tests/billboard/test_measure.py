"""billboard.measure: outputs in, aligned and signed score rows out."""

from __future__ import annotations

from pathlib import Path

import pytest

from olmeda.artifacts.lineage import Lineage
from olmeda.artifacts.scores import Scores
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.files import read_json
from olmeda.billboard.measure import MeasureConfig, Measured, measure

from .conftest import Write
from .outputs import TASK, changed, make_outputs


def test_every_system_item_and_metric_has_a_row(write_outputs: Write, tmp_path: Path) -> None:
    folder = write_outputs(make_outputs(3, 4))
    out = measure(MeasureConfig(outputs=[folder], tasks=[TASK]), tmp_path / "measured")
    frame = Scores.open(out).frame
    assert len(frame) == 4 * 4 * 5
    assert frame["rater"].unique().sort().to_list() == [
        f"metric:{n}" for n in ("bleu", "chrf", "length", "rouge", "token_f1")
    ]
    counts = Lineage.open(out).counts
    assert (counts["systems"], counts["items"], counts["metrics"]) == (4, 4, 5)
    record: Measured = read_json(out / "measure.json", Measured)
    assert record.signatures["bleu"].startswith("bleu@1|sacrebleu:")


def test_metric_with_settings_has_a_column_of_its_own(write_outputs: Write, tmp_path: Path) -> None:
    folder = write_outputs(make_outputs(2, 3))
    config = MeasureConfig.load(
        None, [f"outputs=[{folder}]", "metrics=[chrf,{name: chrf, word_order: 2}]"]
    )
    frame = Scores.open(measure(config, tmp_path / "m")).frame
    assert frame["scorer"].unique().sort().to_list() == ["chrf", "chrf(word_order=2)"]


def test_same_outputs_give_the_same_bytes(write_outputs: Write, tmp_path: Path) -> None:
    config = MeasureConfig(outputs=[write_outputs(make_outputs(2, 5))])
    digests = {Lineage.open(measure(config, tmp_path / n)).digest for n in ("a", "b")}
    assert len(digests) == 1


def test_oddities_are_noted(write_outputs: Write, tmp_path: Path) -> None:
    rows = [changed(o, text="x" if o.system == "m0" else o.text) for o in make_outputs(2, 4)]
    out = measure(MeasureConfig(outputs=[write_outputs(rows)]), tmp_path / "m")
    record: Measured = read_json(out / "measure.json", Measured)
    assert "length is constant for m0" in record.notes[TASK]


def test_wrong_input_is_refused_with_a_remedy(write_outputs: Write, tmp_path: Path) -> None:
    folder = write_outputs(make_outputs(2, 2))
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = [
        (MeasureConfig(outputs=[folder], tasks=["test/generatin"]), InputError, "no task called"),
        (MeasureConfig(outputs=[empty]), InputError, "name a folder made by evals.run"),
        (MeasureConfig(outputs=[write_outputs([], "none")]), InputError, "no outputs here"),
        (MeasureConfig(outputs=[folder, folder]), InputError, "twice"),
    ]
    for config, error, says in cases:
        with pytest.raises(error, match=says):
            measure(config, tmp_path / "m")
        assert not (tmp_path / "m").exists()
    with pytest.raises(ConfigError, match="no metric called"):
        MeasureConfig(outputs=[folder], metrics=["bluu"])
