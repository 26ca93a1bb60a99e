"""What tells two conditions of the target apart: which latents, which hand-made features, and what it looks like."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

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
from micrographia.scores.differences import SIGNIFICANT, Differences, significant
from micrographia.scores.wells import LEAST_WELLS, Comparison

log = logging.getLogger(__name__)

REPLICATE, WELL = "replicate", "well"  # columns of what is known


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
        named) and, where the table knows it, ``well``, with names that are unique over plates and wells.
    resampled : str or None
        Column of the data's table that names the replicates; None where none is named.
    """

    column: str
    conditions: tuple[str, str]
    known: pd.DataFrame
    resampled: str | None

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
        if (least := 2 / comb(sum(counts), min(counts))) > SIGNIFICANT:
            numbers += f" (too few for a p below {least:.2g})"
        wells = self.count(WELL)
        if wells == counts:
            return f"{numbers} resampled"
        few = min(wells) < LEAST_WELLS
        return f"{numbers} resampled, of {wells[0]} and {wells[1]} wells" + (": no p-value over wells" if few else "")


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
        return Contrast(controls.condition, sides, known, None)
    known[REPLICATE] = joined(table, ["plate", controls.well, replicate])
    return Contrast(controls.condition, sides, known, str(replicate))


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
    known = contrast.known.loc[contrast.known.index.intersection(features.index)]
    table = Differences().table(features.loc[known.index], known, contrast.comparison, measured.periods)
    table.insert(1, "unit", table["column"].map(features.attrs["units"]))
    run.save_table("differences_features", with_replicates(table, contrast))
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
    """Save and draw which latents differ and, of a model of images, what their change looks like.

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
    table = Differences().table(codes.loc[contrast.known.index], contrast.known, contrast.comparison)
    run.save_table(f"differences_{phase}", with_replicates(table, contrast))
    tables = {"latents": table} | ({"features": features} if len(features) else {})
    run.save_figure(
        f"differences_{phase}", forest_figure(tables, contrast.titles, contrast.words, contrast.resampled or "")
    )
    found = numbers(table, phase)
    if (count := found.get(f"difference/{phase}/significant")) is not None:
        log.info("%s: %d of %d latents differ (q < 0.05)", phase, count, len(table))
    if model.network.of_images:
        figure, agreement = phenotype(
            model, codes, table, contrast.known, contrast.comparison, contrast.titles, images_of(target)
        )
        run.save_figure(f"phenotype_{phase}", figure)
        if np.isfinite(agreement):
            found[f"difference/{phase}/decoded"] = agreement
    return found


def with_replicates(table: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """A table of differences that says what was resampled, and of how many wells that is."""
    negative, positive = contrast.count(WELL) if WELL in contrast.known else (None, None)
    return table.assign(resampled=contrast.resampled or "none", wells_negative=negative, wells_positive=positive)


def numbers(table: pd.DataFrame, phase: str) -> Metrics:
    """Metrics of a table of differences; only those that are numbers."""
    found: Metrics = {}
    if table["q"].notna().any():
        found[f"difference/{phase}/significant"] = int(significant(table).sum())
    sizes = table["effect"].abs()
    if sizes.notna().any():
        found[f"difference/{phase}/leading"] = float(table["effect"].to_numpy()[sizes.argmax()])
    return found
