"""When a latent has earned a factor's name."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment


def name_latents(association: pd.DataFrame, strength: float = 0.25, tied: bool = False) -> pd.DataFrame:
    """Give each factor's name to at most one latent: the one-to-one assignment with the largest sum of associations.

    Only associations of at least ``strength`` take part, so that many weak ones cannot displace a strong one.

    Parameters
    ----------
    association
        Shape ``(latents, factors)`` in 0..1, as `micrographia.scores.association.association` returns it; NaN counts
        as 0.
    strength
        Least association for which a name is given.
    tied
        Training tied latent i to factor i (Ada-GVAE's labels): it may bear that name and no other, once it has learned
        the factor.

    Returns
    -------
    DataFrame with one row per latent, in order: ``latent`` (its row label in ``association``), ``name`` (the factor's,
    or ``z`` and the latent's position), ``factor`` (the one that it is named after; for an unnamed latent the one it is
    most associated with), ``strength`` (association with that factor), ``named`` (bool).

    Examples
    --------
    >>> matrix = pd.DataFrame({"Scale": [0.7, 0.6, 0.1], "Shape": [0.0, 0.5, 0.2]}, index=["z0", "z1", "z2"])
    >>> name_latents(matrix)
      latent   name factor  strength  named
    0     z0  Scale  Scale       0.7   True
    1     z1  Shape  Shape       0.5   True
    2     z2     z2  Shape       0.2  False
    """
    values = association.fillna(0.0).to_numpy(dtype=float)
    strong = np.where(values >= strength, values, 0.0)
    if tied:
        strong = np.where(np.eye(*strong.shape) == 1, strong, 0.0)
    assigned = zip(*linear_sum_assignment(strong, maximize=True), strict=True)
    named = {row: column for row, column in assigned if strong[row, column] > 0}
    rows = []
    for position, latent in enumerate(association.index):
        earned = position in named
        column = named.get(position, int(values[position].argmax()))
        factor = association.columns[column]
        name = str(factor) if earned else f"z{position}"
        rows.append((latent, name, factor, values[position, column], earned))
    return pd.DataFrame(rows, columns=["latent", "name", "factor", "strength", "named"])


def lost_names(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Factors' names that some latent bore before, and none bears after.

    Parameters
    ----------
    before, after
        Names of the same latents in the same order, as the column ``name`` of `name_latents`.

    Raises
    ------
    ValueError
        If the two differ in length.

    Examples
    --------
    >>> lost_names(["Scale", "z1", "Shape"], ["Color", "Scale", "z2"])
    ['Shape']
    """
    return [
        old
        for position, (old, _) in enumerate(zip(before, after, strict=True))
        if old != f"z{position}" and old not in after
    ]
