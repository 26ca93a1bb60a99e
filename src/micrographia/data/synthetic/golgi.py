"""Simulated Golgi assay: a compact Golgi that a compound scatters into many small stacks."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from micrographia.data.synthetic.assay import SimulatedAssay
from micrographia.data.synthetic.cell_population import NUCLEUS_RADIUS, CellPopulation
from micrographia.data.synthetic.dose_response import DoseResponse
from micrographia.data.synthetic.index_numbers import uniform
from micrographia.data.synthetic.monolayer import Monolayer

MOST_SPOTS = 20
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
HALF_HEIGHT_AREA = 2 * np.pi * np.log(2)  # of a Gaussian spot, over its squared deviation


@dataclass(frozen=True)
class Golgi:
    """Mean shape of a Golgi: spots of a cell, deviation of a spot and radius of the patch they lie in, micrometres."""

    spots: float
    deviation: float
    reach: float


COMPACT, SCATTERED = Golgi(3.2, 1.0, 3.8), Golgi(16.0, 0.48, 10.5)
BESIDE = 5.0  # distance of a compact Golgi from the middle of its nucleus, in micrometres
JITTER = 0.3  # of a spot's place, in spacings
SPOT_BRIGHTNESS, CYTOPLASM_BRIGHTNESS = 0.75, 0.06
SPOT_STREAM = 5_000  # random numbers of the spots follow those of the cells


class GolgiAssay(SimulatedAssay):
    """Cells whose Golgi is a few large spots beside the nucleus, or (as under nocodazole) many small ones all over.

    The truth of each cell: ``dispersal`` in 0..1, which follows the dose; ``spots``, their number;
    ``mean_spot_area_px``, area within half the height of a spot as the optics shows it alone; ``scatter_px``, root mean
    square distance of the spots from their centre.

    Examples
    --------
    >>> GolgiAssay("golgi").table(torch.arange(2)).columns[7:11].tolist()
    ['dispersal', 'spots', 'mean_spot_area_px', 'scatter_px']
    """

    share_name = "dispersal"

    def default_response(self) -> DoseResponse:
        """From a compact Golgi to a scattered one."""
        return DoseResponse(low=0.07, high=0.9)

    def light(self, cells: CellPopulation, shares: NDArray, scene: Monolayer) -> Tensor:
        """Nuclei in the DNA channel; in the reporter's a faint cytoplasm and the spots."""
        dna = scene.of_nuclei(cells.dna)[:, 0]
        spots = Spots(cells, shares)
        reporter = CYTOPLASM_BRIGHTNESS * scene.of_cells(cells.expression)[:, 0]
        reporter *= scene.cell_cover
        reporter += spots.render(self.size, self.field_um)
        return torch.stack([scene.dna(dna), reporter], dim=1)

    def truth(self, cells: CellPopulation, shares: NDArray) -> dict[str, NDArray]:
        """Dispersal, number of spots, their mean area and their scatter."""
        spots = Spots(cells, shares)
        there = spots.there[:, 0]
        count = there.sum(1)
        x, y = spots.x[:, 0], spots.y[:, 0]
        middle_x, middle_y = ((there * side).sum(1, keepdims=True) / count[:, None] for side in (x, y))
        squared = (there * ((x - middle_x) ** 2 + (y - middle_y) ** 2)).sum(1) / count
        # Areas of Gaussian spots as they are after the point spread.
        sides = [
            np.hypot(side[:, 0] / self.pixel_um, self.blur_px(cells)[:, None]) for side in (spots.wide, spots.high)
        ]
        areas = HALF_HEIGHT_AREA * sides[0] * sides[1]
        return {
            self.share_name: shares[:, 0],
            "spots": count.astype(np.int64),
            "mean_spot_area_px": (there * areas).sum(1) / count,
            "scatter_px": np.sqrt(squared) / self.pixel_um,
        }


class Spots:
    """Golgi spots of cells with a dispersal of 0..1, ``(n, k)``: between compact and scattered in number, size, reach.

    They lie on a sunflower's spiral, each moved off its place by up to a third of the spacing.

    Attributes
    ----------
    there, x, y, wide, high, brightness : (n, k, MOST_SPOTS)
        Whether the spot exists, its centre and deviations in micrometres, its brightness.
    """

    def __init__(self, cells: CellPopulation, dispersal: NDArray):
        share = dispersal[..., None]
        own = cells.cell_numbers[..., 16:20, None]
        aside, down, uneven, larger, wider = spot_numbers(cells)
        number = between(COMPACT.spots, SCATTERED.spots, share) * (0.8 + 0.4 * own[..., 0, :])
        number = np.clip(np.rint(number), 2, MOST_SPOTS)
        reach = between(COMPACT.reach, SCATTERED.reach, share) * (0.85 + 0.3 * own[..., 1, :])
        size = between(COMPACT.deviation, SCATTERED.deviation, share) * (0.9 + 0.2 * own[..., 2, :])
        size = size * np.exp(0.5 * (larger - 0.5))
        stretch = np.exp(0.6 * (wider - 0.5))
        position = np.arange(MOST_SPOTS)
        # A scattered Golgi leaves out the middle, where the nucleus is.
        inner = NUCLEUS_RADIUS * 0.8 * share
        distance = np.sqrt(inner**2 + (reach**2 - inner**2) * (position + 0.5) / number)
        angle = 2 * np.pi * own[..., 3, :] + position * GOLDEN_ANGLE
        spacing = reach * np.sqrt(np.pi / number)
        # A compact Golgi lies on one side of the nucleus, towards most of the cytoplasm.
        side = np.arctan2(cells.cell_y - cells.nucleus_y, cells.cell_x - cells.nucleus_x)[..., None]
        beside = BESIDE * (1 - share)
        self.there = ((position < number) & (cells.present[..., None] > 0)).astype(float)
        self.x = cells.nucleus_x[..., None] + beside * np.cos(side) + distance * np.cos(angle)
        self.y = cells.nucleus_y[..., None] + beside * np.sin(side) + distance * np.sin(angle)
        self.x += spacing * JITTER * (2 * aside - 1)
        self.y += spacing * JITTER * (2 * down - 1)
        self.wide, self.high = size * stretch, size / stretch
        # Small stacks keep some of the light of the large ones they came from, so they are a little brighter.
        self.brightness = self.there * cells.expression[..., None] * (0.55 + 0.9 * uneven) * size**-0.5
        self.brightness *= SPOT_BRIGHTNESS

    def render(self, size: int, field_um: float) -> Tensor:
        """Light of all spots, ``(n, size * size)``: each a product of a row and a column."""
        pixel = field_um / size
        place = (torch.arange(size, dtype=torch.float32) + 0.5) * pixel - field_um / 2
        columns, rows = (
            spot_profile(place, flat(centre), flat(deviation) ** 2, pixel)
            for centre, deviation in ((self.x, self.wide), (self.y, self.high))
        )
        rows *= flat(self.brightness)
        return torch.bmm(rows.transpose(1, 2), columns).flatten(1)


def between(compact: float, scattered: float, share: NDArray) -> NDArray:
    """Geometric interpolation."""
    return compact * (scattered / compact) ** share


def flat(values: NDArray) -> Tensor:
    """Numbers of the spots of each crop, ``(n, spots, 1)``, float32."""
    return torch.from_numpy(values.reshape(len(values), -1, 1).astype(np.float32))


def spot_profile(place: Tensor, centre: Tensor, variance: Tensor, pixel: float) -> Tensor:
    """Light of spots along one axis, ``(n, spots, size)``, averaged over pixels of that width; at most 1."""
    seen = variance + pixel**2 / 12
    # The bound keeps products of two far profiles, which count for nothing, from becoming slow denormal numbers.
    profile = (place - centre).square_().mul_(-0.5 / seen).clamp_(min=-40).exp_()
    return profile.mul_((variance / seen).sqrt_())


def spot_numbers(cells: CellPopulation) -> tuple[NDArray, ...]:
    """Five uniform numbers of every spot, each ``(n, k, MOST_SPOTS)``: parts of one of 50 bit, keyed by its cell."""
    key = (cells.cell_numbers[..., 16] * 2**53).astype(np.int64)
    drawn = (uniform(key[..., None], SPOT_STREAM + np.arange(MOST_SPOTS), 0) * 2**50).astype(np.int64)
    return tuple(((drawn >> (10 * part)) & 1023) / 1024 for part in range(5))
