"""Which image is for training, validation or test: given, or drawn by class and, where asked, by whole groups."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from micrographia.errors import UserError

PART_OF = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
# Random starts of a draw of groups; another is made only where the last left a class out of a side.
STARTS = 20


def draw_parts(
    classes: np.ndarray,
    groups: np.ndarray | None,
    given: np.ndarray | None,
    test_fraction: float,
    val_fraction: float,
    seed: int,
) -> np.ndarray:
    """Part of each image: "train", "val" or "test".

    Parameters
    ----------
    classes
        Class number of each image, ``(n,)``, 0 and up.
    groups
        Group number of each image, ``(n,)``; images of a group stay together. None lets each image stand alone.
    given
        Parts that are known, ``(n,)``; "" where not. Where "test" or "val" occurs, it is not drawn.
    test_fraction
        Share of all images drawn for test, of every class.
    val_fraction
        Share of the rest drawn for validation, of every class.
    seed
        Of the draw; one stream for test, one for validation.
    """
    parts = np.full(len(classes), "train", dtype=object) if given is None else np.where(given == "", "train", given)
    draw_val = not (parts == "val").any()
    for number, (part, fraction) in enumerate((("test", test_fraction), ("val", val_fraction))):
        if (part == "val" and not draw_val) or (parts == part).any():
            continue
        rest = np.flatnonzero(parts == "train")
        spare = 2 if part == "test" and draw_val else 1
        generator = np.random.default_rng([seed, number])
        own_groups = None if groups is None else groups[rest]
        held = hold_out(classes[rest], own_groups, fraction, spare, generator)
        parts[rest[held]] = part
    return parts


def hold_out(
    classes: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    spare: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Bool mask ``(n,)`` of the images held out: of every class about ``fraction``, by whole groups.

    Parameters
    ----------
    spare
        Groups (images, where there are no groups) that every class should keep among the others.
    """
    if groups is not None:
        return hold_out_groups(classes, groups, fraction, spare, generator)
    held = np.zeros(len(classes), dtype=bool)
    for label in np.unique(classes):
        members = generator.permutation(np.flatnonzero(classes == label))
        count = max(1, min(round(fraction * len(members)), len(members) - spare))
        held[members[:count]] = True
    return held


def hold_out_groups(
    classes: np.ndarray, groups: np.ndarray, fraction: float, spare: int, generator: np.random.Generator
) -> np.ndarray:
    """`hold_out` by groups: the set of groups whose share of every class is closest to ``fraction``.

    Groups are moved across in random order as long as that lowers the squared error of the classes' shares, or the
    number of classes that a side lacks, which weighs more.
    """
    names, member = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(classes.max()) + 1))
    np.add.at(counts, (member, classes), 1)
    counts = counts[:, counts.any(axis=0)]
    share = counts / counts.sum(axis=0)
    present = (counts > 0).astype(int)
    all_groups = present.sum(axis=0)

    def lacking(held_groups: np.ndarray) -> int:
        return int((held_groups < 1).sum() + np.maximum(spare - (all_groups - held_groups), 0).sum())

    best, least = np.zeros(len(names), dtype=bool), np.inf
    for _ in range(STARTS):
        held = np.zeros(len(names), dtype=bool)
        held_share, held_groups = np.zeros(counts.shape[1]), np.zeros(counts.shape[1], dtype=int)
        cost, moved = np.inf, True
        while moved:
            moved = False
            for group in generator.permutation(len(names)):
                sign = -1 if held[group] else 1
                new_share = held_share + sign * share[group]
                new_groups = held_groups + sign * present[group]
                new_cost = 1e3 * lacking(new_groups) + float(((new_share - fraction) ** 2).sum())
                if new_cost < cost - 1e-12:
                    held[group] = not held[group]
                    held_share, held_groups, cost, moved = new_share, new_groups, new_cost, True
        if cost < least:
            best, least = held, cost
        if least < 1e3:
            break
    return best[member]


def group_numbers(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray | None:
    """Number of each row's group, a group being the rows equal in all columns; None without columns."""
    if not columns:
        return None
    return table.groupby(list(columns), sort=True, dropna=False).ngroup().to_numpy()


def parts_by_name(values: Iterable[Any], where: str) -> np.ndarray:
    """Parts that a table or folders name: train, val, test and their usual longer forms, in any case.

    Raises
    ------
    UserError
        If a value names no part, or no value names train or test.
    """
    values = [str(value) for value in values]
    parts = np.array([PART_OF.get(value.strip().lower(), "") for value in values], dtype=object)
    if unknown := sorted({value for value, part in zip(values, parts, strict=True) if not part}):
        raise UserError(
            f"data.split: {where} holds {some(unknown)} where train, val or test should stand. "
            "Name the values that make the test part: data.test=[VALUE]."
        )
    for part in ("train", "test"):
        if part not in parts:
            raise UserError(f"data.split: {where} names no {part} images.")
    return parts


def parts_by_value(values: Iterable[Any], test: Sequence[str], where: str) -> np.ndarray:
    """Parts of rows whose value is one of ``test``: "test", of all others "".

    Raises
    ------
    UserError
        If a test value does not occur.
    """
    texts = np.array([as_written(value) for value in values], dtype=object)
    if unknown := [value for value in test if value not in texts]:
        raise UserError(f"data.test: {where} has no {some(unknown)}. It holds {some(sorted(set(texts)))}.")
    return np.where(np.isin(texts, list(test)), "test", "").astype(object)


def as_written(value: Any) -> str:
    """A table's value as text: a whole number without the point that a column with empty cells gives it.

    Examples
    --------
    >>> as_written(1.0), as_written(0.5), as_written(" P1 ")
    ('1', '0.5', 'P1')
    """
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def check_parts(
    parts: np.ndarray, labels: pd.Series, table: pd.DataFrame, columns: Sequence[str], some_in_test: bool = False
) -> None:
    """Raise a UserError if a class lacks a part, or a group is in two parts.

    Parameters
    ----------
    some_in_test
        Whether the test part may lack classes, as where one compound of one mechanism is left out.
    """
    counts = pd.crosstab(labels, pd.Series(parts))
    for part in ("train", "val") if some_in_test and "test" in counts else ("train", "val", "test"):
        lacking = list(counts.index) if part not in counts else list(counts.index[counts[part] == 0])
        if lacking:
            by = f" when split by {' + '.join(columns)}" if columns else ""
            raise UserError(
                f"data.split: class {some([str(name) for name in lacking])} has no image in the {part} part{by}. "
                "Add images, leave the class out (data.include) or change data.split, data.group or the fractions."
            )
    number = group_numbers(table, columns)
    if number is not None:
        spread = pd.Series(parts).groupby(number).nunique()
        if (spread > 1).any():
            row = table[number == spread.index[spread > 1][0]].iloc[0]
            group = ", ".join(f"{column}={row[column]}" for column in columns)
            raise UserError(
                f"data.split: group {group} is in more than one of the given parts. Change data.group or data.split."
            )


def some(values: Sequence[str], most: int = 8) -> str:
    """The first of many values, as text."""
    return ", ".join(values[:most]) + (f" and {len(values) - most} more" if len(values) > most else "")
