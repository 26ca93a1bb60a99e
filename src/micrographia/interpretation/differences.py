"""What tells two conditions of the target apart: which latents, which hand-made features, and what it looks like."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from micrographia.data.datamodule import IndexedImages, spread
from micrographia.errors import UserError
from micrographia.interpretation.controls import controls_of, with_text
from micrographia.interpretation.measured import Measured, images_of
from micrographia.interpretation.phenotype import phenotype
from micrographia.models.vae.vae import VAE
from micrographia.plots.differences import forest_figure
from micrographia.runs.run import Metrics, Run, What
from micrographia.scores.differences import SIGNIFICANT, Differences, least_p, significant
from micrographia.scores.wells import LEAST_WELLS, Comparison

log = logging.getLogger(__name__)

REPLICATE, WELL, BLOCK = "replicate", "well", "block"  # columns of what is known
PLATE = "plate"  # the block where none is named: what happens to a plate happens to all of its wells


@dataclass(frozen=True)
class Contrast:
    """Test images of two conditions.

    Attributes
    ----------
    column : str
        Of the condition, in the data's table.
    conditions : tuple of str
        The negative and the positive one.
    known : DataFrame
        A row per image, under its index: ``condition``, ``replicate`` (what is resampled, all one where nothing is
        named) and, where the table knows it, ``well``, with names that are unique over plates and wells; ``block``.
    resampled : str or None
        Column of the data's table that names the replicates; None where none is named.
    block : str or None
        Column of the data's table within whose values replicates are permuted; None permutes them over all.
    """

    column: str
    conditions: tuple[str, str]
    known: pd.DataFrame
    resampled: str | None
    block: str | None

    @property
    def comparison(self) -> Comparison:
        """The conditions, and the replicates in place of the wells."""
        return Comparison("condition", *self.conditions, REPLICATE)

    @property
    def titles(self) -> tuple[str, str]:
        """The conditions in words: a number alone says nothing."""
        negative, positive = (f"{self.column} {side}" if is_number(side) else side for side in self.conditions)
        return negative, positive

    def count(self, column: str) -> list[int]:
        """Replicates or wells of both conditions; of wells that nobody knows, replicates."""
        column = column if column in self.known else REPLICATE
        return [self.known.loc[self.known["condition"] == side, column].nunique() for side in self.conditions]

    def sample(self, most: int) -> Tensor:
        """Indices of at most so many images of each condition, evenly."""
        sides = [self.known.index[self.known["condition"] == side] for side in self.conditions]
        return torch.cat([spread(torch.tensor(side.tolist()), most) for side in sides])

    @property
    def words(self) -> str:
        """What was resampled, and of what that speaks."""
        if self.resampled is None:
            return "no column of replicates is named (contrast.well): no interval, no p-value"
        counts = self.count(REPLICATE)
        numbers = f"{counts[0]} and {counts[1]} {self.resampled}s"
        if min(counts) < LEAST_WELLS:
            return f"{numbers}: too few for an interval or a p-value"
        if not np.isfinite(least := self.least_p()):
            return f"{numbers} resampled: no {self.block} holds both conditions, no p-value"
        if least > SIGNIFICANT:
            numbers += f" (too few for a p below {least:.2g})"
        within = f"; permuted within each {self.block}" if self.block else ""
        wells = self.count(WELL)
        if wells == counts:
            return f"{numbers} resampled{within}"
        few = min(wells) < LEAST_WELLS
        told = f"{numbers} resampled, of {wells[0]} and {wells[1]} wells"
        return told + (": no p-value over wells" if few else "") + within

    def least_p(self) -> float:
        """The least p that the replicates can give; NaN of none."""
        rows = self.known.groupby(["condition", REPLICATE], sort=False).first().reset_index()
        blocks = pd.factorize(rows[BLOCK])[0].astype(np.int64) if self.block else None
        return least_p(self.comparison.is_positive(rows), blocks, Differences.permutations)

    def table(self, values: pd.DataFrame, periods: Mapping[str, float] | None = None) -> pd.DataFrame:
        """Which columns differ, of some of the images, and what was resampled and permuted."""
        known = self.known.loc[values.index]
        found = Differences().table(values, known, self.comparison, periods, BLOCK if self.block else None)
        negative, positive = self.count(WELL) if WELL in self.known else (None, None)
        return found.assign(
            resampled=self.resampled or "none",
            permuted_within=self.block or "all",
            wells_negative=negative,
            wells_positive=positive,
        )


def contrast_of(target: IndexedImages, what: What) -> Contrast | None:
    """The two conditions that the config names, or else the data's own controls; None where there are none.

    Raises
    ------
    UserError
        If the table has no such column or value, or the test part no image of a condition.
    """
    controls = controls_of(target, what)
    if controls is None:
        return None
    given = what["contrast"] or {}
    indices = target.indices("test")
    table = target.table(indices).set_axis(pd.Index(indices.tolist(), name="item"))
    table = with_text(table, controls)
    sides = (controls.negative, controls.positive)
    for key, side in zip(("negative", "positive"), sides, strict=True):
        if not (table[controls.condition] == side).any():
            place = f"contrast.{key}" if given else "data.controls"
            raise UserError(
                f"{place}={side}: no image of the test part of {target.name} has it. Set data.split so that both "
                "conditions are in it."
            )
    table = table[table[controls.condition].isin(sides)]
    known = pd.DataFrame({"condition": table[controls.condition], REPLICATE: "all"})
    # Wells of one name are on every plate, and fields of one number in every well.
    if controls.well in table:
        known[WELL] = joined(table, ["plate", controls.well])
    replicate = given.get("replicate", controls.well)
    if replicate not in table:
        return Contrast(controls.condition, sides, known, None, None)
    known[REPLICATE] = joined(table, ["plate", controls.well, replicate])
    block = given.get("block", PLATE if PLATE in table and controls.condition != PLATE else None)
    if block is not None:
        known[BLOCK] = table[block].astype(str)
        several = known.groupby(["condition", REPLICATE])[BLOCK].transform("nunique") > 1
        if several.any():
            name = known.loc[several, REPLICATE].iloc[0]
            raise UserError(f"contrast.block={block}: {replicate} {name} has several. Name another column.")
    return Contrast(controls.condition, sides, known, str(replicate), block)


def is_number(text: str) -> bool:
    """Whether a condition is a number.

    Examples
    --------
    >>> is_number("-1"), is_number("DMSO")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


def joined(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Names of several columns as one, of those columns that there are."""
    named = pd.Series("", table.index)
    for column in dict.fromkeys(columns):
        if column in table:
            named = named + "/" + table[column].astype(str)
    return named


def feature_differences(measured: Measured | None, contrast: Contrast, run: Run) -> tuple[pd.DataFrame, Metrics]:
    """Save which hand-made features differ; no rows where nothing was measured."""
    log.info("%s against %s: %s", *reversed(contrast.titles), contrast.words)
    if measured is None:
        return pd.DataFrame(), {}
    features = measured.table
    units = features.attrs["units"]
    there = contrast.known.index.intersection(features.index)
    table = contrast.table(features.loc[there], measured.periods)
    table.insert(1, "unit", table["column"].map(units))
    run.save_table("differences_features", table)
    return table, numbers(table, "features")


def tell_apart(
    model: VAE,
    codes: pd.DataFrame,
    contrast: Contrast,
    features: pd.DataFrame,
    target: IndexedImages,
    run: Run,
    phase: str,
) -> Metrics:
    """Save and draw which latents differ and what their change looks like.

    Parameters
    ----------
    features
        Of `feature_differences`.

    Returns
    -------
    dict
        ``difference/<phase>/significant``: latents that differ at a false discovery rate of 0.05, where there are
        enough replicates to tell; ``difference/<phase>/leading``: effect of the one that differs most;
        ``difference/<phase>/decoded``: of `phenotype`.
    """
    table = run.save_table(f"differences_{phase}", contrast.table(codes.loc[contrast.known.index]))
    tables = {"latents": table} | ({"features": features} if len(features) else {})
    run.save_figure(
        f"differences_{phase}", forest_figure(tables, contrast.titles, contrast.words, contrast.resampled or "")
    )
    found = numbers(table, phase)
    if (count := found.get(f"difference/{phase}/significant")) is not None:
        log.info("%s: %d of %d latents differ (q < 0.05)", phase, count, len(table))
    images = images_of(target)
    if len(images.shape) == 3:
        figure, agreement = phenotype(model, codes, table, contrast.known, contrast.comparison, contrast.titles, images)
        run.save_figure(f"phenotype_{phase}", figure)
        if np.isfinite(agreement):
            found[f"difference/{phase}/decoded"] = agreement
    return found


def numbers(table: pd.DataFrame, phase: str) -> Metrics:
    """Metrics of a table of differences; only those that are numbers."""
    found: Metrics = {}
    if table["q"].notna().any():
        found[f"difference/{phase}/significant"] = int(significant(table).sum())
    sizes = table["effect"].abs()
    if sizes.notna().any():
        found[f"difference/{phase}/leading"] = float(table["effect"].to_numpy()[sizes.argmax()])
    return found
