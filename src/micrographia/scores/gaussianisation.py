"""How nearly a space of codes is a standard normal: squared norms against the chi-squared distribution."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor


def squared_norms(codes: Tensor) -> NDArray[np.float64]:
    """Squared norms of codes ``(n, d)``, ``(n,)``."""
    return codes.double().square().sum(1).cpu().numpy()


def gaussianisation(spaces: Mapping[str, Tensor]) -> pd.DataFrame:
    """Compare the squared norms of codes with chi-squared of d degrees of freedom, which those of N(0, I) have.

    Parameters
    ----------
    spaces
        Codes ``(n, d)`` by the name of their space.

    Returns
    -------
    DataFrame
        One row a space: ``space``, ``dimensions``, ``codes``, ``mean`` and ``deviation`` of the squared norms, their
        ``expected_mean`` d and ``expected_deviation`` sqrt(2 d), and ``ks``, the Kolmogorov-Smirnov distance (0: equal,
        1: apart).

    References
    ----------
    Figure 1 of Gheisari & Genovesio, 2024 (arXiv 2405.19112).

    Examples
    --------
    >>> import torch
    >>> normal = torch.randn(2000, 8, generator=torch.Generator().manual_seed(0))
    >>> table = gaussianisation({"normal": normal, "wide": 2 * normal})
    >>> bool(table["ks"][0] < 0.05), bool(table["ks"][1] > 0.5)
    (True, True)
    """
    rows = []
    for name, codes in spaces.items():
        dimensions = codes.shape[1]
        norms = squared_norms(codes)
        rows.append(
            {
                "space": name,
                "dimensions": dimensions,
                "codes": len(norms),
                "mean": norms.mean(),
                "expected_mean": float(dimensions),
                "deviation": norms.std(ddof=1),
                "expected_deviation": (2 * dimensions) ** 0.5,
                "ks": stats.kstest(norms, stats.chi2(dimensions).cdf).statistic,
            }
        )
    return pd.DataFrame(rows)
