"""ai2-olmo 0.6.0 masks the instances that we mask."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from olmeda.tokens.repeats import RepeatRule

pytestmark = [pytest.mark.peer, pytest.mark.slow]

SCRIPT = """
import json, sys
import numpy as np
from olmo.config import InstanceFilterConfig
from olmo.data.util import find_periodic_sequences
rule = InstanceFilterConfig()
def breaks(row):
    found = find_periodic_sequences(
        np.array(row), rule.repetition_max_period, rule.repetition_min_period)
    return any(m.times >= rule.repetition_max_count for m in found)
print(json.dumps([breaks(row) for row in json.load(open(sys.argv[1]))]))
"""


def drawn(seed: int) -> np.ndarray:
    """Drawn tokens, in which an n-gram is likely to come about 32 times in a row."""
    rng = np.random.default_rng(seed)
    label_T = rng.integers(0, 50_000, 700)
    period, times = int(rng.integers(1, 15)), int(rng.integers(29, 36))
    length = period * times + int(rng.integers(0, period))
    if length <= 700:
        at = int(rng.integers(0, 701 - length))
        label_T[at : at + length] = np.resize(rng.integers(0, 50_000, period), length)
    return label_T


def test_the_rule_decides_as_theirs(torch_peers: Path, tmp_path: Path) -> None:
    labels_BT = np.stack([drawn(seed) for seed in range(3000)])
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(labels_BT.tolist()))
    done = subprocess.run(
        [torch_peers, "-c", SCRIPT, file], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    wanted = json.loads(done.stdout.splitlines()[-1])
    assert RepeatRule().breaks(labels_BT).tolist() == wanted
    assert 0 < sum(wanted) < 3000
