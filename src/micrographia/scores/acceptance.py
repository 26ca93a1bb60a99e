"""Which items are like none of the known classes: a score, and the threshold that keeps most of the known ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from micrographia.scores.rejection import fit_gaussians, least_threshold, neighbour_distance

Unlikeness = Literal["mahalanobis", "knn", "probability"]


@dataclass(frozen=True)
class Acceptance:
    """A score of how unlike all known classes an item is, and from where on it is rejected.

    Attributes
    ----------
    name : str
        Of the score: ``mahalanobis`` (distance from the nearest class mean), ``knn`` (from the k-th nearest training
        row) or ``probability`` (one less that of the likeliest class).
    kept : float
        Share of the known validation rows that score no higher than the threshold, 0..1.
    threshold : float
        Items above are rejected.
    score : callable
        From codes ``(n, latents)`` and probabilities ``(n, classes)`` to scores ``(n,)``, high for what is unlike.
    """

    name: Unlikeness
    kept: float
    threshold: float
    score: Callable[[pd.DataFrame, pd.DataFrame], pd.Series]

    def table(self, codes: pd.DataFrame, probabilities: pd.DataFrame) -> pd.DataFrame:
        """``rejection``, ``rejection_threshold`` and ``rejected`` of items, under their index."""
        scores = self.score(codes, probabilities)
        return pd.DataFrame(
            {"rejection": scores, "rejection_threshold": self.threshold, "rejected": scores > self.threshold}
        )


def fit_acceptance(
    name: Unlikeness,
    codes: pd.DataFrame,
    classes: pd.Series,
    parts: pd.Series,
    probabilities: Callable[[pd.DataFrame], pd.DataFrame],
    kept: float = 0.95,
    neighbours: int = 10,
) -> Acceptance:
    """Fit a score to training rows, and its threshold to validation rows.

    Parameters
    ----------
    name
        Which score; see `Acceptance`.
    codes, classes, parts
        Named latents, class and part (train, val, test) of each known row, under one index.
    probabilities
        From codes to the probability of each class.
    kept
        Share of validation rows to keep, 0..1.
    neighbours
        k of ``knn``.

    References
    ----------
    As of `micrographia.scores.open_set.OpenSet.compare`.

    Examples
    --------
    >>> codes = pd.DataFrame({"Shape": [0.0, 1.0, 4.0, 5.0, 0.5, 4.5]})
    >>> classes, parts = pd.Series(list("aabbab")), pd.Series(["train"] * 4 + ["val"] * 2)
    >>> found = fit_acceptance("knn", codes, classes, parts, lambda codes: codes, neighbours=1)
    >>> found.table(pd.DataFrame({"Shape": [0.4, 99.0]}), codes)["rejected"].tolist()
    [False, True]
    """
    trained = codes[parts == "train"]
    if name == "mahalanobis":
        fitted = fit_gaussians(trained, classes[parts == "train"])

    def score(asked: pd.DataFrame, likely: pd.DataFrame) -> pd.Series:
        match name:
            case "mahalanobis":
                return fitted.distances(asked).min(axis=1)
            case "knn":
                return neighbour_distance(trained, asked, neighbours)
            case "probability":
                return 1 - likely.max(axis=1)

    known = codes[parts == "val"]
    return Acceptance(name, kept, least_threshold(score(known, probabilities(known)), kept), score)
