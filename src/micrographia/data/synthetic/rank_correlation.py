"""Uniform numbers that are correlated in pairs, by a Gaussian copula."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from micrographia.errors import UserError

KEY = "data.correlation"


class RankCorrelation:
    """Give columns of independent uniform numbers rank correlations, and leave each column uniform.

    A column that is named before another leads: it keeps its numbers. What is not named keeps them too.

    Parameters
    ----------
    pairs
        Spearman's correlation of two columns, by their names: ``{"diameter": {"blur": 0.8}}``, between -1 and 1.
    names
        Names of all columns.

    Raises
    ------
    UserError
        If a name is unknown, a number is not between -1 and 1, a pair is named twice or is a column with itself, or no
        numbers can have all these correlations at once.

    References
    ----------
    Kruskal, Ordinal measures of association, 1958: normal numbers with the correlation 2 sin(pi s / 6) have the rank
    correlation s.

    Examples
    --------
    >>> numbers = np.random.default_rng(0).random((5000, 3))
    >>> linked = RankCorrelation({"a": {"b": -0.6}}, ["a", "b", "c"]).applied(numbers)
    >>> float(np.corrcoef(linked.T)[0, 1].round(1)), bool((linked[:, [0, 2]] == numbers[:, [0, 2]]).all())
    (-0.6, True)
    """

    def __init__(self, pairs: Mapping[str, Mapping[str, float]], names: Sequence[str]):
        listed = [(first, second, float(rank)) for first, row in pairs.items() for second, rank in row.items()]
        for first, second, rank in listed:
            check_pair(first, second, rank, names)
        self.linked = list(dict.fromkeys(name for first, second, _ in listed for name in (first, second)))
        matrix = np.eye(len(self.linked))
        for first, second, rank in listed:
            place = self.linked.index(first), self.linked.index(second)
            if matrix[place]:
                raise UserError(f"{KEY}.{first}.{second}: this pair is given twice.")
            matrix[place] = matrix[place[::-1]] = 2 * np.sin(np.pi * rank / 6)
        try:
            self.weights = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            raise UserError(
                f"{KEY}: no numbers can have all these rank correlations at once. Weaken those that contradict others."
            ) from None
        self.columns = [list(names).index(name) for name in self.linked]

    def applied(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The numbers ``(n, names)`` with these correlations; each row depends on itself only."""
        changed = numbers.copy()
        normal = [ndtri(np.clip(numbers[:, column], 1e-15, None)) for column in self.columns]
        for place, column in enumerate(self.columns):
            # Term by term: a product of matrices is rounded by how many rows it has.
            if led := np.flatnonzero(self.weights[place, :place]).tolist():
                value = self.weights[place, place] * normal[place]
                for leader in led:
                    value = value + self.weights[place, leader] * normal[leader]
                changed[:, column] = np.minimum(ndtr(value), np.nextafter(1, 0))
        return changed


def check_pair(first: str, second: str, rank: float, names: Sequence[str]) -> None:
    """Refuse a pair with an unknown name, one name only, or a number that is no rank correlation."""
    for name, key in ((first, f"{KEY}.{first}"), (second, f"{KEY}.{first}.{second}")):
        if name not in names:
            raise UserError(f"{key}: nothing is called {name}. There are: {', '.join(names)}.")
    if first == second:
        raise UserError(f"{KEY}.{first}.{second}: expected two different names.")
    if not -1 < rank < 1:
        raise UserError(f"{KEY}.{first}.{second}={rank:g}: expected a number between -1 and 1.")
