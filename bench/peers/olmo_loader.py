"""Read batches with ai2-olmo's loader, as its trainer does, and print the CPU seconds as JSON.

Runs in the environment of the torch peers and imports nothing of olmeda. Its argument is JSON:
``ids`` (a headerless file of uint16), ``sequence``, ``rows`` of a batch, ``batches`` of a run,
``runs`` that are timed (after a batch that is not), ``documents`` (find where documents begin, for
attention inside them), ``repeats`` (mask instances that repeat themselves), ``eos``, ``scratch`` (a
folder for its index).
"""

import json
import sys
import time

from olmo.config import InstanceFilterConfig, PaddingDirection
from olmo.data.collator import DataCollator
from olmo.data.iterable_dataset import IterableDataset
from olmo.data.memmap_dataset import MemMapDataset
from torch.utils.data import DataLoader


def batches(told):
    """The loader of one process, everything in this process."""
    held = MemMapDataset(
        told["ids"],
        chunk_size=told["sequence"],
        generate_doc_lengths=told["documents"],
        eos_token_id=told["eos"],
        pad_token_id=told["eos"],
        include_instance_metadata=False,
        instance_filter_config=InstanceFilterConfig() if told["repeats"] else None,
    )
    order = IterableDataset(
        held, told["rows"], seed=1, work_dir=told["scratch"], world_size=1, rank=0,
        fs_local_rank=0, num_threads=0,
    )  # fmt: skip
    collate = DataCollator(pad_direction=PaddingDirection.right, pad_token_id=told["eos"])
    return DataLoader(order, batch_size=told["rows"], collate_fn=collate, num_workers=0)


told = json.loads(sys.argv[1])
reading = iter(batches(told))
next(reading)
seconds = []
for _ in range(told["runs"]):
    began = time.process_time()
    for _ in range(told["batches"]):
        next(reading)
    seconds.append(time.process_time() - began)
print(json.dumps(seconds))
