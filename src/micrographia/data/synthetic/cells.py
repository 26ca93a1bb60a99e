"""Synthetic stained cells: a target with classes and known truth, rendered from their index."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from micrographia.data.datamodule import PARTS, IndexedImages, Part, shares
from micrographia.data.synthetic.cell_factors import FACTORS, KINDS, draw_cells, draw_truth
from micrographia.data.synthetic.cell_rendering import render_cells
from micrographia.errors import UserError

# Pixels rendered at a time: what they need stays in the processor's cache.
CHUNK_PIXELS = 16 * 64 * 64


class SyntheticCells(IndexedImages):
    """White blood cells in a stained smear, six classes that differ by rules on their factors.

    The rules are in `KINDS`: size of the cell, size, lobes and bay of the nucleus, colour and granules.
    Orientation, place, stain, light, blur, noise and neighbours vary too and say nothing about the class. All of it
    is in the table: what a model has learned can be compared with the truth.

    Parameters
    ----------
    name
        Label in tables.
    size
        Side of the images in pixels; None is 64.
    count
        Number of cells; the classes take turns.
    fractions
        Shares of the parts, which sum to 1: consecutive runs of indices. Cells are independent of each other.
    seed
        Another seed gives other cells.

    Raises
    ------
    UserError
        If the fractions do not sum to 1, or leave a part without one cell of each class, or a number is out of range.

    Examples
    --------
    >>> cells = SyntheticCells("cells", count=600)
    >>> cells.images(cells.indices("val")).shape
    torch.Size([90, 3, 64, 64])
    >>> cells.table(torch.tensor([2]))[["class", "lobes"]].values.tolist()
    [['neutrophil', 4]]
    """

    classes = tuple(KINDS)

    def __init__(
        self,
        name: str = "cells",
        size: int | None = None,
        count: int = 3000,
        fractions: dict[str, float] | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self.name = name
        self.size = 64 if size is None else size
        if self.size < 16:
            raise UserError(f"data.size={size}: cells need at least 16 pixels a side.")
        self.shape = (3, self.size, self.size)
        if seed < 0:
            raise UserError(f"data.seed={seed}: expected a whole number, 0 or more.")
        self.count = count
        self.seed = seed
        self.part_sizes = part_sizes(count, {"train": 0.7, "val": 0.15, "test": 0.15} | dict(fractions or {}))

    def __len__(self) -> int:
        return self.count

    def indices(self, part: Part) -> torch.Tensor:
        """Indices of a part: train, val and test follow each other."""
        return dict(zip(PARTS, torch.arange(self.count).split(self.part_sizes), strict=True))[part]

    def table(self, indices: torch.Tensor) -> pd.DataFrame:
        """Class, factors and nuisances; see `Kind` and `NUISANCES` for their units."""
        return draw_truth(self.checked(indices), self.seed)

    def targets(self, indices: torch.Tensor) -> torch.Tensor:
        """Class of each index, int64."""
        return torch.from_numpy(self.checked(indices) % len(self.classes))

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        """Images ``(n, 3, size, size)``, uint8."""
        return self.rendered(draw_cells(self.checked(indices), self.seed))

    @property
    def intervenable(self) -> bool:
        """Always: a cell is rendered from its factors."""
        return True

    def draw_factors(self, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """The factors of `Kind`, each as it is spread over all classes, but independent of class and of each other.

        Specimens are cells that are in no part; their nuisances stay with them.
        """
        specimens = len(self) + generator.integers(0, 2**31, count)
        truth = draw_truth(specimens, self.seed)[list(FACTORS)]
        return truth.apply(lambda column: generator.permutation(column.to_numpy()))

    def of_factors(self, factors: pd.DataFrame) -> torch.Tensor:
        """Images ``(n, 3, size, size)``, uint8, of the specimens with these factors."""
        specimens = draw_cells(factors.index.to_numpy(np.int64), self.seed)
        return self.rendered(specimens | {str(name): factors[name].to_numpy(np.float64) for name in factors})

    def rendered(self, cells: dict[str, NDArray[np.float64]]) -> torch.Tensor:
        """Images of cells with these factors, nuisances and details."""
        count = len(cells["lobes"])
        images = np.empty((count, *self.shape), np.uint8)
        # Cells with equally many lobes and neighbours together: no chunk draws more of them than it needs.
        order = np.lexsort((cells["red_cells"], cells["lobes"]))
        for chunk in np.array_split(order, max(1, count * self.size**2 // CHUNK_PIXELS)):
            if len(chunk):
                images[chunk] = render_cells({name: values[chunk] for name, values in cells.items()}, self.size)
        return torch.from_numpy(images)

    def checked(self, indices: torch.Tensor) -> np.ndarray:
        """Indices as an array, all of them cells of this set."""
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.count:
            raise IndexError(f"indices run from {int(indices.min())} to {int(indices.max())}: {self.count} cells")
        return indices.numpy()


def part_sizes(count: int, fractions: dict[str, float]) -> list[int]:
    """Cells of train, val and test.

    Examples
    --------
    >>> part_sizes(3000, {"train": 0.7, "val": 0.15, "test": 0.15})
    [2100, 450, 450]
    """
    sizes = shares(count, fractions, "data.fractions")
    if min(sizes) < len(KINDS):
        raise UserError(
            f"data.count={count}: the parts get {sizes[0]}, {sizes[1]} and {sizes[2]} cells, "
            f"and each needs at least {len(KINDS)}, one of each class. Raise data.count or change data.fractions."
        )
    return sizes
