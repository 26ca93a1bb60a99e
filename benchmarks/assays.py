"""Images per second of simulated assays and objects: one thread, 64 px, per processor second.

    OMP_NUM_THREADS=1 python benchmarks/assays.py

Processor time rather than the clock's, so that waiting for other work does not count; a core that shares its
arithmetic with another thread is still slower than one that does not. The best of several rounds is printed, with the
allocator set as every task sets it.
"""

import time
from collections.abc import Callable
from functools import partial

import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.data.synthetic.golgi import GolgiAssay
from micrographia.data.synthetic.plankton import SimulatedPlankton
from micrographia.data.synthetic.translocation import TranslocationAssay
from micrographia.data.synthetic.yeast import SimulatedYeast
from micrographia.measure.assays.assay import CellAssay
from micrographia.measure.assays.golgi import GolgiSpots
from micrographia.measure.assays.translocation import Translocation
from micrographia.runs.allocator import keep_large_allocations

BATCH = 256
ROUNDS = 20


def best_rate(work: Callable[[], object], count: int, rounds: int) -> float:
    """Items per processor second of the fastest round."""
    work()
    best = 0.0
    for _ in range(rounds):
        start = time.thread_time()
        work()
        best = max(best, count / (time.thread_time() - start))
    return best


def main() -> None:
    torch.set_num_threads(1)
    keep_large_allocations()  # as every task does
    indices = torch.arange(BATCH)
    assays: list[IndexedImages] = [TranslocationAssay("translocation"), GolgiAssay("golgi")]
    objects = [SyntheticCells("cells"), SimulatedPlankton("plankton"), SimulatedYeast("yeast")]
    for images in [*objects, *assays]:
        print(f"{images.name:14}{best_rate(partial(images.images, indices), BATCH, ROUNDS):8.0f} images/s")
    measurements: list[tuple[CellAssay, IndexedImages]] = [(Translocation(), assays[0]), (GolgiSpots(), assays[1])]
    for measurement, images in measurements:
        crops = images.images(indices[:64]).float()
        rate = best_rate(partial(measurement.table, crops), 64, 3)
        print(f"{images.name:14}{rate:8.0f} cells measured/s")


if __name__ == "__main__":
    main()
