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


# the harness's environment has none of our packages: lend it ours
OURS = [str(Path(__file__).parents[2]), sysconfig.get_paths()["purelib"]]
LENT = {"PYTHONPATH": os.pathsep.join(OURS)}
ASK = """
import json, sys
from types import SimpleNamespace
from olmeda.base.errors import InputError
from olmeda.serve.harness import OlmedaLM
lm = OlmedaLM(sys.argv[1])
request = lambda **how: SimpleNamespace(args=("The list of", {"until": [], **how}))
write = lambda *requests: lm.generate_until(list(requests))
drawn = request(max_gen_toks=12, do_sample=True)
greedy = request(max_gen_toks=12)
long = "def f(x): return x + 1\\n" * 6
told = {
    "repeats": write(*[drawn] * 8), "again": write(*[drawn] * 8),
    "not drawn": write(request(max_gen_toks=12, do_sample=False, temperature=1.0)),
    "greedy": write(greedy), "short": lm._prompt("a", {"max_new_tokens": 3}, 0)[0].most,
    "long": [(len(p.ids), p.most) for p, _ in [lm._prompt(long, {"max_gen_toks": 256}, 0)]],
    "tokens": len(lm.tok_encode(long)), "context": lm.served.context,
}
try:
    lm._prompt(long * 9, {}, 0)
except InputError as problem:
    told["refused"] = str(problem)
json.dump(told, open(sys.argv[2], "w"))
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
    if kind == "olmeda":
        environment |= LENT
    command = [PYTHON, tasks / "run.py", kind, json.dumps(arguments), tasks, named, out]
    run(command, environment)
    return json.loads(out.read_text())


def run(command: list[object], environment: dict[str, str]) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True, text=True, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


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


def test_harness_model_keeps_the_rules_of_the_harness(tmp_path: Path, checkpoint: Path) -> None:
    (tmp_path / "ask.py").write_text(ASK)
    out = tmp_path / "told.json"
    run([PYTHON, tmp_path / "ask.py", checkpoint, out], {**os.environ, **LENT})
    told = json.loads(out.read_text())
    assert len(set(told["repeats"])) > 4  # repeats are draws of their own
    assert told["again"] == told["repeats"]
    assert told["not drawn"] == told["greedy"]
    assert told["short"] == 3
    assert told["long"] == [[told["tokens"], told["context"] - told["tokens"]]]  # nothing is cut
    assert "nothing is left for an answer" in told["refused"]
