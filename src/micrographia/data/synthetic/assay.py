"""What simulated assays have in common: plates, cells, optics, camera; a subclass adds its reporter and its truth."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from micrographia.data.datamodule import IndexedImages, Part
from micrographia.data.synthetic.camera import Camera, point_spread
from micrographia.data.synthetic.cell_population import (
    CellPopulation,
    draw_population,
    neighbour_places,
    well_normals,
)
from micrographia.data.synthetic.central_cell import central_factors, set_central_factors
from micrographia.data.synthetic.dose_response import DoseResponse
from micrographia.data.synthetic.monolayer import Monolayer, nucleus_area
from micrographia.data.synthetic.plate_layout import CONDITIONS, PlateLayout
from micrographia.errors import UserError

# Always so many crops at a time: what they need stays in the processor's cache, and products of matrices of one shape
# have the same rounding whoever is beside a crop.
CHUNK = 32
BLOCK = 8 * CHUNK  # crops whose cells are drawn at a time

# From numbers of crops to their cells, and the share by which each of them responds.
Draw = Callable[[NDArray[np.int64]], tuple[CellPopulation, NDArray]]

HALO, HALO_UM = 0.14, 5.0  # share of light from out of focus, and its deviation
HAZE = 0.012  # light of the medium
EXPRESSION_WELL_DEVIATION = 0.06


class SimulatedAssay(IndexedImages):
    """Fluorescent cells under a compound, channels ``dna`` and ``reporter``, each crop centred on a nucleus.

    Pixels are ``field_um / size`` micrometres wide: a larger ``size`` is a stronger objective, a larger ``field_um``
    shows more neighbours.

    Parameters
    ----------
    name
        Label in run folders and tables.
    size
        Side of the crops in pixels, 32 or more; None is 64.
    field_um
        Side of the crops in micrometres.
    layout, response, camera
        Plates and wells, how strongly cells respond to a dose, and the camera; None takes the assay's defaults.
    confluence
        Least and greatest share of neighbours that are there, by field, in 0..1.
    expression_deviation
        Standard deviation of the logarithm of a cell's amount of reporter.
    blur_um
        Deviation of the point spread in focus, in micrometres.
    shading
        Loss of light at the corners of a field, in 0..1.
    seed
        Another seed gives other cells.

    Attributes
    ----------
    channels : tuple of str
        Names of the channels.
    share_name : str
        Name of the truth that follows the dose.
    clean : bool
        Whether images are without noise (blur and camera remain), for comparing a measurement with the truth.

    Raises
    ------
    UserError
        If a number is out of range.
    """

    channels: ClassVar[tuple[str, ...]] = ("dna", "reporter")
    classes = CONDITIONS
    controls = ("control", "-1", "1")
    share_name: ClassVar[str]

    def __init__(
        self,
        name: str,
        size: int | None = None,
        field_um: float = 36.0,
        layout: PlateLayout | None = None,
        response: DoseResponse | None = None,
        camera: Camera | None = None,
        confluence: tuple[float, float] = (0.35, 1.0),
        expression_deviation: float = 0.4,
        blur_um: float = 0.42,
        shading: float = 0.2,
        clean: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.name = name
        self.size = 64 if size is None else size
        if self.size < 32:
            raise UserError(f"data.size={size}: simulated assays need at least 32 pixels a side.")
        self.shape = (len(self.channels), self.size, self.size)
        if not 20 <= field_um <= 1000:
            raise UserError(f"data.field_um={field_um}: expected 20 (one cell) to 1000 micrometres.")
        if not 0 <= confluence[0] <= confluence[1] <= 1:
            raise UserError(f"data.confluence={list(confluence)}: expected two ascending shares in 0..1.")
        for key, value in (("expression_deviation", expression_deviation), ("blur_um", blur_um), ("seed", seed)):
            if value < 0:
                raise UserError(f"data.{key}={value}: expected a number that is not negative.")
        if not 0 <= shading < 1:
            raise UserError(f"data.shading={shading}: expected a share in 0..1.")
        self.field_um = field_um
        self.layout = layout or PlateLayout()
        self.response = response or self.default_response()
        self.camera = camera or Camera()
        self.confluence = (confluence[0], confluence[1])
        self.expression_deviation, self.blur_um, self.shading = expression_deviation, blur_um, shading
        self.clean, self.seed = clean, seed
        self._neighbours = neighbour_places(field_um)

    def default_response(self) -> DoseResponse:
        """How the assay's cells respond where the config does not say."""
        raise NotImplementedError

    def light(self, cells: CellPopulation, shares: NDArray, scene: Monolayer) -> Tensor:
        """DNA and reporter before the optics, ``(n, 2, size * size)``, of cells with ``shares`` ``(n, k)``."""
        raise NotImplementedError

    def truth(self, cells: CellPopulation, shares: NDArray) -> dict[str, NDArray]:
        """Named columns of what a measurement should find of the central cells."""
        raise NotImplementedError

    @property
    def pixel_um(self) -> float:
        """Width of a pixel in micrometres."""
        return self.field_um / self.size

    def __len__(self) -> int:
        return len(self.layout)

    def indices(self, part: Part) -> Tensor:
        """Indices of a part, whole wells: no well is in two."""
        return torch.from_numpy(self.layout.indices(part))

    def table(self, indices: Tensor) -> pd.DataFrame:
        """Place on the plate, ``class``, and the truth of each central cell."""
        numbers = self.checked(indices)
        table = self.layout.table(numbers)
        table["class"] = pd.Categorical(table["condition"], categories=list(self.classes))
        cells, shares = self.draw(numbers)
        columns: dict[str, Any] = {
            "nucleus_area_px": nucleus_area(cells.nucleus_long, cells.nucleus_short)[:, 0] / self.pixel_um**2,
            "neighbours": cells.present[:, 1:].sum(1).astype(np.int64),
            "expression": cells.expression[:, 0],
            "blur_px": self.blur_px(cells),
            "field_x": cells.field_x,
            "field_y": cells.field_y,
        }
        return table.assign(**(self.truth(cells, shares) | columns))

    def record(self) -> dict[str, Any]:
        """Images per part, classes, and the counts that become 0 and 1: real counts can then be scaled alike."""
        return super().record() | {"limits": [[0.0, float(self.camera.white)]] * len(self.channels)}

    def targets(self, indices: Tensor) -> Tensor:
        """1 for treated cells and 0 for control, int64."""
        return torch.from_numpy((self.layout.dose(self.checked(indices)) > 0).astype(np.int64))

    def images(self, indices: Tensor) -> Tensor:
        """Images ``(n, 2, size, size)``, float16 in 0..1: counts over the camera's white."""
        return self.unit_images(self.checked(indices), self.draw)

    @property
    def intervenable(self) -> bool:
        """Always: a crop is rendered from its cells."""
        return True

    def draw_factors(self, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """Factors of the central cell (`central_factors`), each as spread over the set, independent of each other.

        Specimens are crops that are in no part; neighbours, textures and noise stay with them.
        """
        specimens = len(self) + generator.integers(0, 2**31, count)
        blocks = np.split(specimens, range(BLOCK, count, BLOCK))
        tables = [central_factors(*self.draw(block), self.share_name) for block in blocks]
        factors = pd.concat(tables).set_axis(specimens, axis=0)
        return factors.apply(lambda column: generator.permutation(column.to_numpy()))

    def of_factors(self, factors: pd.DataFrame) -> Tensor:
        """Images ``(n, 2, size, size)``, float16 in 0..1, of the specimens with these factors."""
        specimens = factors.index.to_numpy(np.int64)

        def draw(rows: NDArray[np.int64]) -> tuple[CellPopulation, NDArray]:
            return set_central_factors(*self.draw(specimens[rows]), self.share_name, factors.iloc[rows])

        return self.unit_images(np.arange(len(factors)), draw)

    def unit_images(self, numbers: NDArray[np.int64], draw: Draw) -> Tensor:
        """Crops as images in 0..1."""
        return self.rendered(numbers, draw, lambda counts: self.camera.unit_range(counts).half(), torch.float16)

    def raw(self, indices: Tensor) -> Tensor:
        """Counts of the camera, ``(n, 2, size, size)``, uint16."""
        numbers = self.checked(indices)
        return self.rendered(numbers, self.draw, lambda counts: counts.to(torch.int32).to(torch.uint16), torch.uint16)

    def rendered(self, numbers: NDArray[np.int64], draw: Draw, finish: Any, dtype: torch.dtype) -> Tensor:
        """Crops in chunks of one size, the last one filled up; ``finish`` turns counts into the result."""
        result = torch.empty((len(numbers), *self.shape), dtype=dtype)
        for block in np.split(np.arange(len(numbers)), range(BLOCK, len(numbers), BLOCK)):
            if not len(block):
                continue
            filled = np.concatenate([block, np.repeat(block[:1], -len(block) % CHUNK)])
            cells, shares = draw(numbers[filled])
            for first in range(0, len(block), CHUNK):
                chunk = slice(first, first + CHUNK)
                counts = self.counts(cells.crops(chunk), shares[chunk])
                here = block[chunk]
                result[here[0] : here[-1] + 1] = finish(counts[: len(here)])
        return result

    @torch.inference_mode()
    def counts(self, cells: CellPopulation, shares: NDArray) -> Tensor:
        """Counts of the camera, ``(n, 2, size, size)``, float32."""
        scene = Monolayer(cells, self.size, self.field_um)
        light = self.light(cells, shares, scene).add_(HAZE).view(-1, *self.shape)
        light *= self.illumination(cells)
        sigma = torch.from_numpy(self.blur_px(cells).astype(np.float32))
        light = point_spread(light, sigma, HALO, HALO_UM / self.pixel_um)
        start = None if self.clean else torch.from_numpy(cells.numbers[:, 5])
        return self.camera.counts(light, start)

    def draw(self, numbers: NDArray[np.int64]) -> tuple[CellPopulation, NDArray]:
        """Cells of crops, and the share ``(n, k)`` by which each responds."""
        cells = draw_population(
            numbers,
            self.layout.field_number(numbers),
            self.seed,
            self._neighbours,
            self.confluence,
            self.expression_deviation,
        )
        well = well_normals(self.layout.well_number(numbers), self.seed)
        cells.expression[:] *= np.exp(EXPRESSION_WELL_DEVIATION * well[:, 1:])
        return cells, self.response.share(self.layout.dose(numbers)[:, None], cells.response, well[:, :1])

    def blur_px(self, cells: CellPopulation) -> NDArray:
        """Deviation of the point spread in pixels, ``(n,)``; at least a quarter pixel, which is what a pixel adds."""
        return np.hypot(self.blur_um * cells.focus / self.pixel_um, 0.25)

    def illumination(self, cells: CellPopulation) -> Tensor:
        """Light that falls on each pixel, ``(n, 1, size, size)``: the field's corners are darker than its middle."""
        # A field is ten crops wide.
        place = ((torch.arange(self.size, dtype=torch.float32) + 0.5) / self.size - 0.5) / 5
        x, y = (torch.from_numpy(side.astype(np.float32))[:, None] + place for side in (cells.field_x, cells.field_y))
        loss = self.shading / 2
        return (1 - loss * y * y)[:, None, :, None] - (loss * x * x)[:, None, None, :]

    def checked(self, indices: Tensor) -> NDArray[np.int64]:
        """Indices as an array, all of them cells of this set."""
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < len(self):
            raise IndexError(f"indices run from {int(indices.min())} to {int(indices.max())}: {len(self)} cells")
        return indices.numpy()
