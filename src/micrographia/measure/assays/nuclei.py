"""Nuclei in a DNA channel: Otsu's threshold, and a watershed that parts those which touch."""

import copy

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label, regionprops
from skimage.segmentation import expand_labels, watershed

from micrographia.errors import UserError

MAD_TO_DEVIATION = 1.4826  # of a normal distribution


class NucleusSegmentation:
    """Find nuclei; all lengths are shares of a nucleus' diameter, so that one number fits it to a magnification.

    Parameters
    ----------
    diameter_px
        Typical diameter of a nucleus in pixels.
    threshold_scale
        Factor on Otsu's threshold above the background; below 1 finds dimmer nuclei.
    smoothing
        Deviation of the blur before thresholding, in diameters.
    least_area
        Area of the smallest nucleus, in that of a disc of the diameter.
    seed_distance
        Least distance between the middles of two nuclei that touch, in diameters.
    least_contrast
        By how many deviations of the background the nuclei must be brighter than it.

    Raises
    ------
    UserError
        If a number is not positive.
    """

    def __init__(
        self,
        diameter_px: float = 18.0,
        threshold_scale: float = 1.0,
        smoothing: float = 0.07,
        least_area: float = 0.2,
        seed_distance: float = 0.55,
        least_contrast: float = 5.0,
    ):
        settings = {
            "diameter_px": diameter_px,
            "threshold_scale": threshold_scale,
            "smoothing": smoothing,
            "least_area": least_area,
            "seed_distance": seed_distance,
            "least_contrast": least_contrast,
        }
        for name, value in settings.items():
            if not value > 0:
                raise UserError(f"measurement.nuclei.{name}={value}: expected a number above 0.")
        self.diameter_px, self.threshold_scale = diameter_px, threshold_scale
        self.smoothing, self.least_area = smoothing, least_area
        self.seed_distance, self.least_contrast = seed_distance, least_contrast

    def magnified(self, factor: float) -> "NucleusSegmentation":
        """A copy for images in which everything is so many times as large."""
        result = copy.copy(self)
        result.diameter_px = self.diameter_px * factor
        return result

    @property
    def least_area_px(self) -> int:
        """Area of the smallest nucleus in pixels."""
        return max(1, round(self.least_area * np.pi / 4 * self.diameter_px**2))

    def __call__(self, dna: NDArray) -> NDArray[np.int32]:
        """Labels ``(height, width)``: 0 outside nuclei, 1, 2, ... in them; all 0 where nothing stands out."""
        smooth = gaussian(dna, self.smoothing * self.diameter_px, preserve_range=True)
        if smooth.min() == smooth.max():
            return np.zeros(dna.shape, np.int32)
        background = float(np.median(smooth[smooth <= threshold_otsu(smooth)]))
        threshold = background + self.threshold_scale * (float(threshold_otsu(smooth)) - background)
        mask = smooth > threshold
        outside = smooth[~mask]
        deviation = MAD_TO_DEVIATION * float(np.median(np.abs(outside - np.median(outside))))
        if smooth[mask].mean() - np.median(outside) < self.least_contrast * deviation:
            return np.zeros(dna.shape, np.int32)
        labels = self.parted(ndimage.binary_fill_holes(mask))
        small = [region.label for region in regionprops(labels) if region.area < self.least_area_px]
        return np.where(np.isin(labels, small), 0, labels).astype(np.int32)

    def parted(self, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Labels of a mask's nuclei, cut where they touch: a watershed of the distance from the edge."""
        # The frame counts as outside for none, else nuclei at the border would be parted along it.
        distance = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
        distance = gaussian(distance, self.smoothing * self.diameter_px, preserve_range=True)
        apart = max(1, round(self.seed_distance * self.diameter_px))
        pieces = label(mask)
        peaks = peak_local_max(distance, min_distance=apart, labels=pieces, exclude_border=False)
        seeds = np.zeros(mask.shape, np.int32)
        seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        return watershed(-distance, seeds, mask=mask).astype(np.int32)


def central_label(labels: NDArray[np.int32], within: float) -> int:
    """Label of the nucleus at the image's middle, or else of the one whose edge is nearest to it; 0 if none is near.

    Parameters
    ----------
    within
        Greatest distance from the middle in pixels.
    """
    height, width = labels.shape
    row, column = np.ogrid[:height, :width]
    distance = np.hypot(row - (height - 1) / 2, column - (width - 1) / 2)
    distance = np.where(labels > 0, distance, np.inf)
    place = np.unravel_index(int(np.argmin(distance)), labels.shape)
    return int(labels[place]) if distance[place] <= within else 0


def ring(labels: NDArray[np.int32], gap: float, width: float) -> NDArray[np.int32]:
    """Labels of the rings around nuclei, from ``gap`` to ``gap + width`` pixels away; none on another nucleus' side."""
    return np.where(expand_labels(labels, gap) > 0, 0, expand_labels(labels, gap + width))


def cores(labels: NDArray[np.int32], margin: float) -> NDArray[np.int32]:
    """Labels of what is more than ``margin`` pixels from a nucleus' edge; of a nucleus so thin, all of it."""
    # Touching nuclei have an edge between them too.
    inside = ndimage.distance_transform_edt(np.pad(labels == expand_labels(labels, 1), 1, mode="edge"))[1:-1, 1:-1]
    edge = np.minimum(inside, ndimage.distance_transform_edt(np.pad(labels > 0, 1, mode="edge"))[1:-1, 1:-1])
    core = np.where(edge > margin, labels, 0)
    thin = np.setdiff1d(labels, core)
    return np.where(np.isin(labels, thin), labels, core)


def cut_off(labels: NDArray[np.int32]) -> set[int]:
    """Labels of nuclei that touch the image's border."""
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return set(np.unique(border[border > 0]).tolist())


def centroids(labels: NDArray[np.int32]) -> dict[int, tuple[float, float]]:
    """Row and column of the middle of each nucleus, by its label."""
    return {region.label: (float(region.centroid[0]), float(region.centroid[1])) for region in regionprops(labels)}
