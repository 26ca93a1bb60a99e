"""How strongly a cell responds to a dose: Hill's curve, and cells and wells that scatter around it."""

import numpy as np
from numpy.typing import NDArray

from micrographia.errors import UserError


class DoseResponse:
    """A share in 0..1 that follows a dose by Hill's curve between two levels, normal on the scale of its log odds.

    Parameters
    ----------
    low, high
        Median share without the compound and at saturation, in 0..1, exclusive; ``high`` may be the smaller one.
    ec50
        Dose of half the effect (on the scale of the log odds), in the unit of the doses.
    slope
        Hill coefficient.
    cell_deviation, well_deviation
        Standard deviations between the cells of a well and between wells of a dose, in log odds.

    Raises
    ------
    UserError
        If a number is out of range.

    Examples
    --------
    >>> DoseResponse(0.1, 0.6, ec50=2.0).share(np.array([0.0, 1e9]), 0, 0).round(3).tolist()
    [0.1, 0.6]
    """

    def __init__(
        self,
        low: float,
        high: float,
        ec50: float = 2.0,
        slope: float = 1.3,
        cell_deviation: float = 0.45,
        well_deviation: float = 0.12,
    ):
        for name, value in (("low", low), ("high", high)):
            if not 0 < value < 1:
                raise UserError(f"data.response.{name}={value}: expected a share between 0 and 1.")
        for name, value in (("ec50", ec50), ("slope", slope)):
            if value <= 0:
                raise UserError(f"data.response.{name}={value}: expected a number above 0.")
        if cell_deviation < 0 or well_deviation < 0:
            raise UserError("data.response: cell_deviation and well_deviation must not be negative.")
        self.low, self.high, self.ec50, self.slope = low, high, ec50, slope
        self.cell_deviation, self.well_deviation = cell_deviation, well_deviation

    def effect(self, dose: NDArray) -> NDArray:
        """Hill's curve: 0 without the compound, 1/2 at ``ec50``, towards 1."""
        powered = np.power(dose, self.slope)
        return powered / (powered + self.ec50**self.slope)

    def share(self, dose: NDArray, cell: NDArray | float, well: NDArray | float) -> NDArray:
        """Share of cells that deviate so far from their well, and wells from their dose, in standard deviations."""
        low, high = np.log(self.low / (1 - self.low)), np.log(self.high / (1 - self.high))
        odds = low + (high - low) * self.effect(dose) + self.cell_deviation * cell + self.well_deviation * well
        return 1 / (1 + np.exp(-odds))
