"""Simulated budding yeast: vacuoles in four states with known truth, rendered from their index."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from micrographia.data.synthetic.recipe import Values
from micrographia.data.synthetic.simulated_objects import SimulatedObjects
from micrographia.data.synthetic.yeast_factors import RECIPE
from micrographia.data.synthetic.yeast_rendering import render_yeast


class SimulatedYeast(SimulatedObjects):
    """Budding yeast whose vacuoles are stained, channels ``membrane``, ``brightfield`` and ``lumen``.

    The classes bear the names of the public set ``yeast/vacuoles``, whose authors' definitions are not at hand. Ours
    are rules on factors, in `KINDS` and `class_of`: condensed, the dye is in compact patches; multiple, three vacuoles
    or more; negative, the membrane is hardly stained, which includes dead cells with dye all over; positive, one ring.
    Units are in `VacuoleState` and `NUISANCES`. Arguments and errors are those of `SimulatedObjects`.

    Attributes
    ----------
    channels : tuple of str
        Names of the channels: a dye of the vacuole's membrane (as FM 4-64), transmitted light, a dye of its lumen (as
        CMAC).

    References
    ----------
    Vida and Emr, A new vital stain for visualizing vacuolar membrane dynamics and endocytosis in yeast, 1995.

    Examples
    --------
    >>> import torch
    >>> yeast = SimulatedYeast("yeast", count=400)
    >>> yeast.images(yeast.indices("val")).shape
    torch.Size([60, 3, 64, 64])
    >>> yeast.table(torch.tensor([1]))[["class", "vacuoles"]].values.tolist()
    [['multiple', 5]]
    """

    recipe = RECIPE
    classes = RECIPE.classes
    channels: ClassVar[tuple[str, ...]] = ("membrane", "brightfield", "lumen")
    things = "yeast cells"
    # No chunk draws more vacuoles and neighbours than it needs.
    grouped = ("neighbours", "vacuoles")

    def render(self, objects: Values, size: int) -> NDArray[np.uint8]:
        """Cells as the microscope shows them."""
        return render_yeast(objects, size)
