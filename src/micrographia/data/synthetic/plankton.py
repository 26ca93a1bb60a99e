"""Simulated plankton: silhouettes of eight kinds with known truth, rendered from their index."""

import numpy as np
from numpy.typing import NDArray

from micrographia.data.synthetic.plankton_factors import RECIPE
from micrographia.data.synthetic.plankton_rendering import render_plankton
from micrographia.data.synthetic.recipe import Values
from micrographia.data.synthetic.simulated_objects import SimulatedObjects


class SimulatedPlankton(SimulatedObjects):
    """Grey silhouettes on a bright ground, eight classes that differ by rules on their factors.

    One body plan draws them all: a body with outline and core, antennae, a tail, rays. The rules are in `KINDS` and
    `class_of`, units in `Silhouette` and `NUISANCES`. Arguments and errors are those of `SimulatedObjects`, and:

    Parameters
    ----------
    invert
        Bright on black, as sprites are and as ``plankton/ndsb`` reads its files, rather than as the imager sees them.

    Examples
    --------
    >>> import torch
    >>> plankton = SimulatedPlankton("plankton", count=800)
    >>> plankton.images(plankton.indices("val")).shape
    torch.Size([120, 3, 64, 64])
    >>> plankton.table(torch.tensor([0, 3]))[["class", "segments"]].values.tolist()
    [['copepod', 1], ['diatom_chain', 7]]
    """

    recipe = RECIPE
    classes = RECIPE.classes
    things = "plankton"
    # No chunk draws rays and specks without need.
    grouped = ("specks", "rays")

    def __init__(
        self,
        name: str = "plankton",
        size: int | None = None,
        count: int = 3000,
        fractions: dict[str, float] | None = None,
        seed: int = 0,
        nuisance: float = 1.0,
        correlation: dict[str, dict[str, float]] | None = None,
        invert: bool = False,
    ):
        super().__init__(name, size, count, fractions, seed, nuisance, correlation)
        self.invert = invert

    def render(self, objects: Values, size: int) -> NDArray[np.uint8]:
        """Silhouettes as the imager shows them, or inverted."""
        images = render_plankton(objects, size)
        return 255 - images if self.invert else images
