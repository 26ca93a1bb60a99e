"""The truth behind each synthetic cell: six kinds of white blood cell, and what varies within and beside them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.data.synthetic.recipe import Range, Recipe, Values


@dataclass(frozen=True)
class Kind:
    """Ranges from which the factors of one class are drawn, each uniformly.

    Attributes
    ----------
    diameter
        Of the cell, in image sides.
    nucleus_size
        Area of the nucleus over that of the cell, before lobes overlap and an indentation is cut.
    lobes
        Segments of the nucleus, whole numbers, both ends included.
    indentation
        Depth of the bay in a nucleus of one lobe: 0 is round, 1 a kidney.
    chromatin
        Contrast of the nucleus' texture, 0 to 1.
    basophilia
        Colour of the cytoplasm: 0 is pink, 1 is blue.
    granularity
        Share of places for granules that are filled, 0 to 1.
    granule_size
        Diameter of a granule in cell diameters.
    granule_basophilia
        Colour of the granules: 0 is eosin's orange, 0.5 lilac, 1 dark violet.
    """

    diameter: Range
    nucleus_size: Range
    lobes: tuple[int, int]
    indentation: Range
    chromatin: Range
    basophilia: Range
    granularity: Range
    granule_size: Range
    granule_basophilia: Range


KINDS = {
    "lymphocyte": Kind(
        diameter=(0.40, 0.56),
        nucleus_size=(0.62, 0.80),
        lobes=(1, 1),
        indentation=(0.0, 0.3),
        chromatin=(0.5, 1.0),
        basophilia=(0.6, 0.95),
        granularity=(0.0, 0.15),
        granule_size=(0.03, 0.05),
        granule_basophilia=(0.4, 0.7),
    ),
    "monocyte": Kind(
        diameter=(0.58, 0.78),
        nucleus_size=(0.42, 0.58),
        lobes=(1, 1),
        indentation=(0.5, 1.0),
        chromatin=(0.3, 0.7),
        basophilia=(0.4, 0.7),
        granularity=(0.0, 0.35),
        granule_size=(0.03, 0.05),
        granule_basophilia=(0.4, 0.7),
    ),
    "neutrophil": Kind(
        diameter=(0.50, 0.68),
        nucleus_size=(0.26, 0.40),
        lobes=(2, 4),
        indentation=(0.0, 0.0),
        chromatin=(0.4, 0.9),
        basophilia=(0.0, 0.25),
        granularity=(0.5, 0.9),
        granule_size=(0.03, 0.05),
        granule_basophilia=(0.35, 0.65),
    ),
    "eosinophil": Kind(
        diameter=(0.52, 0.70),
        nucleus_size=(0.26, 0.40),
        lobes=(2, 3),
        indentation=(0.0, 0.0),
        chromatin=(0.4, 0.9),
        basophilia=(0.0, 0.3),
        granularity=(0.7, 1.0),
        granule_size=(0.065, 0.10),
        granule_basophilia=(0.0, 0.25),
    ),
    "basophil": Kind(
        diameter=(0.46, 0.64),
        nucleus_size=(0.30, 0.45),
        lobes=(2, 3),
        indentation=(0.0, 0.0),
        chromatin=(0.2, 0.6),
        basophilia=(0.15, 0.5),
        granularity=(0.4, 0.85),
        granule_size=(0.065, 0.10),
        granule_basophilia=(0.75, 1.0),
    ),
    "blast": Kind(
        diameter=(0.58, 0.78),
        nucleus_size=(0.62, 0.80),
        lobes=(1, 1),
        indentation=(0.0, 0.3),
        chromatin=(0.1, 0.5),
        basophilia=(0.65, 1.0),
        granularity=(0.0, 0.15),
        granule_size=(0.03, 0.05),
        granule_basophilia=(0.4, 0.7),
    ),
}
FACTORS = tuple(Kind.__dataclass_fields__)

# What says nothing about the class. Lengths are in image sides, angles in radians, the others relative.
NUISANCES: dict[str, Range] = {
    "orientation": (0.0, 2 * np.pi),
    "elongation": (1.0, 1.14),
    "shift_x": (-0.05, 0.05),
    "shift_y": (-0.05, 0.05),
    "stain": (0.8, 1.2),
    "blur": (0.002, 0.0135),
    "noise": (0.008, 0.03),
    "illumination": (0.88, 1.0),
    "gradient_x": (-0.12, 0.12),
    "gradient_y": (-0.12, 0.12),
    "red_cells": (0, 2),
}
WHOLE_NUMBERS = ("lobes", "red_cells")

# What is left out of the table, being of no use to compare a model with: the details of one outline, one nucleus.
MOST_LOBES, MOST_RED_CELLS = 4, 2
DETAILS: dict[str, Range] = {
    "outline_phase_2": (0.0, 2 * np.pi),
    "outline_phase_3": (0.0, 2 * np.pi),
    **{f"lobe_angle_{lobe}": (-0.15, 0.15) for lobe in range(MOST_LOBES)},
    **{f"lobe_reach_{lobe}": (-0.05, 0.05) for lobe in range(MOST_LOBES)},
    **{f"lobe_radius_{lobe}": (0.92, 1.08) for lobe in range(MOST_LOBES)},
    "red_cell_angle": (0.0, 2 * np.pi),
    "red_cell_turn": (1.6, 4.6),
    **{f"red_cell_gap_{cell}": (-0.02, 0.08) for cell in range(MOST_RED_CELLS)},
    "texture_x": (0.0, 1.0),
    "texture_y": (0.0, 1.0),
    "granule_x": (0.0, 1.0),
    "granule_y": (0.0, 1.0),
    "noise_start": (0.0, 1.0),
}

# A slide without what disturbs: sharp, evenly lit, stained as prescribed, no other cell.
CLEAN = {
    "stain": 1.0,
    "blur": 0.002,
    "noise": 0.0,
    "illumination": 1.0,
    "gradient_x": 0.0,
    "gradient_y": 0.0,
    "red_cells": 0.0,
}
RECIPE = Recipe({name: vars(kind) for name, kind in KINDS.items()}, NUISANCES, CLEAN, DETAILS, WHOLE_NUMBERS)


def draw_cells(indices: NDArray[np.int64], seed: int) -> Values:
    """Factors, nuisances and details of the cells of given indices, by name, ``(n,)`` each."""
    return RECIPE.draw(indices, seed)


def draw_truth(indices: NDArray[np.int64], seed: int) -> pd.DataFrame:
    """Table of class, factors and nuisances of the cells of given indices."""
    return RECIPE.table(indices, seed)


def class_of(truth: pd.DataFrame) -> NDArray[np.str_]:
    """Name each cell from its factors alone, by the rules a microscopist would give.

    One lobe: a deep indentation is a monocyte; otherwise the small cell is a lymphocyte and the large one a blast.
    More lobes: fine granules are a neutrophil's; coarse ones an eosinophil's if orange and a basophil's if violet.
    """
    one_lobe = truth["lobes"] == 1
    return np.select(
        [
            one_lobe & (truth["indentation"] > 0.4),
            one_lobe & (truth["diameter"] < 0.57),
            one_lobe,
            truth["granule_size"] < 0.06,
            truth["granule_basophilia"] < 0.5,
        ],
        ["monocyte", "lymphocyte", "blast", "neutrophil", "eosinophil"],
        "basophil",
    )
