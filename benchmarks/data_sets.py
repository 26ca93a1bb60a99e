"""What real image sets hold, and how fast they are read: a row per data config, as ``data=NAME`` composes it.

    python benchmarks/data_sets.py [NAME ...] [--size 64] [--batch-size 64] [--steps 500] [--leaks]

Images per second of the first reading (decoding, cropping and resizing included), of training batches from memory, and
from the memory-mapped cache; beside them the images of each part and the pairs of near-duplicates on two sides of the
split (``--leaks``, which reads all files once more). Files are looked for where ``how.paths.data`` says.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch

from micrographia.config import instantiate
from micrographia.data.checking import check_folder
from micrographia.data.datamodule import PARTS, IndexedImages
from micrographia.data.image_folder import ImageFolder
from micrographia.data.plates.checking import check_fields
from micrographia.errors import UserError
from micrographia.runs.address import composed

NAMES = ["plankton/ndsb", "human_cells/chula_rbc12", "yeast/rcell2", "bbbc021/cells", "assay/translocation"]
FIELDS = ["assay/translocation_fields"]


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def batches(data: IndexedImages, batch_size: int, steps: int) -> float:
    """Training images per second, as the model gets them: on the batch, in floating point."""
    data.fit(seed=0, batch_size=batch_size, steps=steps, interval=steps)
    loader = data.train_dataloader()
    return steps * batch_size / seconds(lambda: [data.on_after_batch_transfer(batch, 0) for batch in loader])


def row(name: str, given: argparse.Namespace) -> str:
    """One line of the table."""
    what, _ = composed("inspect", [f"data={name}", f"data.size={given.size}"])

    def build(cache: str | None) -> Any:
        return instantiate({**what["data"], "cache": cache}, "data")

    with tempfile.TemporaryDirectory() as cache:
        first = build(cache)
        taken = seconds(first.setup)
        memory = build(None)
        memory.setup()
        mapped = build(cache)
        mapped.setup()
        counts = {part: len(first.indices(part)) for part in PARTS}
        speeds = [batches(data, given.batch_size, given.steps) for data in (memory, mapped)]
    leaks = "-"
    if given.leaks:
        found = check_folder(first) if isinstance(first, ImageFolder) else check_fields(first)
        leaks = str(len(found.conflicts()))
    total = sum(counts.values())
    of_parts = " ".join(f"{count:7,}" for count in counts.values())
    speed = f"{total / taken:9,.0f} {speeds[0]:10,.0f} {speeds[1]:10,.0f}"
    return f"{name:28} {total:7,} {of_parts} {len(first.classes):8} {leaks:>6} {speed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES + FIELDS)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--leaks", action="store_true", help="look for near-duplicates across the split")
    given = parser.parse_args()
    parts = " ".join(f"{part:>7}" for part in PARTS)
    print(f"{given.size} px, batches of {given.batch_size}, {torch.get_num_threads()} threads; images/s")
    print(f"{'set':28} {'images':>7} {parts} {'classes':>8} {'leaks':>6} {'first':>9} {'memory':>10} {'mapped':>10}")
    for name in given.names:
        try:
            print(row(name, given), flush=True)
        except UserError as error:
            print(f"{name:28} {error}", flush=True)


if __name__ == "__main__":
    main()
