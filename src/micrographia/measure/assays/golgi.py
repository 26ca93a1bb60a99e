"""Golgi: how many spots a cell has, how large they are, and how far they are scattered."""

from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.morphology import disk, white_tophat
from skimage.segmentation import expand_labels, watershed

from micrographia.errors import UserError
from micrographia.measure.assays.assay import CellAssay, Clipped
from micrographia.measure.assays.nuclei import MAD_TO_DEVIATION, NucleusSegmentation


class GolgiSpots(CellAssay):
    """Spots of the reporter in a cell: ``spots``, ``mean_spot_area_px`` and ``scatter_px``.

    A white top-hat takes away what is wider than a spot; local maxima above Otsu's threshold are spots, parted by a
    watershed. A spot's area is that within half its height; scatter is the root mean square distance of the spots from
    their centre. A spot belongs to the nearest nucleus, if that is near enough.

    Parameters
    ----------
    spot_px
        Diameter of a large spot in pixels.
    reach
        Greatest distance of a spot from its nucleus, in diameters of a nucleus.
    smoothing_px
        Deviation of the blur against noise, in pixels.
    threshold_scale
        Factor on Otsu's threshold.
    least_contrast
        By how many deviations of the top-hat's background a spot must be brighter than it.
    channels, nuclei, background, background_percentile, illumination_px, saturation, saturated_share,
    side_px
        See `CellAssay`.

    Notes
    -----
    Flagged ``no_spots``: there is none; their number is 0, area and scatter are NaN.
    """

    values: ClassVar[tuple[str, ...]] = ("spots", "mean_spot_area_px", "scatter_px")

    def __init__(
        self,
        channels: Sequence[str] = ("dna", "reporter"),
        nuclei: NucleusSegmentation | None = None,
        spot_px: float = 6.0,
        reach: float = 0.7,
        smoothing_px: float = 0.5,
        threshold_scale: float = 0.7,
        least_contrast: float = 6.0,
        background: float | None = None,
        background_percentile: float = 1.0,
        illumination_px: float | None = None,
        saturation: float | None = None,
        saturated_share: float = 0.1,
        side_px: float | None = 64,
    ):
        super().__init__(
            channels, nuclei, background, background_percentile, illumination_px, saturation, saturated_share, side_px
        )
        settings = {"spot_px": spot_px, "reach": reach, "threshold_scale": threshold_scale}
        for name, value in settings.items():
            if not value > 0:
                raise UserError(f"measurement.{name}={value}: expected a number above 0.")
        for name, value in (("smoothing_px", smoothing_px), ("least_contrast", least_contrast)):
            if value < 0:
                raise UserError(f"measurement.{name}={value} must not be negative.")
        self.spot_px, self.reach, self.smoothing_px = spot_px, reach, smoothing_px
        self.threshold_scale, self.least_contrast = threshold_scale, least_contrast

    def cell_values(
        self, dna: NDArray, reporter: NDArray, labels: NDArray[np.int32], chosen: Sequence[int], clipped: Clipped
    ) -> dict[int, tuple[str, dict[str, float]]]:
        """Number, mean area and scatter of the spots of each cell."""
        cell = expand_labels(labels, self.reach * self.nuclei.diameter_px)
        peaks, found = self.spots(reporter)
        areas = np.bincount(found.ravel(), minlength=len(peaks) + 1)[1:]
        owner = cell[tuple(peaks.T)]
        result = {}
        for number in chosen:
            own = owner == number
            if not own.any():
                result[number] = ("no_spots", {"spots": 0.0})
                continue
            if clipped(np.isin(found, 1 + np.flatnonzero(own))):
                result[number] = ("saturated", {})
                continue
            away = peaks[own] - peaks[own].mean(axis=0)
            values = {
                "spots": float(own.sum()),
                "mean_spot_area_px": float(areas[own].mean()),
                "scatter_px": float(np.sqrt((away**2).sum(axis=1).mean())),
            }
            result[number] = ("", values)
        return result

    def magnified(self, factor: float) -> "GolgiSpots":
        """See `CellAssay.magnified`."""
        result = cast(GolgiSpots, super().magnified(factor))
        result.spot_px, result.smoothing_px = self.spot_px * factor, self.smoothing_px * factor
        return result

    def spots(self, reporter: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Rows and columns ``(spots, 2)`` of the spots of an image, and whose each pixel is: 1, 2, ..., 0 for none."""
        smooth = gaussian(reporter, self.smoothing_px, preserve_range=True)
        raised = white_tophat(smooth, disk(round(1.2 * self.spot_px)))
        noise = MAD_TO_DEVIATION * float(np.median(np.abs(raised - np.median(raised))))
        level = float(np.median(raised)) + self.least_contrast * noise
        threshold = max(self.threshold_scale * float(threshold_otsu(raised)), level)
        peaks = peak_local_max(raised, min_distance=1, threshold_abs=threshold, exclude_border=False)
        seeds = np.zeros(raised.shape, np.int32)
        seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        heights = np.concatenate([[np.inf], raised[tuple(peaks.T)]])
        # Half of a spot just above the threshold is below it: the mask reaches down to the lowest spot's half.
        basins = watershed(-raised, seeds, mask=raised > threshold / 2)
        return peaks, np.where(raised >= 0.5 * heights[basins], basins, 0)
