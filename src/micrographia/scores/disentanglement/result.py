"""What a score returns: the number, its parts, the matrix behind it, and how it was estimated."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

ONE_FACTOR = "one factor: nothing to tell apart"


@dataclass(frozen=True)
class Score:
    """Result of a score that is one number.

    Attributes
    ----------
    score : float
        The score; NaN where it is undefined.
    per_factor : Series
        Part of each factor; empty where a score knows no factors.
    per_latent : Series
        Part of each latent.
    matrix : DataFrame
        What score and parts are computed from, mostly ``(latents, factors)``.
    settings : dict
        Estimator's settings.
    intervals : DataFrame or None
        Row ``score``, and one for each factor's part where the score says so, with the columns ``low`` and ``high``,
        95 % bootstrap intervals; None unless asked for.
    undefined : str
        Why the score is NaN; empty where it is a number.
    """

    score: float
    per_factor: pd.Series
    per_latent: pd.Series
    matrix: pd.DataFrame
    settings: dict[str, Any]
    intervals: pd.DataFrame | None = None
    undefined: str = ""


def named_parts(parts: pd.Series) -> dict[str, float]:
    """Parts by the names of their factors, latents or models, as text.

    Raises
    ------
    ValueError
        If one is called ``score``, as the whole is, or two are alike as text.
    """
    names = [str(name) for name in parts.index]
    if "score" in names:
        raise ValueError("a factor, latent or model is called 'score', which the score itself is: rename it")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two factors, latents or models are called {twice!r}: rename one")
    return {str(name): float(value) for name, value in parts.items()}


def no_factors(name: str) -> pd.Series:
    """The parts per factor of a score that knows no factors."""
    return pd.Series(dtype=float, name=name)
