"""The truth behind each simulated yeast cell: four states of its vacuoles, and what varies within and beside them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.data.synthetic.recipe import Range, Recipe


@dataclass(frozen=True, kw_only=True)
class VacuoleState:
    """Ranges from which the factors of one class are drawn, each uniformly.

    Attributes
    ----------
    diameter
        Of the mother cell, in image sides.
    bud_size
        Diameter of the bud over the mother's; under 0.1 it is no wider than the wall, and none is seen.
    vacuoles
        How many, whole numbers, both ends included.
    vacuole_size
        Area of all vacuoles over that of the mother.
    ring_intensity
        Light of the stained membrane, 0 to 1.
    condensed_fraction
        Share of the membrane's dye that is in a compact patch in each vacuole rather than in the ring around it.
    lumen
        Light of the dye that fills vacuoles, 0 to 1.
    diffuse
        Light of both dyes all over the cell, 0 to 1: high in a dead one, which holds nothing back.
    """

    diameter: Range = (0.36, 0.52)
    bud_size: Range = (0.0, 0.65)
    vacuoles: tuple[int, int]
    vacuole_size: Range
    ring_intensity: Range
    condensed_fraction: Range = (0.0, 0.2)
    lumen: Range = (0.3, 0.9)
    diffuse: Range = (0.0, 0.12)


KINDS = {
    "condensed": VacuoleState(
        vacuoles=(1, 3),
        vacuole_size=(0.06, 0.2),
        ring_intensity=(0.5, 1.0),
        condensed_fraction=(0.65, 1.0),
    ),
    "multiple": VacuoleState(
        vacuoles=(3, 6),
        vacuole_size=(0.15, 0.32),
        ring_intensity=(0.5, 1.0),
    ),
    "negative": VacuoleState(
        vacuoles=(1, 2),
        vacuole_size=(0.1, 0.4),
        ring_intensity=(0.0, 0.12),
        lumen=(0.0, 0.2),
        diffuse=(0.0, 1.0),
    ),
    "positive": VacuoleState(
        vacuoles=(1, 1),
        vacuole_size=(0.15, 0.42),
        ring_intensity=(0.5, 1.0),
    ),
}

# What says nothing about the class. Lengths are in image sides, angles in radians, the others relative.
NUISANCES: dict[str, Range] = {
    "orientation": (0.0, 2 * np.pi),
    "elongation": (1.0, 1.12),
    "shift_x": (-0.04, 0.04),
    "shift_y": (-0.04, 0.04),
    "focus": (-1.0, 1.0),
    "blur": (0.006, 0.022),
    "noise": (0.01, 0.035),
    "illumination": (0.85, 1.0),
    "gradient_x": (-0.15, 0.15),
    "gradient_y": (-0.15, 0.15),
    "neighbours": (0, 2),
}
CLEAN = {
    "focus": 0.6,
    "blur": 0.006,
    "noise": 0.0,
    "illumination": 1.0,
    "gradient_x": 0.0,
    "gradient_y": 0.0,
    "neighbours": 0.0,
}
MOST_VACUOLES, MOST_NEIGHBOURS = 6, 2
DETAILS: dict[str, Range] = {
    "bud_angle": (-0.9, 0.9),
    "vacuole_angle": (0.0, 2 * np.pi),
    **{f"vacuole_turn_{number}": (-0.12, 0.12) for number in range(MOST_VACUOLES)},
    **{f"vacuole_radius_{number}": (0.88, 1.1) for number in range(MOST_VACUOLES)},
    "vacuole_reach": (0.5, 1.0),
    "patch_angle": (0.0, 2 * np.pi),
    "texture_x": (0.0, 1.0),
    "texture_y": (0.0, 1.0),
    "neighbour_angle": (0.0, 2 * np.pi),
    "neighbour_turn": (1.8, 4.4),
    **{f"neighbour_gap_{number}": (-0.02, 0.1) for number in range(MOST_NEIGHBOURS)},
    **{f"neighbour_radius_{number}": (0.17, 0.26) for number in range(MOST_NEIGHBOURS)},
    **{f"neighbour_light_{number}": (0.2, 0.9) for number in range(MOST_NEIGHBOURS)},
    "noise_start": (0.0, 1.0),
}
RECIPE = Recipe(
    {name: vars(kind) for name, kind in KINDS.items()}, NUISANCES, CLEAN, DETAILS, ("vacuoles", "neighbours")
)


def class_of(truth: pd.DataFrame) -> NDArray[np.str_]:
    """Name each cell from its factors alone.

    A membrane that is hardly stained is negative, dead cells with dye all over included. Where most dye is in patches,
    the vacuoles are condensed. Else one vacuole, or two, is positive, and more are multiple.
    """
    return np.select(
        [truth["ring_intensity"] < 0.3, truth["condensed_fraction"] > 0.4, truth["vacuoles"] > 2],
        ["negative", "condensed", "multiple"],
        "positive",
    )
