"""The truth behind a simulated field of fluorescent cells: who lies where, how large, how bright.

Lengths are in micrometres from the crop's centre, brightness is relative. Everything is a function of (index, seed).
"""

from dataclasses import dataclass
from dataclasses import fields as dataclass_fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from micrographia.data.synthetic.index_numbers import uniform

Array = NDArray[np.float64]

NUCLEUS_RADIUS, CELL_RADIUS = 5.4, 15.0  # geometric mean of the half axes
SPACING = 25.0  # between neighbouring nuclei of a closed monolayer
ABSENT = 1e3  # squared distance, in radii, of every pixel from a cell that is not there

# Streams of random numbers: the first belong to the crop, further ones to its cells.
CROP_NUMBERS, CELL_NUMBERS = 8, 20
FIELD_STREAM, WELL_STREAM = 10_000, 20_000


@dataclass(frozen=True)
class CellPopulation:
    """Cells of ``n`` crops, ``k`` of them in each: the first is the one in the centre, the others its neighbours.

    Attributes
    ----------
    present : (n, k)
        1 where there is a cell, else 0.
    nucleus_x, nucleus_y, nucleus_angle, nucleus_long, nucleus_short : (n, k)
        Centre, angle of the long axis in radians, and half axes of the nucleus.
    cell_x, cell_y, cell_angle, cell_long, cell_short : (n, k)
        The same of the cell's outline.
    dna, expression : (n, k)
        Brightness of the DNA stain, and amount of reporter, around 1.
    response : (n, k)
        Standard normal number: how much stronger than the mean of its well a cell responds.
    focus, field_x, field_y : (n,)
        Relative width of the point spread, and place of the crop in its field in -1..1.
    numbers : (n, CROP_NUMBERS)
        Uniform numbers of the crop: 3 and 4 for texture, 5 for noise.
    cell_numbers : (n, k, CELL_NUMBERS)
        Uniform numbers of each cell; those from 16 on are for assays to use.
    """

    present: Array
    nucleus_x: Array
    nucleus_y: Array
    nucleus_angle: Array
    nucleus_long: Array
    nucleus_short: Array
    cell_x: Array
    cell_y: Array
    cell_angle: Array
    cell_long: Array
    cell_short: Array
    dna: Array
    expression: Array
    response: Array
    focus: Array
    field_x: Array
    field_y: Array
    numbers: Array
    cell_numbers: Array

    def crops(self, chosen: slice) -> "CellPopulation":
        """Some of the crops."""
        return CellPopulation(**{field.name: getattr(self, field.name)[chosen] for field in dataclass_fields(self)})


def draw_population(
    indices: NDArray[np.int64],
    fields: NDArray[np.int64],
    seed: int,
    neighbours: NDArray[np.float64],
    confluence: tuple[float, float],
    expression_deviation: float,
) -> CellPopulation:
    """Draw the cells of crops.

    Parameters
    ----------
    indices, fields
        Number of each crop, and of the field it was cut from, ``(n,)``.
    seed
        Another seed gives other cells.
    neighbours
        Places of the neighbouring nuclei in a regular monolayer, ``(k - 1, 2)``, as from `neighbour_places`.
    confluence
        Least and greatest share of those places that are taken, drawn for every field.
    expression_deviation
        Standard deviation of the logarithm of a cell's reporter.
    """
    count = len(indices)
    crop = uniform(indices[:, None], np.arange(CROP_NUMBERS), seed)
    streams = CROP_NUMBERS + np.arange((1 + len(neighbours)) * CELL_NUMBERS)
    cell = uniform(indices[:, None], streams, seed).reshape(count, -1, CELL_NUMBERS)
    field = uniform(fields[:, None], FIELD_STREAM + np.arange(4), seed)
    normal = ndtri(np.clip(cell[..., :8], 1e-9, None))

    share = confluence[0] + field[:, :1] * (confluence[1] - confluence[0])
    present = (cell[..., 8] < share).astype(float)
    present[:, 0] = 1

    # The monolayer lies at any angle; its cells are off their places by up to a fifth of the spacing.
    turn = 2 * np.pi * crop[:, :1]
    places = np.concatenate([np.zeros((1, 2)), neighbours])
    jitter = np.where(np.arange(len(places)) == 0, 0.6, 0.22 * SPACING)
    x = np.cos(turn) * places[:, 0] - np.sin(turn) * places[:, 1] + jitter * (2 * cell[..., 9] - 1)
    y = np.sin(turn) * places[:, 0] + np.cos(turn) * places[:, 1] + jitter * (2 * cell[..., 10] - 1)

    # Neighbours point roughly the same way.
    angle = np.pi * crop[:, 6:7] + 0.6 * normal[..., 6]
    nucleus_radius = NUCLEUS_RADIUS * np.exp(0.11 * normal[..., 0])
    nucleus_stretch = np.sqrt(1.15 + 1.0 * cell[..., 12])
    cell_radius = CELL_RADIUS * np.exp(0.13 * normal[..., 1] + 0.5 * 0.11 * normal[..., 0])
    cell_stretch = np.sqrt(1.1 + 1.9 * cell[..., 13] ** 2)
    away = 2 * np.pi * cell[..., 14]
    reach = 0.28 * cell_radius * np.sqrt(cell[..., 15])
    return CellPopulation(
        present=present,
        nucleus_x=x,
        nucleus_y=y,
        nucleus_angle=angle,
        nucleus_long=nucleus_radius * nucleus_stretch,
        nucleus_short=nucleus_radius / nucleus_stretch,
        cell_x=x + reach * np.cos(away),
        cell_y=y + reach * np.sin(away),
        cell_angle=angle + 0.4 * normal[..., 2],
        cell_long=cell_radius * cell_stretch,
        cell_short=cell_radius / cell_stretch,
        dna=np.exp(0.22 * normal[..., 3]),
        expression=np.exp(expression_deviation * normal[..., 4]),
        response=normal[..., 5],
        focus=0.85 + 0.5 * field[:, 1] ** 2,
        field_x=2 * crop[:, 1] - 1,
        field_y=2 * crop[:, 2] - 1,
        numbers=crop,
        cell_numbers=cell,
    )


def neighbour_places(field_um: float) -> NDArray[np.float64]:
    """Places of the neighbours that reach into a crop of this side, on a hexagonal grid, nearest first: ``(k, 2)``.

    Examples
    --------
    >>> neighbour_places(42.0).shape
    (6, 2)
    """
    most = int(field_um / SPACING) + 3
    column, row = np.meshgrid(np.arange(-most, most + 1), np.arange(-most, most + 1))
    places = SPACING * np.stack([column + row / 2, row * np.sqrt(3) / 2], axis=-1).reshape(-1, 2)
    distance = np.hypot(*places.T)
    order = np.argsort(distance, kind="stable")
    near = order[(distance[order] > 0) & (distance[order] < field_um / np.sqrt(2) + 0.7 * CELL_RADIUS)]
    return places[near]


def well_normals(wells: NDArray[np.int64], seed: int) -> Array:
    """Two standard normal numbers of each well, ``(n, 2)``: by which it differs from others of its dose."""
    return ndtri(np.clip(uniform(wells[:, None], WELL_STREAM + np.arange(2), seed), 1e-9, None))
