"""What measurements of cells have in common: channels, background, illumination, nuclei, flags."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.filters import gaussian

from micrographia.errors import UserError
from micrographia.measure.assays.nuclei import NucleusSegmentation, central_label, centroids, cut_off
from micrographia.measure.underflow import gradual_underflow

NAN, CONSTANT = "NaN pixels", "constant"
FLAGS = ("", NAN, CONSTANT, "no_nucleus", "cut_off", "saturated", "dark", "no_spots")
"""Why a cell could not be measured; empty where it could."""

# A compartment that is flat on top, but fewer grey levels above the lowest, is dim and not saturated; and of a small
# one a few equal pixels are chance.
LEAST_LEVELS, LEAST_FLAT = 20, 3

Clipped = Callable[[NDArray[np.bool_]], bool]


class CellAssay:
    """Measurement of cells in images with a DNA and a reporter channel; a subclass says what of a cell.

    Parameters
    ----------
    channels
        Names of the images' channels; ``dna`` and ``reporter`` must be among them. Others are not looked at.
    nuclei
        How nuclei are found; None takes the defaults.
    background
        Level of the reporter channel without cells, in the images' unit; None estimates it, see `calibrate`.
    background_percentile
        Percentile of pixels taken for the background where it is estimated.
    illumination_px
        Deviation in pixels of the blur by which `calibrate` gets the illumination from the mean image; None leaves
        the illumination as it is. For whole fields; a crop's place in its field is not known.
    saturation
        Level from which a pixel of the reporter is saturated; None: the highest value of an integer type, 1 of
        floating point, and any level at which a compartment is cut flat.
    saturated_share
        Share of such pixels in one of the compartments that are measured (nucleus, ring, spots) from which a cell is
        flagged, in 0..1.
    side_px
        Side of the images that all lengths in pixels are for: see `sized`. None: they are for images of any size.

    Attributes
    ----------
    values : tuple of str
        Names of the measured columns.

    Raises
    ------
    UserError
        If a channel is missing or a number out of range.
    """

    values: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        channels: Sequence[str] = ("dna", "reporter"),
        nuclei: NucleusSegmentation | None = None,
        background: float | None = None,
        background_percentile: float = 1.0,
        illumination_px: float | None = None,
        saturation: float | None = None,
        saturated_share: float = 0.1,
        side_px: float | None = 64,
    ):
        for name in ("dna", "reporter"):
            if name not in channels:
                raise UserError(
                    f"measurement.channels={list(channels)}: no channel is named {name}. Name them in order."
                )
        if not 0 <= background_percentile <= 50:
            raise UserError(f"measurement.background_percentile={background_percentile} is not in 0..50.")
        if illumination_px is not None and illumination_px <= 0:
            raise UserError(f"measurement.illumination_px={illumination_px}: expected a number above 0, or null.")
        if not 0 < saturated_share <= 1:
            raise UserError(f"measurement.saturated_share={saturated_share} is not in 0..1.")
        if side_px is not None and side_px <= 0:
            raise UserError(f"measurement.side_px={side_px}: expected a number above 0, or null.")
        self.channels = tuple(channels)
        self.nuclei = nuclei or NucleusSegmentation()
        self.background, self.background_percentile = background, background_percentile
        self.illumination_px = illumination_px
        self.saturation, self.saturated_share = saturation, saturated_share
        self.side_px = side_px
        self.illumination: NDArray | None = None

    def cell_values(
        self, dna: NDArray, reporter: NDArray, labels: NDArray[np.int32], chosen: Sequence[int], clipped: Clipped
    ) -> dict[int, tuple[str, dict[str, float]]]:
        """Flag and values of chosen nuclei, by label.

        Parameters
        ----------
        reporter
            Without its background; saturated pixels have the highest value that is not.
        clipped
            Whether too many of the pixels of a mask are saturated: a cell with such a compartment is ``saturated``.
        """
        raise NotImplementedError

    def sized(self, side: int) -> "CellAssay":
        """A copy for images of that side in pixels, which show as much as those of ``side_px`` do."""
        return self if self.side_px is None or side == self.side_px else self.magnified(side / self.side_px)

    def magnified(self, factor: float) -> "CellAssay":
        """A copy for images in which everything is so many times as large."""
        result = copy.copy(self)
        result.nuclei = self.nuclei.magnified(factor)
        result.side_px = None
        if self.illumination_px is not None:
            result.illumination_px = self.illumination_px * factor
        return result

    def calibrate(self, images: Iterable[Any]) -> "CellAssay":
        """A copy with background and illumination estimated from many images, such as all of the training part.

        Parameters
        ----------
        images
            Images ``(channels, height, width)`` of one size and unit. Those with NaN are passed over, and those with a
            constant channel, such as frames without light, unless there are no others.

        Notes
        -----
        In a crop full of cells the darkest pixel is no background: taken over many images it is. Cells being
        anywhere, the mean image shows the illumination (as CellProfiler's illumination correction does).
        """
        lowest, of_constant, total, count = [], [], None, 0
        for image in images:
            dna, reporter = self.planes(image)
            fault = unmeasurable(dna, reporter)
            if fault == NAN:
                continue
            level = np.percentile(reporter, self.background_percentile)
            if fault:
                of_constant.append(level)
                continue
            lowest.append(level)
            both = np.stack([dna, reporter])
            total, count = (both if total is None else total + both), count + 1
        lowest = lowest or of_constant
        if not lowest or (total is None and self.illumination_px is not None):
            raise UserError("measurement: no image to calibrate with.")
        result = copy.copy(self)
        if result.background is None:
            # The image with the fewest cells decides; a low percentile leaves out single odd ones.
            result.background = float(np.percentile(lowest, self.background_percentile, method="lower"))
        if self.illumination_px is not None and total is not None:
            mean = total / count - np.array([0.0, result.background])[:, None, None]
            smooth = np.stack([gaussian(plane, self.illumination_px, preserve_range=True) for plane in mean])
            smooth = np.maximum(smooth, 1e-6 * smooth.max())
            result.illumination = smooth / smooth.mean(axis=(1, 2), keepdims=True)
        return result

    @property
    def calibration(self) -> dict[str, Any]:
        """Background and, where it is corrected, illumination ``(2, height, width)``: what `calibrate` has found."""
        found = {"background": self.background, "illumination": self.illumination}
        return {name: value for name, value in found.items() if value is not None}

    def calibrated_by(self, calibration: Mapping[str, Any]) -> "CellAssay":
        """A copy with the `calibration` of another one of the same settings."""
        result = copy.copy(self)
        if "background" in calibration:
            result.background = float(calibration["background"])
        result.illumination = calibration.get("illumination")
        return result

    @gradual_underflow()
    def measure(self, image: Any) -> dict[str, Any]:
        """The cell in the middle of an image ``(channels, height, width)``: `values`, ``nucleus_area_px`` and ``flag``.

        Parameters
        ----------
        image
            Array or tensor, integers or floating point.

        Returns
        -------
        dict
            Where the flag is not empty, it is one of `FLAGS`, and what could not be measured is NaN.
        """
        flag, (dna, reporter), labels = self.segmented(image)
        if flag:
            return self.row(flag)
        number = central_label(labels, 0.5 * self.nuclei.diameter_px)
        return self.rows(dna, reporter, labels, [number])[0] if number else self.row("no_nucleus")

    @gradual_underflow()
    def measure_field(self, image: Any) -> pd.DataFrame:
        """All cells of a field ``(channels, height, width)``, one row each, with ``y`` and ``x`` of the nucleus.

        A field without any nucleus, or one that cannot be measured, gives one row with a flag.
        """
        flag, (dna, reporter), labels = self.segmented(image)
        middles = centroids(labels)
        if flag or not middles:
            return pd.DataFrame([{"y": np.nan, "x": np.nan, **self.row(flag or "no_nucleus")}])
        rows = self.rows(dna, reporter, labels, list(middles))
        return pd.DataFrame([{"y": y, "x": x, **row} for (y, x), row in zip(middles.values(), rows, strict=True)])

    def table(self, images: Iterable[Any], index: pd.Index | Sequence[Any] | None = None) -> pd.DataFrame:
        """One row per image, of the cell in its middle: see `measure`."""
        rows = [self.measure(image) for image in images]
        return pd.DataFrame(
            rows, columns=[*self.values, "nucleus_area_px", "flag"], index=None if index is None else pd.Index(index)
        )

    def planes(self, image: Any) -> tuple[NDArray, NDArray]:
        """DNA and reporter of an image in double precision, in its own unit."""
        image = np.asarray(image)
        if image.ndim != 3 or len(image) != len(self.channels):
            raise UserError(
                f"measurement: an image of shape {tuple(image.shape)}, but measurement.channels names "
                f"{len(self.channels)}: {', '.join(self.channels)}."
            )
        dna, reporter = (image[self.channels.index(name)].astype(float) for name in ("dna", "reporter"))
        return dna, reporter

    def segmented(self, image: Any) -> tuple[str, tuple[NDArray, NDArray], NDArray[np.int32]]:
        """Flag of the whole image, its DNA and its reporter (saturated pixels infinite), and the nuclei's labels."""
        dna, reporter = self.planes(image)
        nothing = np.zeros(dna.shape, np.int32)
        if fault := unmeasurable(dna, reporter):
            return fault, (dna, reporter), nothing
        top = self.highest(np.asarray(image).dtype)
        background = self.background
        if background is None:
            background = float(np.percentile(reporter, self.background_percentile))
        saturated = reporter >= top
        reporter = reporter - background
        if self.illumination is not None:
            dna, reporter = dna / self.illumination[0], reporter / self.illumination[1]
        labels = self.nuclei(dna)
        reporter[saturated] = np.inf
        return "", (dna, reporter), labels

    def highest(self, dtype: np.dtype) -> float:
        """Level from which a pixel is saturated."""
        if self.saturation is not None:
            return self.saturation
        return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0

    def rows(
        self, dna: NDArray, reporter: NDArray, labels: NDArray[np.int32], chosen: Sequence[int]
    ) -> list[dict[str, Any]]:
        """Rows of chosen nuclei; those at the border or saturated are not measured."""
        at_border = cut_off(labels)
        saturated = np.isinf(reporter)
        distinct = np.unique(reporter[~saturated])
        floor, step = distinct.min(initial=0.0), np.diff(distinct).min(initial=np.inf)

        def clipped(mask: NDArray[np.bool_]) -> bool:
            return bool(mask.any()) and self.is_saturated(reporter[mask], floor, step)

        # Few saturated pixels, and those of other cells, take the highest value that is not.
        finite = np.where(saturated, reporter[~saturated].max(initial=0.0), reporter)
        inside = [number for number in chosen if number not in at_border]
        measured = self.cell_values(dna, finite, labels, inside, clipped)
        rows = []
        for number in chosen:
            flag, values = measured.get(number, ("cut_off", {}))
            rows.append(self.row(flag, nucleus_area_px=float((labels == number).sum()), **values))
        return rows

    def is_saturated(self, levels: NDArray, floor: float, step: float) -> bool:
        """Whether too many of a compartment's pixels are at the top, that of the type or one at which it is cut flat.

        ``floor`` is the image's lowest level, and ``step`` the smallest between two of its levels.
        """
        highest = levels.max()
        at_top = levels == highest
        if at_top.mean() <= self.saturated_share:
            return False
        flat = self.saturation is None and at_top.sum() >= LEAST_FLAT and highest - floor >= LEAST_LEVELS * step
        return bool(np.isinf(highest) or flat)

    def row(self, flag: str, **values: float) -> dict[str, Any]:
        """A row, NaN where nothing is known."""
        return dict.fromkeys((*self.values, "nucleus_area_px"), np.nan) | values | {"flag": flag}


def unmeasurable(dna: NDArray, reporter: NDArray) -> str:
    """Why nothing can be measured in an image at all; empty where something may be.

    Examples
    --------
    >>> unmeasurable(np.eye(3), np.zeros((3, 3)))
    'constant'
    """
    if not (np.isfinite(dna).all() and np.isfinite(reporter).all()):
        return NAN
    return CONSTANT if np.ptp(dna) == 0 or np.ptp(reporter) == 0 else ""
