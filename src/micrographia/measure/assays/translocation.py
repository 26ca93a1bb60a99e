"""Translocation: how much brighter the reporter is in the nucleus than in the cytoplasm around it."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from micrographia.errors import UserError
from micrographia.measure.assays.assay import CellAssay, Clipped
from micrographia.measure.assays.nuclei import NucleusSegmentation, cores, ring


class Translocation(CellAssay):
    """Nucleus over ring: ``translocation_ratio``, and ``correlation``, Pearson's of DNA and reporter over both.

    The ratio is that of the mean reporter in the nucleus to the mean in a ring of cytoplasm around it, both without
    background: above 1 the reporter is in the nucleus. Also ``nuclear_mean`` and ``cytoplasm_mean``, in the image's
    unit.

    Parameters
    ----------
    margin
        Rim of the nucleus that is left out, in diameters of a nucleus: blur mixes it with the cytoplasm.
    gap
        Distance of the ring from the nucleus, in diameters.
    ring
        Width of the ring, in diameters.
    channels, nuclei, background, background_percentile, illumination_px, saturation, saturated_share,
    side_px
        See `CellAssay`.

    Notes
    -----
    Flagged ``dark``: the cytoplasm is not brighter than the background, so that there is no ratio.

    Examples
    --------
    >>> row, column = np.mgrid[:64, :64] - 31.5
    >>> nucleus = np.hypot(row, column) < 8
    >>> image = np.stack([1.0 * nucleus, 0.1 + 0.2 * (np.hypot(row, column) < 24) + 0.2 * nucleus])
    >>> round(Translocation(background=0.1).measure(image)["translocation_ratio"], 3)
    2.0
    """

    values: ClassVar[tuple[str, ...]] = ("translocation_ratio", "correlation", "nuclear_mean", "cytoplasm_mean")

    def __init__(
        self,
        channels: Sequence[str] = ("dna", "reporter"),
        nuclei: NucleusSegmentation | None = None,
        margin: float = 0.12,
        gap: float = 0.1,
        ring: float = 0.2,
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
        for name, value in (("margin", margin), ("gap", gap)):
            if value < 0:
                raise UserError(f"measurement.{name}={value} must not be negative.")
        if ring <= 0:
            raise UserError(f"measurement.ring={ring}: expected a number above 0.")
        self.margin, self.gap, self.ring = margin, gap, ring

    def cell_values(
        self, dna: NDArray, reporter: NDArray, labels: NDArray[np.int32], chosen: Sequence[int], clipped: Clipped
    ) -> dict[int, tuple[str, dict[str, float]]]:
        """Means, ratio and correlation of each nucleus and its ring."""
        diameter = self.nuclei.diameter_px
        inner = cores(labels, self.margin * diameter)
        around = ring(labels, self.gap * diameter, self.ring * diameter)
        result: dict[int, tuple[str, dict[str, float]]] = {}
        for number in chosen:
            if clipped(labels == number) or clipped(around == number):
                result[number] = ("saturated", {})
                continue
            nucleus, cytoplasm = reporter[inner == number], reporter[around == number]
            if not len(cytoplasm) or cytoplasm.mean() <= 0:
                result[number] = ("dark", {"nuclear_mean": float(nucleus.mean())})
                continue
            both = (labels == number) | (around == number)
            correlated = np.ptp(dna[both]) > 0 and np.ptp(reporter[both]) > 0
            values = {
                "translocation_ratio": float(nucleus.mean() / cytoplasm.mean()),
                "correlation": float(np.corrcoef(dna[both], reporter[both])[0, 1]) if correlated else np.nan,
                "nuclear_mean": float(nucleus.mean()),
                "cytoplasm_mean": float(cytoplasm.mean()),
            }
            result[number] = ("", values)
        return result
