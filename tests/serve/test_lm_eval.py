"""lm-evaluation-harness, unchanged, against the server: local-completions, tasks from YAML files.

The harness lives in an environment of its own (``make peers``), found as ``bench/work/lm-eval``.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
import torch

from olmeda.model.generate import generate
from olmeda.model.loss import token_logprobs
from olmeda.serve.served import Served

PYTHON = Path(__file__).parents[2] / "bench" / "work" / "lm-eval" / "bin" / "python"
if not PYTHON.exists():
    pytest.skip("lm-evaluation-harness is not installed (make peers)", allow_module_level=True)

ROWS = [
    {"question": "The list of", "choices": [" names", " numbers in it", " x"], "answer": 0},
    {"question": "def f(x):", "choices": [" return x", " pass", " yield from x"], "answer": 1},
    {"question": "A class", "choices": [" is", " has attributes", " statement"], "answer": 2},
]
CHOOSE = """
task: tiny_choose
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
target_delimiter: ""
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""
WRITE = """
task: tiny_write
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{choices[0]}}}}"
generation_kwargs: {{until: ["\\n\\n\\n"], max_gen_toks: 8, temperature: 0}}
metric_list: [{{metric: exact_match}}]
"""
ROLL = """
task: tiny_roll
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{question}}}}"
metric_list: [{{metric: bits_per_byte}}]
"""
RUN = """
import json, sys
import lm_eval
from lm_eval.tasks import TaskManager
if sys.argv[1] == "olmeda":
    import olmeda.serve.harness
kind, arguments, folder, tasks, out = sys.argv[1:]
found = lm_eval.simple_evaluate(
    model=kind, model_args=json.loads(arguments), tasks=tasks.split(","),
    task_manager=TaskManager(include_path=folder, include_defaults=False), log_samples=True,
    bootstrap_iters=0,
)
samples = {t: [s["resps"] for s in rows] for t, rows in found["samples"].items()}
json.dump({"results": found["results"], "samples": samples}, open(out, "w"), default=str)
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for name, text in {"choose": CHOOSE, "write": WRITE, "roll": ROLL}.items():
        (folder / f"{name}.yaml").write_text(text.format(rows=rows))
    (folder / "run.py").write_text(RUN)
    return folder


def evaluate(tasks: Path, kind: str, arguments: dict[str, object], named: str) -> dict:
    """The harness's results in a process of its own environment, without the net."""
    out = tasks / f"{kind}.json"
    environment = {
        **os.environ,
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tasks / "hub"),
        "OPENAI_API_KEY": "none",
    }
    if kind == "olmeda":  # the harness's environment has none of our packages: lend it ours
        ours = [str(Path(__file__).parents[2]), sysconfig.get_paths()["purelib"]]
        environment["PYTHONPATH"] = os.pathsep.join(ours)
    done = subprocess.run(
        [PYTHON, tasks / "run.py", kind, json.dumps(arguments), tasks, named, out],
        capture_output=True, text=True, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.read_text())


def loglikelihood(served: Served, context: str, text: str) -> float:
    """ours: the same function that evaluation uses."""
    before, whole = served.tokenizer.encode(context), served.tokenizer.encode(context + text)
    return _logprob(served, whole, len(before))


def rolling(served: Served, text: str) -> float:
    """ours: of a whole text, after the token that ends one."""
    return _logprob(served, [served.tokenizer.eos, *served.tokenizer.encode(text)], 1)


def _logprob(served: Served, whole: list[int], given: int) -> float:
    labels = [-100] * (given - 1) + whole[given:]
    with torch.inference_mode():
        found = token_logprobs(served.model, torch.tensor([whole[:-1]]), torch.tensor([labels]))
    return float(found.sum())


def test_local_completions_gets_our_loglikelihoods_and_texts(
    tasks: Path, served: Served, address: str
) -> None:
    arguments = {
        "model": served.name, "base_url": f"{address}/v1/completions", "num_concurrent": 1,
        "max_length": served.context, "batch_size": 4,
    }  # fmt: skip
    found = evaluate(tasks, "local-completions", arguments, "tiny_choose,tiny_write,tiny_roll")
    for row, asked in zip(ROWS, found["samples"]["tiny_choose"], strict=True):
        for choice, told in zip(row["choices"], asked, strict=True):
            logprob = float(told[0][0])
            assert logprob == pytest.approx(
                loglikelihood(served, row["question"], choice), abs=1e-3
            )
    for row, told in zip(ROWS, found["samples"]["tiny_write"], strict=True):
        ids = served.tokenizer.encode(row["question"])
        wanted = generate(served.model, [ids], max_new_tokens=8, eos=served.tokenizer.eos)[0]
        assert told[0][0] == served.tokenizer.decode(wanted)
    rolled = [rolling(served, row["question"]) for row in ROWS]
    wanted = -sum(rolled) / math.log(2) / sum(len(row["question"].encode()) for row in ROWS)
    assert found["results"]["tiny_roll"]["bits_per_byte,none"] == pytest.approx(wanted, abs=1e-4)


def test_harness_model_gets_the_same_without_a_server(tasks: Path, checkpoint: Path) -> None:
    served = Served.open(checkpoint)
    found = evaluate(
        tasks, "olmeda", {"checkpoint": str(checkpoint)}, "tiny_choose,tiny_write,tiny_roll"
    )
    for row, asked in zip(ROWS, found["samples"]["tiny_choose"], strict=True):
        for choice, told in zip(row["choices"], asked, strict=True):
            wanted = loglikelihood(served, row["question"], choice)
            assert float(told[0][0]) == pytest.approx(wanted, abs=1e-3)
    for row, told in zip(ROWS, found["samples"]["tiny_write"], strict=True):
        ids = served.tokenizer.encode(row["question"])
        wanted = generate(served.model, [ids], max_new_tokens=8, eos=served.tokenizer.eos)[0]
        assert told[0][0] == served.tokenizer.decode(wanted)
    rolled = sum(rolling(served, row["question"]) for row in ROWS)
    bits = -rolled / math.log(2) / sum(len(row["question"].encode()) for row in ROWS)
    assert found["results"]["tiny_roll"]["bits_per_byte,none"] == pytest.approx(bits, abs=1e-4)
