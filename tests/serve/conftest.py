"""An untrained but lively model with a real tokenizer, and a server of it on this machine."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

import pytest
import torch
import uvicorn

from instruct.corpora import write_corpus
from olmeda.artifacts.corpus import Document
from olmeda.model import hf
from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.serve.app import build_app
from olmeda.serve.guard import Guard, local_hosts
from olmeda.serve.open import listening
from olmeda.serve.served import Served
from olmeda.serve.worker import Worker
from olmeda.tokens.train import TrainConfig, train

SHAPE = {"vocab_size": 640, "width": 32, "layers": 2, "heads": 4, "mlp_width": 48, "sequence": 192}
LONGEST = 200_000


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("serve")
    prose = [Document(f"topics/{n}", t, "topics") for n, t in sorted(topics.items())[:12]]
    corpus = write_corpus(home / "corpus", prose)
    tokenizer = train(TrainConfig(corpus=corpus, vocab_size=600), home / "tokenizer")
    model = Transformer.initialised(ModelConfig(**SHAPE), 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8 if parameter.ndim > 1 else 1)
    hf.save(model, home / "tiny", tokenizer)
    return home / "tiny"


@pytest.fixture(scope="session")
def served(checkpoint: Path) -> Served:
    return Served.open(checkpoint)


@contextlib.contextmanager
def running(served: Served, key: str = "", rows: int = 4, waiting: int = 64) -> Iterator[str]:
    """The address of a server of this model."""
    worker = Worker(served.model, rows, waiting)
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        app = Guard(build_app(served, worker, LONGEST), key, local_hosts(port))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(10)
            worker.close()


@pytest.fixture(scope="session")
def address(served: Served) -> Iterator[str]:
    with running(served) as at:
        yield at
