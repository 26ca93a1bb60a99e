"""The cell in the centre of a simulated crop, as named factors that can be read and set."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.data.synthetic.cell_population import CellPopulation

# Half axes are set through their geometric mean and the root of their ratio.
SIZES = {"nucleus_radius_um": ("nucleus_long", "nucleus_short"), "cell_radius_um": ("cell_long", "cell_short")}
PLAIN = ("dna", "expression", "nucleus_angle")


def central_factors(cells: CellPopulation, shares: NDArray, share: str) -> pd.DataFrame:
    """Factors of the central cells, a row per crop.

    Parameters
    ----------
    cells, shares
        ``n`` crops, and the share ``(n, k)`` by which each cell responds.
    share
        What the share is called.

    Returns
    -------
    DataFrame
        The share; ``dna``, ``expression`` (around 1); ``nucleus_angle`` (radians, 0 to pi); ``nucleus_radius_um``,
        ``nucleus_elongation``, ``cell_radius_um``, ``cell_elongation`` (root of the half axes' ratio); ``focus``
        (relative width of the point spread).
    """
    columns = {share: shares[:, 0]} | {name: getattr(cells, name)[:, 0] for name in PLAIN}
    columns["nucleus_angle"] = np.mod(columns["nucleus_angle"], np.pi)  # an ellipse turned by half is the same
    for name, (long, short) in SIZES.items():
        axes = getattr(cells, long)[:, 0], getattr(cells, short)[:, 0]
        columns[name] = np.sqrt(axes[0] * axes[1])
        columns[elongation(name)] = np.sqrt(axes[0] / axes[1])
    return pd.DataFrame(columns | {"focus": cells.focus})


def set_central_factors(
    cells: CellPopulation, shares: NDArray, share: str, factors: pd.DataFrame
) -> tuple[CellPopulation, NDArray]:
    """The same crops with these factors, as `central_factors` gives them, in the central cells."""
    values = {str(name): factors[name].to_numpy(np.float64) for name in factors}
    axes = {}
    for name, (long, short) in SIZES.items():
        axes[long] = values[name] * values[elongation(name)]
        axes[short] = values[name] / values[elongation(name)]
    central = axes | {name: values[name] for name in PLAIN}
    changed = {name: with_first(getattr(cells, name), column) for name, column in central.items()}
    return replace(cells, **changed, focus=values["focus"]), with_first(shares, values[share])


def elongation(radius: str) -> str:
    """Name of the elongation that belongs to a radius.

    Examples
    --------
    >>> elongation("cell_radius_um")
    'cell_elongation'
    """
    return radius.replace("radius_um", "elongation")


def with_first(table: NDArray, column: NDArray) -> NDArray:
    """A copy of a table ``(n, k)`` with another first column."""
    changed = table.copy()
    changed[:, 0] = column
    return changed
