"""Synthetic stained cells: a target with classes and known truth, rendered from their index."""

import numpy as np
from numpy.typing import NDArray

from micrographia.data.synthetic.cell_factors import RECIPE
from micrographia.data.synthetic.cell_rendering import render_cells
from micrographia.data.synthetic.recipe import Values
from micrographia.data.synthetic.simulated_objects import SimulatedObjects


class SyntheticCells(SimulatedObjects):
    """White blood cells in a stained smear, six classes that differ by rules on their factors.

    The rules are in `KINDS`: size of the cell, size, lobes and bay of the nucleus, colour and granules.
    Orientation, place, stain, light, blur, noise and neighbours vary too and say nothing about the class. All of it
    is in the table; see `Kind` and `NUISANCES` for units. Arguments and errors are those of `SimulatedObjects`.

    Examples
    --------
    >>> import torch
    >>> cells = SyntheticCells("cells", count=600)
    >>> cells.images(cells.indices("val")).shape
    torch.Size([90, 3, 64, 64])
    >>> cells.table(torch.tensor([2]))[["class", "lobes"]].values.tolist()
    [['neutrophil', 4]]
    """

    recipe = RECIPE
    classes = RECIPE.classes
    things = "cells"
    # No chunk draws more lobes and neighbours than it needs.
    grouped = ("red_cells", "lobes")

    def render(self, objects: Values, size: int) -> NDArray[np.uint8]:
        """Cells as the microscope shows them."""
        return render_cells(objects, size)
