"""What sets of simulated objects have in common: parts, truth, interventions; a subclass draws its objects."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from micrographia.data.datamodule import PARTS, IndexedImages, Part, shares
from micrographia.data.synthetic.recipe import Recipe, Values
from micrographia.errors import UserError

# Pixels rendered at a time: what they need stays in the processor's cache.
CHUNK_PIXELS = 16 * 64 * 64


class SimulatedObjects(IndexedImages):
    """One object in each image, three channels, classes that differ by rules on their factors.

    All that varies is in the table: what a model has learned can be compared with the truth.

    Parameters
    ----------
    name
        Label in tables.
    size
        Side of the images in pixels, 16 or more; None is 64.
    count
        Number of objects; the classes take turns.
    fractions
        Shares of the parts, which sum to 1: consecutive runs of indices. Objects are independent of each other.
    seed
        Another seed gives other objects.
    nuisance
        Strength in 0..1 of what disturbs the image (blur, noise, light, what lies beside the object): 0 is clean.
    correlation
        Rank correlations within each class of two factors, or of a factor and a nuisance, by their names, as
        ``{"diameter": {"blur": 0.8}}``; the second follows the first. See `RankCorrelation`.

    Attributes
    ----------
    recipe : Recipe
        The ranges of all that varies, and of each class.
    things : str
        What the objects are, for messages.
    grouped : tuple of str
        Whole numbers that cost time: objects that are alike in them are rendered together, least significant first.

    Raises
    ------
    UserError
        If the fractions do not sum to 1, or leave a part without one object of each class, or a number is out of range.
    """

    recipe: ClassVar[Recipe]
    things: ClassVar[str]
    grouped: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        name: str,
        size: int | None = None,
        count: int = 3000,
        fractions: dict[str, float] | None = None,
        seed: int = 0,
        nuisance: float = 1.0,
        correlation: dict[str, dict[str, float]] | None = None,
    ):
        super().__init__()
        self.name = name
        self.size = 64 if size is None else size
        if self.size < 16:
            raise UserError(f"data.size={size}: {self.things} need at least 16 pixels a side.")
        self.shape = (3, self.size, self.size)
        if seed < 0:
            raise UserError(f"data.seed={seed}: expected a whole number, 0 or more.")
        if not 0 <= nuisance <= 1:
            raise UserError(f"data.nuisance={nuisance:g}: expected a number from 0 to 1.")
        self.count, self.seed, self.nuisance = count, seed, nuisance
        self.correlation = self.recipe.correlation(correlation)
        given = {"train": 0.7, "val": 0.15, "test": 0.15} | dict(fractions or {})
        self.part_sizes = part_sizes(count, given, len(self.classes), self.things)

    def render(self, objects: Values, size: int) -> NDArray[np.uint8]:
        """Images ``(n, 3, size, size)`` of objects with these factors, nuisances and details, ``(n,)`` each."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.count

    def indices(self, part: Part) -> torch.Tensor:
        """Indices of a part: train, val and test follow each other."""
        return dict(zip(PARTS, torch.arange(self.count).split(self.part_sizes), strict=True))[part]

    def table(self, indices: torch.Tensor) -> pd.DataFrame:
        """Class, factors and nuisances."""
        return self.recipe.table(self.checked(indices), self.seed, self.nuisance, self.correlation)

    def targets(self, indices: torch.Tensor) -> torch.Tensor:
        """Class of each index, int64."""
        return torch.from_numpy(self.checked(indices) % len(self.classes))

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        """Images ``(n, 3, size, size)``, uint8."""
        return self.rendered(self.drawn(self.checked(indices)))

    @property
    def intervenable(self) -> bool:
        """Always: an object is rendered from its factors."""
        return True

    def draw_factors(self, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """The factors, each as it is spread over all classes, but independent of class and of each other.

        Specimens are objects that are in no part; their nuisances stay with them.
        """
        specimens = len(self) + generator.integers(0, 2**31, count)
        truth = self.recipe.table(specimens, self.seed)[list(self.recipe.factors)]
        return truth.apply(lambda column: generator.permutation(column.to_numpy()))

    def of_factors(self, factors: pd.DataFrame) -> torch.Tensor:
        """Images ``(n, 3, size, size)``, uint8, of the specimens with these factors."""
        specimens = self.drawn(factors.index.to_numpy(np.int64))
        return self.rendered(specimens | {str(name): factors[name].to_numpy(np.float64) for name in factors})

    def drawn(self, numbers: NDArray[np.int64]) -> Values:
        """Factors, nuisances and details of objects, in a part or in none."""
        return self.recipe.draw(numbers, self.seed, self.nuisance, self.correlation)

    def rendered(self, objects: Values) -> torch.Tensor:
        """Images of objects with these factors, nuisances and details, a chunk of like ones at a time."""
        order = np.lexsort([objects[name] for name in self.grouped])
        images = np.empty((len(order), *self.shape), np.uint8)
        for chunk in np.array_split(order, max(1, len(order) * self.size**2 // CHUNK_PIXELS)):
            if len(chunk):
                images[chunk] = self.render({name: values[chunk] for name, values in objects.items()}, self.size)
        return torch.from_numpy(images)

    def checked(self, indices: torch.Tensor) -> NDArray[np.int64]:
        """Indices as an array, all of them objects of this set."""
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.count:
            raise IndexError(
                f"indices run from {int(indices.min())} to {int(indices.max())}: {self.count} {self.things}"
            )
        return indices.numpy()


def part_sizes(count: int, fractions: Mapping[str, float], classes: int, things: str) -> list[int]:
    """Objects of train, val and test.

    Examples
    --------
    >>> part_sizes(3000, {"train": 0.7, "val": 0.15, "test": 0.15}, 6, "cells")
    [2100, 450, 450]
    """
    sizes = shares(count, fractions, "data.fractions")
    if min(sizes) < classes:
        raise UserError(
            f"data.count={count}: the parts get {sizes[0]}, {sizes[1]} and {sizes[2]} {things}, "
            f"and each needs at least {classes}, one of each class. Raise data.count or change data.fractions."
        )
    return sizes
