"""Where cells, nuclei and their textures are in a crop of a simulated monolayer, at every pixel.

A cell's outline is an ellipse seen through a smooth warp of the plane, and where two cells meet, a pixel belongs to the
one whose centre is nearer in units of its half axes. In warped coordinates that distance is linear in six planes which
all cells share, so that all distances of a crop are one product of matrices.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from micrographia.data.synthetic.cell_population import ABSENT, CellPopulation

# Wavelength in micrometres and deviation of smooth noise: two warps of cells, two of nuclei, grain and nucleoli.
TEXTURES = ((15.0, 1.4), (15.0, 1.4), (9.5, 0.45), (9.5, 0.45), (4.5, 1.0), (4.2, 1.0))
CHROMATIN, NUCLEOLI = 0.08, 0.2  # strength of the textures of nuclei
DNA_BRIGHTNESS = 0.6  # light of a mean nucleus
BLEED = 0.03  # light of the cytoplasm in the DNA channel
BORDER = 25.0  # how sharply a pixel belongs to the nearest cell
CELL_SLOPE = 1.4  # cells are flat inside and thin out towards their edge, from squared distance 1 - 1 / slope on
NUCLEUS_SLOPE = 4.0  # the same of nuclei


class Monolayer:
    """Cells and nuclei of ``n`` crops on ``size * size`` pixels.

    Parameters
    ----------
    population
        The cells.
    size
        Side in pixels.
    field_um
        Side in micrometres.

    Attributes
    ----------
    cell_cover, nucleus_cover : Tensor
        Thickness in 0..1 of the cell and of the nucleus at every pixel, ``(n, size * size)``.
    grain, holes : Tensor
        Texture with mean 0 and deviation 1, and the nucleoli, 0..1, ``(n, size * size)``.
    """

    def __init__(self, population: CellPopulation, size: int, field_um: float):
        place = (torch.arange(size, dtype=torch.float32) + 0.5) * (field_um / size) - field_um / 2
        pixels = torch.stack([place.repeat(size), place.repeat_interleave(size)])
        textures = texture_crops(population.numbers[:, 3:5], size, field_um / size).flatten(2)
        self.grain = textures[:, 4]
        self.holes = textures[:, 5].sub_(1.2).mul_(1.5).clamp_(0, 1)
        p = population
        cells = ellipses(p.cell_x, p.cell_y, p.cell_angle, p.cell_long, p.cell_short, p.present)
        nearest, self._cell_weights = nearest_ellipse(pixels, textures[:, :2], cells)
        self.cell_cover = (1 - nearest).mul_(CELL_SLOPE).clamp_(0, 1)
        nuclei = ellipses(p.nucleus_x, p.nucleus_y, p.nucleus_angle, p.nucleus_long, p.nucleus_short, p.present)
        nearest, self._nucleus_weights = nearest_ellipse(pixels, textures[:, 2:4], nuclei)
        self.nucleus_cover = (1 - nearest).mul_(NUCLEUS_SLOPE).clamp_(0, 1)

    def dna(self, brightness: Tensor) -> Tensor:
        """Light of the DNA stain, ``(n, size * size)``, for its brightness at the pixels nearest to each nucleus."""
        light = 1 + CHROMATIN * self.grain
        light -= NUCLEOLI * self.holes
        light *= brightness
        light *= self.nucleus_cover
        light *= DNA_BRIGHTNESS
        return light.add_(self.cell_cover, alpha=BLEED)

    def of_cells(self, *values: np.ndarray) -> Tensor:
        """Values ``(n, k)`` of the cells at their pixels, ``(n, values, size * size)``."""
        return spread(self._cell_weights, values)

    def of_nuclei(self, *values: np.ndarray) -> Tensor:
        """Values ``(n, k)`` of the cells at the pixels nearest to their nuclei, ``(n, values, size * size)``."""
        return spread(self._nucleus_weights, values)


def nucleus_area(long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """Area of a nucleus within its contour of half the thickness, for half axes; in their squared unit."""
    # Area is linear in squared distance.
    return np.pi * long * short * (1 - 0.5 / NUCLEUS_SLOPE)


def cell_volume(long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """Integral of a whole cell's thickness, for half axes; in their squared unit."""
    return np.pi * long * short * (1 - 0.5 / CELL_SLOPE)


def ellipses(
    x: np.ndarray, y: np.ndarray, angle: np.ndarray, long: np.ndarray, short: np.ndarray, present: np.ndarray
) -> Tensor:
    """Coefficients ``(n, k, 6)`` of the squared distance from a centre, in half axes, of xx, xy, yy, x, y and 1."""
    along, across = long**-2, short**-2
    cosine, sine = np.cos(angle), np.sin(angle)
    xx = along * cosine**2 + across * sine**2
    yy = along * sine**2 + across * cosine**2
    xy = 2 * (along - across) * cosine * sine
    constant = xx * x**2 + xy * x * y + yy * y**2
    coefficients = np.stack([xx, xy, yy, -2 * xx * x - xy * y, -2 * yy * y - xy * x, constant], axis=-1)
    absent = np.array([0, 0, 0, 0, 0, ABSENT])
    return torch.from_numpy(np.where(present[..., None] > 0, coefficients, absent).astype(np.float32))


def nearest_ellipse(pixels: Tensor, warp: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance ``(n, pixels)`` from the nearest ellipse, and how much ``(n, k, pixels)`` of it each one is.

    The nearest counts 1; others less and less, so that two meet in a soft border. ``pixels`` ``(2, pixels)`` are the
    pixels' coordinates, ``warp`` ``(n, 2, pixels)`` how far each is moved.
    """
    planes = torch.empty(len(warp), 6, warp.shape[-1])
    x, y = torch.add(warp, pixels, out=planes[:, 3:5]).unbind(1)
    torch.mul(x, x, out=planes[:, 0])
    torch.mul(x, y, out=planes[:, 1])
    torch.mul(y, y, out=planes[:, 2])
    planes[:, 5] = 1
    nearness = torch.bmm(coefficients * -BORDER, planes)
    greatest = nearness.amax(1)
    weights = nearness.sub_((greatest - 1)[:, None]).clamp_(min=0)
    return greatest.div_(-BORDER), weights


def spread(weights: Tensor, values: tuple[np.ndarray, ...]) -> Tensor:
    """Mean ``(n, values, pixels)`` of the cells' values ``(n, k)`` at every pixel, by the cells' weights there."""
    rows = torch.from_numpy(np.stack([*values, np.ones_like(values[0])], axis=1).astype(np.float32))
    sums = torch.bmm(rows, weights)
    return sums[:, :-1].div_(sums[:, -1:])


def texture_crops(start: np.ndarray, size: int, pixel_um: float) -> Tensor:
    """Crops ``(n, textures, size, size)`` of the texture tables, at random places ``start`` ``(n, 2)`` in 0..1."""
    tables = texture_tables(size, pixel_um)
    first = (start * (tables.shape[-1] - size)).astype(int).tolist()
    crops = torch.empty(len(first), len(tables), size, size)
    for crop, (row, column) in zip(crops, first, strict=True):
        crop.copy_(tables[:, row : row + size, column : column + size])
    return crops


@cache
def texture_tables(size: int, pixel_um: float) -> Tensor:
    """Smooth noise with mean 0 for each of `TEXTURES`, clipped at two deviations, several crops wide."""
    side = 256 + 2 * size
    random = np.random.RandomState(1673)  # NumPy has frozen this stream
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    tables = []
    for wavelength, deviation in TEXTURES:
        passed = frequency * np.exp(-((frequency * wavelength / pixel_um) ** 2))
        table = np.fft.irfft2(np.fft.rfft2(random.standard_normal((side, side))) * passed, s=(side, side))
        tables.append(deviation * np.clip(table / table.std(), -2, 2))
    return torch.from_numpy(np.stack(tables).astype(np.float32))
