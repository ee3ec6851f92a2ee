"""Losses of two small recipes, step by step, against what they were when written down.

What changes them on purpose (a new default, another order of sums) is written down anew by
``python tests/train/test_golden_losses.py`` and said in the commit. The text is this project's
license, which no version of Python changes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))  # where this runs as a program

from olmeda.artifacts.checkpoint import read_progress  # noqa: E402
from olmeda.artifacts.corpus import Document  # noqa: E402
from olmeda.base.config import read_yaml  # noqa: E402
from olmeda.tokens.encode import EncodeConfig, encode  # noqa: E402
from olmeda.tokens.train import TrainConfig, train  # noqa: E402
from olmeda.train.run import RunConfig, run  # noqa: E402
from train.conftest import write_corpus  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "losses"
RECIPES = ("dense", "moe")
LOSS, NORM = 1e-4, 2e-3
"""Tolerances, relative. Kernels for other processors (ATEN_CPU_CAPABILITY=default and avx2) moved
losses by at most 1e-7 and norms by 5e-7; other sums in a kernel of ours move them further."""


def losses(recipe: str, folder: Path) -> list[tuple[float, float]]:
    """Loss and norm of the gradient of each step of a recipe."""
    paragraphs = (ROOT / "LICENSE").read_text().split("\n\n")
    documents = [Document(f"license/{n}", text, "license") for n, text in enumerate(paragraphs)]
    corpus = write_corpus(folder / "text", documents)
    tokenizer = train(TrainConfig(corpus=corpus, vocab_size=384), folder / "tokenizer")
    tokens = encode(EncodeConfig(corpus=corpus, tokenizer=tokenizer), folder / "tokens")
    values = {**read_yaml(GOLDEN / f"{recipe}.yaml"), "tokens": tokens}
    made = run(RunConfig.model_validate(values), folder / recipe)
    return [(row["loss"], row["grad_norm"]) for row in read_progress(made)[1:]]


def written(recipe: str) -> list[tuple[float, float]]:
    lines = (GOLDEN / f"{recipe}.txt").read_text().splitlines()[1:]
    return [(float(loss), float(norm)) for _, loss, norm in map(str.split, lines)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_losses_are_those_written_down(recipe: str, tmp_path: Path) -> None:
    found, expected = losses(recipe, tmp_path), written(recipe)
    assert len(found) == len(expected) == 30
    for step, ((loss, norm), (loss_then, norm_then)) in enumerate(
        zip(found, expected, strict=True)
    ):
        assert loss == pytest.approx(loss_then, rel=LOSS), f"loss of step {step + 1}"
        assert norm == pytest.approx(norm_then, rel=NORM), f"gradient of step {step + 1}"
    assert found[-1][0] < found[0][0] - 0.5


def write_down() -> None:
    """Write the losses of every recipe down."""
    for recipe in RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            rows = losses(recipe, Path(folder))
        lines = [f"{n} {loss!r} {norm!r}" for n, (loss, norm) in enumerate(rows, 1)]
        (GOLDEN / f"{recipe}.txt").write_text("\n".join(["step loss grad_norm", *lines]) + "\n")


if __name__ == "__main__":
    write_down()
