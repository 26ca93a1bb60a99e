"""How the truth behind simulated objects is drawn: classes with ranges, nuisances by strength, correlated pairs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.data.synthetic.index_numbers import uniform
from micrographia.data.synthetic.rank_correlation import RankCorrelation

Range = tuple[float, float]
Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Recipe:
    """What varies among simulated objects, within which ranges; all numbers are uniform.

    Attributes
    ----------
    kinds
        Ranges of the factors of each class: what makes it this class.
    nuisances
        Ranges of what says nothing about the class.
    clean
        What those nuisances are that a strength scales, where the strength is 0; the others always vary.
    details
        Ranges of what is left out of the table, being of no use to compare a model with.
    whole_numbers
        Names of whole numbers, whose ranges include both ends.

    Examples
    --------
    >>> disc = Recipe({"small": {"size": (0, 1)}, "large": {"size": (2, 3)}}, {"blur": (1, 5)}, {"blur": 0})
    >>> disc.table(np.arange(2), seed=0, nuisance=0)[["class", "blur"]].values.tolist()
    [['small', 0.0], ['large', 0.0]]
    """

    kinds: Mapping[str, Mapping[str, Range]]
    nuisances: Mapping[str, Range]
    clean: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Range] = field(default_factory=dict)
    whole_numbers: tuple[str, ...] = ()

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.kinds)

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors."""
        return tuple(next(iter(self.kinds.values())))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all numbers: factors, nuisances, details."""
        return (*self.factors, *self.nuisances, *self.details)

    @cached_property
    def limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends of all ranges, ``(classes, names)`` each."""
        others = [*self.nuisances.values(), *self.details.values()]
        rows = [[*(kind[name] for name in self.factors), *others] for kind in self.kinds.values()]
        low, high = np.moveaxis(np.array(rows, np.float64), -1, 0)
        return low, high

    def correlation(self, pairs: Mapping[str, Mapping[str, float]] | None) -> RankCorrelation | None:
        """Rank correlations between factors and nuisances; see `RankCorrelation`."""
        return RankCorrelation(pairs, (*self.factors, *self.nuisances)) if pairs else None

    def draw(
        self, indices: NDArray[np.int64], seed: int, nuisance: float = 1, correlation: RankCorrelation | None = None
    ) -> Values:
        """Factors, nuisances and details of the objects of given indices, by name, ``(n,)`` each.

        An object depends on its index and the seed only. The classes take turns, so that every run of consecutive
        indices holds all of them in equal numbers.

        Parameters
        ----------
        indices
            Whole numbers, 0 and more, ``(n,)``.
        seed
            Another seed gives other objects.
        nuisance
            Strength of the nuisances in 0..1: 0 is clean, 1 their whole ranges.
        correlation
            Rank correlations within each class; whole numbers, which have ties, come near them.
        """
        numbers = uniform(indices[:, None], np.arange(len(self.names)), seed)
        if correlation is not None:
            numbers = correlation.applied(numbers)
        codes = indices % len(self.classes)
        whole = np.isin(self.names, self.whole_numbers)
        low, high = self.limits[0][codes], self.limits[1][codes] + whole
        values = low + numbers * (high - low)
        if nuisance < 1:
            for name, clean in self.clean.items():
                column = values[:, self.names.index(name)]
                column[:] = clean + nuisance * (column - clean)
        values[:, whole] = np.minimum(np.floor(values[:, whole]), high[:, whole] - 1)
        return dict(zip(self.names, values.T, strict=True))

    def table(
        self, indices: NDArray[np.int64], seed: int, nuisance: float = 1, correlation: RankCorrelation | None = None
    ) -> pd.DataFrame:
        """Table of class, factors and nuisances of the objects of given indices; arguments as of `draw`."""
        drawn = self.draw(indices, seed, nuisance, correlation)
        kinds = pd.Categorical(np.array(self.classes)[indices % len(self.classes)], categories=list(self.classes))
        columns = {name: drawn[name] for name in (*self.factors, *self.nuisances)}
        table = pd.DataFrame({"class": kinds} | columns, index=pd.Index(indices, name="index"))
        return table.astype({name: np.int64 for name in self.whole_numbers if name in table})
