"""Where a simulated cell lies: its plate, well and field, the dose it was given, and the part of the set it is in."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.data.datamodule import PARTS, shares
from micrographia.errors import UserError

ROWS, COLUMNS = 8, 12  # wells of a plate
CONDITIONS = ("control", "treated")


class PlateLayout:
    """Plates of 96 wells, filled row by row; every dose has as many wells, and a well is in one part only.

    The index of a cell counts cells in fields, fields in wells, wells over the doses, and doses over the replicates.

    Parameters
    ----------
    doses
        Concentrations in micromole per litre, ascending; the first is 0, the negative control. None takes eight from
        0 to 100.
    replicates
        Wells per dose.
    fields, cells
        Fields of view per well, and cells cut out of each.
    fractions
        Shares of the replicates in train, val and test; they sum to 1. Three test wells a condition is the fewest for
        which a p-value is given.

    Raises
    ------
    UserError
        If doses are not ascending from 0, a count is not positive, or a part gets no well.

    Examples
    --------
    >>> layout = PlateLayout([0, 10], replicates=6, fields=1, cells=5)
    >>> layout.table(np.array([0, 5, 59]))[["well", "dose", "condition"]].values.tolist()
    [['P1_A01', 0.0, 'control'], ['P1_A02', 10.0, 'treated'], ['P1_A12', 10.0, 'treated']]
    """

    def __init__(
        self,
        doses: Sequence[float] | None = None,
        replicates: int = 12,
        fields: int = 4,
        cells: int = 50,
        fractions: Mapping[str, float] | None = None,
    ):
        self.doses = np.array([0, 0.1, 0.3, 1, 3, 10, 30, 100] if doses is None else doses, float)
        if len(self.doses) < 2 or self.doses[0] != 0 or not (np.diff(self.doses) > 0).all():
            raise UserError(f"data.layout.doses={list(self.doses)}: expected two or more, ascending, the first 0.")
        for name, count in (("replicates", replicates), ("fields", fields), ("cells", cells)):
            if count < 1:
                raise UserError(f"data.layout.{name}={count}: expected 1 or more.")
        self.replicates, self.fields, self.cells = replicates, fields, cells
        self.part_replicates = share_out(replicates, {"train": 0.5, "val": 0.25, "test": 0.25} | dict(fractions or {}))

    def __len__(self) -> int:
        return self.replicates * self.cells_per_replicate

    @property
    def cells_per_replicate(self) -> int:
        """Cells in one well of each dose."""
        return len(self.doses) * self.fields * self.cells

    def indices(self, part: str) -> NDArray[np.int64]:
        """Indices of a part: whole wells, which follow each other."""
        first = 0
        for name, count in zip(PARTS, self.part_replicates, strict=True):
            if name == part:
                return np.arange(first * self.cells_per_replicate, (first + count) * self.cells_per_replicate)
            first += count
        raise KeyError(part)

    def field_number(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Running number of each cell's field over all wells."""
        return indices // self.cells

    def well_number(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Running number of each cell's well over all plates."""
        return indices // (self.cells * self.fields)

    def dose(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Concentration each cell was given."""
        return self.doses[self.well_number(indices) % len(self.doses)]

    def table(self, indices: NDArray[np.int64]) -> pd.DataFrame:
        """One row per index: ``plate``, ``well``, ``field``, ``dose``, ``condition`` and ``control``.

        A field's name is unique over the set. ``control`` is -1 in wells without the compound, 1 in those of the
        highest dose, 0 elsewhere.
        """
        well, dose = self.well_number(indices), self.dose(indices)
        field = self.field_number(indices) % self.fields
        names = [well_name(number) for number in range(self.replicates * len(self.doses))]
        wells = np.array(names, dtype=object)[well]
        return pd.DataFrame(
            {
                "plate": [name.split("_")[0] for name in wells],
                "well": wells,
                "field": [f"{name}_{number}" for name, number in zip(wells, field, strict=True)],
                "dose": dose,
                "condition": np.where(dose > 0, *reversed(CONDITIONS)),
                "control": np.select([dose == 0, dose == self.doses[-1]], [-1, 1], 0),
            },
            index=pd.Index(indices, name="index"),
        )


def well_name(number: int) -> str:
    """Name of a well by its running number.

    Examples
    --------
    >>> well_name(0), well_name(95), well_name(96)
    ('P1_A01', 'P1_H12', 'P2_A01')
    """
    plate, place = divmod(number, ROWS * COLUMNS)
    row, column = divmod(place, COLUMNS)
    return f"P{plate + 1}_{'ABCDEFGH'[row]}{column + 1:02d}"


def share_out(replicates: int, fractions: Mapping[str, float]) -> list[int]:
    """Replicates of train, val and test.

    Examples
    --------
    >>> share_out(12, {"train": 0.5, "val": 0.25, "test": 0.25})
    [6, 3, 3]
    """
    counts = shares(replicates, fractions, "data.layout.fractions")
    if min(counts) < 1:
        raise UserError(
            f"data.layout.replicates={replicates}: train, val and test get {counts[0]}, {counts[1]} and {counts[2]} "
            "wells of each dose, and each needs one. Raise data.layout.replicates or change data.layout.fractions."
        )
    return counts
