"""What every room's comparison shares: medians of CPU seconds, a printed table, a result file."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One line of a comparison: ours and a peer's figure in ``unit``, and ours over the peer's."""

    row: str
    ours: float
    peer: float
    ratio: float
    unit: str
    peer_name: str


def cpu_seconds(work: Callable[[], object], runs: int = 5) -> float:
    """The median CPU seconds of ``runs`` calls, after one that is not counted."""
    work()
    taken = []
    for _ in range(runs):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def rate(amount: float, ours: float, peer: float, row: str, unit: str, peer_name: str) -> Row:
    """A row of ``amount`` per CPU second from two times in seconds."""
    return Row(row, amount / ours, amount / peer, peer / ours, unit, peer_name)


def publish(room: str, rows: list[Row]) -> None:
    """Print the table and write it to ``bench/results/ROOM.json``."""
    print(f"{'row':<34} {'ours':>10} {'peer':>10} {'ratio':>8}  unit (peer)")
    for r in rows:
        print(f"{r.row:<34} {r.ours:>10.3g} {r.peer:>10.3g} {r.ratio:>8.2f}  "
              f"{r.unit} ({r.peer_name})")  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "processor": platform.machine()}
    content = {"room": room, "machine": machine, "rows": [asdict(r) for r in rows]}
    (RESULTS / f"{room}.json").write_text(json.dumps(content, indent=1) + "\n")
