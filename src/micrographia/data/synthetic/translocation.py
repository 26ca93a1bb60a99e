"""Simulated translocation assay: a reporter that enters the nucleus under a compound."""

import torch
from numpy.typing import NDArray
from torch import Tensor

from micrographia.data.synthetic.assay import SimulatedAssay
from micrographia.data.synthetic.cell_population import CellPopulation
from micrographia.data.synthetic.dose_response import DoseResponse
from micrographia.data.synthetic.monolayer import NUCLEOLI, Monolayer, cell_volume, nucleus_area

GRAIN = 0.08  # unevenness of the cytoplasm
BRIGHTNESS = 0.19  # light of a mean cell whose reporter is everywhere alike


class TranslocationAssay(SimulatedAssay):
    """Cells whose reporter (such as NF-kB or FKHR fused to a fluorescent protein) is in the cytoplasm or the nucleus.

    The truth of each cell: ``nuclear_fraction``, the share of its reporter that is in the nucleus;
    ``translocation_ratio``, light of the nucleus over light of the cytoplasm beside it; ``nuclear_level`` and
    ``cytoplasm_level``, that light in electrons per pixel where the field is lit fully.

    Examples
    --------
    >>> import torch
    >>> assay = TranslocationAssay("translocation")
    >>> assay.images(torch.arange(3)).shape, len(assay.indices("test"))
    (torch.Size([3, 2, 64, 64]), 4800)
    """

    share_name = "nuclear_fraction"

    def default_response(self) -> DoseResponse:
        """From a tenth of the reporter in the nucleus to half of it."""
        return DoseResponse(low=0.09, high=0.5)

    def light(self, cells: CellPopulation, shares: NDArray, scene: Monolayer) -> Tensor:
        """Nuclei in the DNA channel; in the reporter's cytoplasm and nucleus, each at its level."""
        nuclear, cytoplasmic = levels(cells, shares)
        dna, inside = scene.of_nuclei(cells.dna, nuclear).unbind(1)
        inside *= 1 + 0.05 * scene.grain - NUCLEOLI * scene.holes
        outside = scene.of_cells(cytoplasmic)[:, 0]
        outside *= scene.cell_cover
        outside *= 1 + GRAIN * scene.grain
        return torch.stack([scene.dna(dna), outside.lerp_(inside, scene.nucleus_cover)], dim=1)

    def truth(self, cells: CellPopulation, shares: NDArray) -> dict[str, NDArray]:
        """Share of the reporter in the nucleus, ratio of levels, and the levels."""
        nuclear, cytoplasmic = (level[:, 0] for level in levels(cells, shares))
        return {
            self.share_name: shares[:, 0],
            "translocation_ratio": nuclear / cytoplasmic,
            "nuclear_level": nuclear * self.camera.electrons,
            "cytoplasm_level": cytoplasmic * self.camera.electrons,
        }


def levels(cells: CellPopulation, shares: NDArray) -> tuple[NDArray, NDArray]:
    """Light of nucleus and cytoplasm, ``(n, k)`` each, of cells with that share of their reporter in the nucleus."""
    nucleus = nucleus_area(cells.nucleus_long, cells.nucleus_short)
    cytoplasm = cell_volume(cells.cell_long, cells.cell_short) - nucleus
    # Larger cells hold more reporter, at the same concentration.
    amount = BRIGHTNESS * cells.expression * (nucleus + cytoplasm)
    return amount * shares / nucleus, amount * (1 - shares) / cytoplasm
