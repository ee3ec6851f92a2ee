"""The tour, cut short, on a folder of one's own: killed and resumed, opened by others, traced."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from olmeda.artifacts.lineage import RECORD, Lineage
from olmeda.recipe import Recipe
from world import TOUR, olmeda, prose_folder, python_folder, short_tour

pytestmark = pytest.mark.slow

CLOCKED = {"report"}
"""Steps whose content holds clock times, so that two runs differ."""


def digests(run: Path) -> dict[str, str]:
    """The content digest of every finished step of a run."""
    found = {p.parent.name: Lineage.open(p.parent).digest for p in run.glob(f"*/{RECORD}")}
    return {name: digest for name, digest in sorted(found.items()) if name not in CLOCKED}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return python_folder(tmp_path_factory.mktemp("library") / "source")


@pytest.fixture(scope="session")
def finished(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short tour that nobody interrupted."""
    out = tmp_path_factory.mktemp("tour") / "whole"
    olmeda("run", str(TOUR), *short_tour(library, out))
    return out


def run_and_kill(words: list[str], made: Path) -> None:
    """Start the tour and kill it without warning as soon as ``made`` exists."""
    process = subprocess.Popen(
        [sys.executable, "-m", "olmeda", "run", str(TOUR), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 300
        while not made.exists():
            assert process.poll() is None, f"the run ended before {made} was made"
            assert time.monotonic() < deadline, f"{made} was never made"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()


def test_killed_at_three_steps_it_ends_with_the_same_digests(
    finished: Path, library: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    words = short_tour(library, out)
    for made in (".tagged.making", ".dense.making/resume", ".answers.making"):
        run_and_kill(words, out / made)
    olmeda("run", str(TOUR), *words)
    assert digests(out) == digests(finished)


def test_every_step_is_finished_and_a_rerun_is_quick(finished: Path, library: Path) -> None:
    steps = Recipe.load(TOUR).steps
    assert set(digests(finished)) == set(steps) - CLOCKED
    before = digests(finished)
    began = time.monotonic()
    olmeda("run", str(TOUR), *short_tour(library, finished))
    assert time.monotonic() - began < 10
    assert digests(finished) == before


@pytest.mark.parametrize("name", ["dense", "moe"])
def test_transformers_opens_the_checkpoint_with_equal_logits(finished: Path, name: str) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from olmeda.model.hf import load

    ours, path = load(finished / name), str(finished / name)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    ids = torch.tensor([tokenizer("def read(path):\n    return open(path)")["input_ids"]])
    with torch.no_grad():
        expected = theirs(ids).logits
        found = ours.logits(ours(ids).h_BTD)
    assert torch.allclose(found, expected, atol=1e-4, rtol=0)


def test_every_figure_of_the_report_can_be_traced(finished: Path) -> None:
    page = (finished / "report" / "report.html").read_text()
    paths = sorted(set(re.findall(r"olmeda trace ([^\s<&]+)", page)))
    assert len(paths) >= 8
    for path in paths:
        assert "CHANGED" not in olmeda("trace", path)


def test_report_needs_no_network(finished: Path) -> None:
    page = (finished / "report" / "report.html").read_text()
    assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    assert "@import" not in page


def test_folder_of_prose_runs_through_to_the_report(tmp_path: Path) -> None:
    out = tmp_path / "prose"
    olmeda("run", str(TOUR), *short_tour(prose_folder(tmp_path / "notes"), out))
    assert (out / "report" / "report.html").is_file()
