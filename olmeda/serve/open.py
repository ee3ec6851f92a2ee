"""Open a checkpoint as a server until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from olmeda.base.errors import ConfigError, ResourceError
from olmeda.base.log import say
from olmeda.serve.app import build_app
from olmeda.serve.guard import Guard, local_hosts
from olmeda.serve.served import Served
from olmeda.serve.worker import Worker

LOCAL = ("127.0.0.1", "localhost", "::1")
SHORTEST_KEY = 16


@dataclass(frozen=True)
class Door:
    """Where the server listens and whom it lets in."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes a free one."""
    key: str = ""
    """What clients must send as bearer token; empty: nothing."""
    rows: int = 16
    """Answers written at a time."""
    waiting: int = 256
    """Answers that may wait for their turn; more are refused with status 429."""
    longest: int = 4_000_000
    """Bytes of the longest request that is read."""
    memory: int = 0
    """Bytes that keys and values may take; 0: half of what the machine has."""


def serve(checkpoint: Path, name: str, door: Door) -> None:
    """Serve until Ctrl-C. Raises ResourceError for a port that is taken, ConfigError for an address
    that others can reach without a key."""
    import uvicorn

    local = door.host in LOCAL
    if not local and not door.key:
        raise ConfigError(
            f"--host {door.host} can be reached by others; give --key-file FILE with a key of "
            f"{SHORTEST_KEY} characters or more that they must send"
        )
    with listening(door.host, door.port) as listener:
        port = int(listener.getsockname()[1])
        served = Served.open(checkpoint, name)
        worker = Worker(served.model, door.rows, door.waiting, door.memory)
        app = build_app(served, worker, door.longest)
        hosts = local_hosts(port) if local else frozenset[str]()
        shown = f"[{door.host}]" if ":" in door.host else door.host
        say(f"{served.name}: chat at  http://{shown}:{port}/  and OpenAI's API under /v1")
        say("Ctrl-C ends")
        config = uvicorn.Config(
            Guard(app, door.key, hosts), log_level="warning", access_log=False,
            server_header=False, timeout_graceful_shutdown=2,
        )  # fmt: skip
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            worker.close()


def read_key(file: Path) -> str:
    """The key in a file, or a new one written there. Raises ConfigError for what is no key."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32) + "\n", encoding="utf-8")
        say(f"a new key is in {file}")
    key = file.read_bytes().strip()
    if len(key) < SHORTEST_KEY or not key.isascii():
        raise ConfigError(f"{file}: a key has {SHORTEST_KEY} or more plain characters")
    return key.decode()


def listening(host: str, port: int) -> socket.socket:
    """A socket that is bound. Raises ResourceError for an address that cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as problem:
        listener.close()
        raise ResourceError(
            f"{host} port {port}: {problem.strerror or problem}; say another, for example "
            f"--port {port + 1}"
        ) from None
    return listener
