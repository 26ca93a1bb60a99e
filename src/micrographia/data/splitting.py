"""How the rows of a table come to be for training, validation or test, as a data config describes it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from micrographia.data.splits import (
    check_parts,
    draw_parts,
    group_numbers,
    parts_by_name,
    parts_by_value,
    some,
)
from micrographia.errors import UserError

log = logging.getLogger(__name__)
DRAWN = ("stratified", "folders", "none")  # what is no column


@dataclass(frozen=True)
class Splitting:
    """The keys of a data config that decide its parts.

    Attributes
    ----------
    split : str
        "stratified" draws the test part; "folders" takes it from the column ``part`` of part folders; "none" leaves all
        rows in train; else a column that says train, val or test, or, with ``test``, any column.
    test : tuple of str or None
        Values of the ``split`` column that make the test part.
    test_fraction, val_fraction : float
        Share of all rows drawn for test; share of the rest drawn for validation, where they are not given.
    group : tuple of str
        Columns that together name what must not be on two sides.
    seed : int
        Of the drawn parts.

    Raises
    ------
    UserError
        If a fraction is not between 0 and 1, or values are given for no column.
    """

    split: str
    test: tuple[str, ...] | None
    test_fraction: float
    val_fraction: float
    group: tuple[str, ...]
    seed: int

    def __post_init__(self) -> None:
        for key, fraction in (("test_fraction", self.test_fraction), ("val_fraction", self.val_fraction)):
            if not 0 < fraction < 1:
                raise UserError(f"data.{key}={fraction}: expected a number between 0 and 1.")
        if self.test is not None and self.split in DRAWN:
            raise UserError(f"data.test: needs a column to look in: set data.split=COLUMN instead of {self.split}.")

    def parts(self, rows: pd.DataFrame, classes: Sequence[str], where: str) -> np.ndarray:
        """Part of each row, checked.

        Parameters
        ----------
        rows
            With ``class``, if there are classes.
        classes
            In the order of their numbers; empty: none.
        where
            What the rows come from, for messages.

        Raises
        ------
        UserError
            If a column is missing, a class lacks a part, or a group is in two.
        """
        if self.split == "none":
            return np.full(len(rows), "train", dtype=object)
        given = self.decided(rows, where)
        numbers = group_numbers(rows, self.group)
        fractions = (self.test_fraction, self.val_fraction)
        parts = draw_parts(class_codes(rows, classes), numbers, given, *fractions, self.seed)
        self.check(parts, rows, classes)
        return parts

    def check(self, parts: np.ndarray, rows: pd.DataFrame, classes: Sequence[str]) -> None:
        """Raise a `UserError` if a class lacks a part, or a group is in two; see `parts`."""
        if self.split != "none":
            labels = rows["class"] if classes else pd.Series("all", rows.index)
            check_parts(parts, labels, rows, self.group, some_in_test=self.test is not None)
            if lacking := sorted(set(map(str, labels)) - set(map(str, labels[parts == "test"]))):
                log.warning("the test part (data.test) has no image of class %s", some(lacking))

    def decided(self, rows: pd.DataFrame, where: str) -> np.ndarray | None:
        """Parts that a column decides, "" where it does not; None where all are drawn; raises as `parts` does."""
        for key, columns in (("group", self.group), ("split", () if self.split in DRAWN else (self.split,))):
            if unknown := [column for column in columns if column not in rows]:
                raise UserError(
                    f"data.{key}: {where} has no column {some(unknown)}. It has {', '.join(map(str, rows.columns))}."
                )
        return self.given(rows)

    def cut_wells(self, rows: pd.DataFrame, where: str) -> str:
        """Wells that drawn parts can share, since the groups cut through them, in words; "" where there are none."""
        if self.split == "none" or "well" not in rows:
            return ""
        given = self.decided(rows, where)
        drawn = np.ones(len(rows), dtype=bool)
        if given is not None:
            drawn = np.isin(given, ["", "train"]) & ("val" not in given)
        numbers = group_numbers(rows, self.group)
        groups = pd.Series(np.arange(len(rows)) if numbers is None else numbers, rows.index)[drawn]
        well = [column for column in ("plate", "well") if column in rows]
        spread = groups.groupby([rows.loc[drawn, column] for column in well]).nunique()
        if not (cut := list(spread.index[spread > 1])):
            return ""
        first = ", ".join(map(str, cut[0])) if isinstance(cut[0], tuple) else str(cut[0])
        by = f"by {' + '.join(self.group)}" if self.group else "image by image"
        sides = "train and val" if given is not None and "test" in given else "train, val and test"
        return f"drawn {by}, {sides} can share {len(cut)} wells, the first {first}"

    def given(self, rows: pd.DataFrame) -> np.ndarray | None:
        """Parts that are known, "" where not; None where all are drawn."""
        if self.split == "folders":
            if "part" not in rows:
                raise UserError("data.split=folders: a table has no part folders. Use one of its columns.")
            return rows["part"].to_numpy(dtype=object)
        if self.test is not None:
            return parts_by_value(rows[self.split], self.test, f"column {self.split}")
        return None if self.split == "stratified" else parts_by_name(rows[self.split], f"column {self.split}")

    def describe(self) -> dict[str, str | None]:
        """In words, for a run's record."""
        how = self.split if self.test is None else f"{self.split} in {list(self.test)} is test"
        return {"split": how, "group": " + ".join(self.group) or None}


def class_codes(rows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Number of each row's class, int64; 0 of images without classes."""
    if not classes:
        return np.zeros(len(rows), np.int64)
    return pd.Categorical(rows["class"], categories=list(classes)).codes.astype(np.int64)


def as_list(value: Any) -> tuple[str, ...] | None:
    """A key's values as texts; one value may stand without brackets."""
    if value is None:
        return None
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def in_order(classes: set[str]) -> tuple[str, ...]:
    """Class names sorted, as numbers where all are.

    Examples
    --------
    >>> in_order({"30", "100", "5"}), in_order({"b", "a1"})
    (('5', '30', '100'), ('a1', 'b'))
    """
    try:
        numbers = {name: float(name) for name in classes}
    except ValueError:
        return tuple(sorted(classes))
    if not np.isfinite(list(numbers.values())).all():  # "nan" is a name: no order holds between it and numbers
        return tuple(sorted(classes))
    return tuple(sorted(classes, key=lambda name: (numbers[name], name)))
