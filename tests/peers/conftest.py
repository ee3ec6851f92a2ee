"""Peers in environments of their own: found below ``bench/work``, or named by the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dolma() -> Path:
    """The Python of an environment that has dolma 1.2.1."""
    python = Path(os.environ.get("OLMEDA_DOLMA", CHECKOUT / "bench/work/dolma/bin/python"))
    if not python.exists():
        pytest.skip(f"no dolma: {python} is not there; set OLMEDA_DOLMA to the Python that has it")
    return python


@pytest.fixture(scope="session")
def torch_peers() -> Path:
    """The Python of an environment that has torch, transformers and ai2-olmo 0.6.0."""
    named = os.environ.get("OLMEDA_TORCH_PEERS", CHECKOUT / "bench/work/torch-peers/bin/python")
    if not Path(named).exists():
        pytest.skip(f"no ai2-olmo: {named} is not there; set OLMEDA_TORCH_PEERS to its Python")
    return Path(named)
