"""Saving the state while training goes on: a copy in memory first, then files in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_saver import save

from olmeda.base.errors import ResourceError, refusal
from olmeda.base.files import (
    atomic_write,
    digest_file,
    fsync_file,
    fsync_folder,
    os_error_of,
    remove_tree,
    write_json,
)
from olmeda.train.state import (
    INDEX,
    SavedState,
    drop,
    newest_state,
    on_cpu,
    random_numbers_of,
    saved_states,
)
from olmeda.train.world import ALONE, World

FILE_BYTES = 256 << 20
"""Where a process begins another file: torch's writer holds a whole file in memory."""


class StateSaver:
    """Saves states into ``folder`` one at a time, and keeps the ``keep_last`` newest.

    ``save`` returns once the state is copied, the files are written behind it; ``wait`` and the
    next ``save`` raise ResourceError, on every process, where that failed. States before a failed
    one stay.
    """

    def __init__(
        self, folder: Path, keep_last: int = 1, background: bool = True, world: World = ALONE
    ) -> None:
        self._folder, self._keep_last = folder, keep_last
        self._background, self._world = background, world
        self._thread: threading.Thread | None = None
        self._problem: BaseException | None = None
        self._newest = -1

    @property
    def has_failed(self) -> bool:
        """Whether a write behind the run failed here; ``wait`` tells every process."""
        return self._problem is not None

    def save(self, tensors: Mapping[str, Tensor], state: SavedState) -> None:
        """Save one state; if a write is still under way, wait for it first."""
        self.wait()
        if state.steps == self._newest:
            return  # the rhythm saved it already
        self._newest = state.steps
        held = {name: on_cpu(value, self._background) for name, value in tensors.items()}
        if self._background:
            self._thread = threading.Thread(target=self._try, args=(held, state), daemon=True)
            self._thread.start()
        else:
            self._try(held, state)
            self.wait()

    def wait(self) -> None:
        """Wait until what was given to ``save`` lies on disk; raise what went wrong anywhere."""
        self._join()
        (failed,) = self._world.most(self.has_failed)
        if failed:
            told = _told(self._problem) if self._problem else "another process could not save"
            raise ResourceError(f"{told}. {last_saved(self._folder)}") from self._problem

    def close(self) -> None:
        """Wait for a write under way, whatever becomes of it: for a run that ends otherwise."""
        self._join()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _try(self, tensors: Mapping[str, Tensor], state: SavedState) -> None:
        try:
            write_state(self._folder, tensors, state, self._world)
            if self._world.is_first:
                for old in saved_states(self._folder)[: -self._keep_last]:
                    drop(self._folder, old)
        except (Exception, CheckpointException) as problem:  # handed to the thread that waits
            self._problem = problem


def write_state(
    folder: Path, tensors: Mapping[str, Tensor], state: SavedState, world: World = ALONE
) -> None:
    """Write one state, whole or not at all; every process of the world calls it."""
    home = folder / state.folder

    def prepare() -> None:
        if world.is_first:
            remove_tree(home)
            home.mkdir(parents=True)

    if world.size == 1:
        prepare()
        with atomic_write(home / "state.safetensors") as temporary:
            save_file({n: t.contiguous() for n, t in tensors.items()}, temporary)
        files = _digests(home, "*")
    else:
        _everywhere(world, prepare)
        files = _write_shards(home, tensors, world)
    if world.is_first:
        write_json(home / INDEX, msgspec.structs.replace(state, files=files))
        fsync_folder(folder)


def _digests(home: Path, names: str) -> dict[str, str]:
    return {file.name: digest_file(file) for file in sorted(home.glob(names))}


def _write_shards(home: Path, tensors: Mapping[str, Tensor], world: World) -> dict[str, str]:
    """Write this process's shards; the digests of all, each taken by the process that wrote it."""
    numbers = _file_numbers(tensors, world.size)
    writer = HuggingFaceStorageWriter(
        str(home), fqn_to_index_mapping=numbers, save_distributed=True
    )
    save(dict(tensors), storage_writer=writer, process_group=world.saving)

    mine: dict[str, str] = {}

    def sync() -> None:
        own = f"shard-{world.rank + 1:05d}-*"
        for file in sorted(home.glob(own)):
            fsync_file(file)
        mine.update(_digests(home, own))

    _everywhere(world, sync)
    held: list[dict[str, str]] = [{} for _ in range(world.size)]
    dist.all_gather_object(held, mine, group=world.saving)
    return {name: digest for part in held for name, digest in part.items()}


def _everywhere(world: World, work: Callable[[], None]) -> None:
    """Do ``work`` in every process, and fail in all of them if one is refused by its system.

    One that failed alone would leave the others waiting.
    """
    problem: OSError | None = None
    try:
        work()
    except OSError as refused:
        problem = refused
    failed = torch.tensor([float(problem is not None)])
    dist.all_reduce(failed, group=world.saving)
    if problem is not None:
        raise problem
    if failed.item():
        raise ResourceError("another process could not write its part")


def _file_numbers(tensors: Mapping[str, Tensor], processes: int) -> dict[str, int]:
    """Which file of a process a tensor goes to, from 1: a new one every ``FILE_BYTES``.

    The first process's table holds for all, so it names what only others have.
    """
    number, room = 1, FILE_BYTES
    numbers = {name: 1 for rank in range(processes) for name in random_numbers_of(rank)}
    for name in sorted(tensors):
        size = tensors[name].numel() * tensors[name].element_size()
        if room < size and room < FILE_BYTES:
            number, room = number + 1, FILE_BYTES
        numbers[name] = number
        room -= size
    return numbers


def last_saved(folder: Path) -> str:
    """The sentence about what a run would go on from."""
    held = newest_state(folder)
    if held is None:
        return "No state was saved before it"
    return (
        f"The last saved state is of step {held.steps} and lies in {folder}; run the same "
        "command again to go on from there"
    )


def _told(problem: BaseException) -> str:
    """Why a state could not be saved, in a person's words."""
    if isinstance(problem, CheckpointException):
        first = next(iter(problem.failures.values()))[0]
        problem = first
    refused = os_error_of(problem) if isinstance(problem, Exception) else None
    told = refusal(refused) if refused else str(problem).strip().partition("\n")[0]
    return f"the state could not be saved: {told}"
