"""Whose values scale an image: those of the training part, of its own plate, or of the controls of either."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.data.splits import some
from micrographia.errors import UserError


@dataclass(frozen=True)
class Reference:
    """The keys of a data config that say which images limits are fitted to.

    Attributes
    ----------
    plate : tuple of str
        Columns that together name what is scaled by limits of its own; none: all images alike.
    control : str or None
        Class whose images give the limits, in every part of a plate, or in the training part; None: all of them.
    """

    plate: tuple[str, ...]
    control: str | None

    @property
    def key(self) -> str | None:
        """The key that asks for more than the training part, for messages; None where none does."""
        return "plate" if self.plate else "control" if self.control is not None else None

    @property
    def described(self) -> str:
        """What limits are fitted to, in words."""
        of = "each plate" if self.plate else "the training part"
        return of if self.control is None else f"class {self.control} of {of}"

    def plates_of(self, rows: pd.DataFrame) -> list[str]:
        """Plate of each row: its values in the columns of ``plate``; "" where there are none."""
        values = [rows[name].astype(str) for name in self.plate]
        return [", ".join(of_row) for of_row in zip(*values, strict=True)] or [""] * len(rows)

    def files(
        self, rows: pd.DataFrame, paths: Sequence[Path], train: NDArray[np.bool_], classes: Sequence[str]
    ) -> tuple[dict[str, list[Path]], dict[Path, str]]:
        """Files that limits are fitted to, by plate, and the plate of each file.

        Parameters
        ----------
        rows, paths, train
            Of each image: what is known of it, its file, and whether it is of the training part.
        classes
            All there are.

        Raises
        ------
        UserError
            If a column or class is missing, or a plate has no image of the class.
        """
        if missing := [name for name in self.plate if name not in rows]:
            raise UserError(f"data.plate: no column {some(missing)}. There are {', '.join(map(str, rows.columns))}.")
        for name in self.plate:
            if rows[name].isna().any():
                file = rows["file"][rows[name].isna()].iloc[0]
                raise UserError(f"data.plate: {file} has no {name}. Fill it in, or leave the image out.")
        if self.control is not None and self.control not in classes:
            raise UserError(f"data.control: no class {self.control}. There are {some(classes) or 'none'}.")
        plates = self.plates_of(rows)
        chosen = np.ones(len(rows), bool) if self.plate else train.copy()
        if self.control is not None:
            chosen &= (rows["class"] == self.control).to_numpy()
        sources: dict[str, list[Path]] = {plate: [] for plate in plates}
        for plate, path, taken in zip(plates, paths, chosen, strict=True):
            if taken:
                sources[plate].append(path)
        if empty := [plate for plate, files in sources.items() if not files]:
            raise UserError(
                f"data.control: plate {empty[0]} has no image of class {self.control} to scale its intensities by. "
                "Name a class that every plate has, or null for all of a plate's images."
            )
        return sources, dict(zip(paths, plates, strict=True))
