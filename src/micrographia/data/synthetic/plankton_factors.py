"""The truth behind each simulated plankter: eight kinds of silhouette, and what varies within and beside them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.data.synthetic.recipe import Range, Recipe

Whole = tuple[int, int]
NONE: Whole = (0, 0)


@dataclass(frozen=True, kw_only=True)
class Silhouette:
    """Ranges from which the factors of one class are drawn, each uniformly; what a class lacks is 0.

    Attributes
    ----------
    length
        Of the body without appendages, in image sides.
    width
        Of the body over its length.
    bluntness
        Of the body's ends: 0 is an ellipse, 1 nearly a rectangle.
    taper
        How much wider the front is than the middle, and the rear narrower; negative where the rear is the wider one.
    bend
        How far the ends of the body's midline are off a straight line, over half the length.
    segments
        Cells or beads in a row that make up the body, whole numbers, both ends included.
    constriction
        Depth of the waists between segments, 0 to 1.
    roughness
        Unevenness of the outline, 0 to 1.
    opacity
        Absorbance of the body at its thickest: 0.1 is glassy, 1.5 nearly black.
    outline
        Absorbance of a line along the edge, as of a gelatinous wall.
    core
        Absorbance of what lies inside: gut, nucleus, stomach.
    core_size
        Its length over that of the body.
    antenna_length
        Of a pair of antennae at the front, over the body's length.
    tail_length
        Of a tail at the rear, over the body's length.
    tail_width
        Where it leaves the body, over the body's width.
    tail_wave
        How far the tail swings to either side, over the body's length.
    rays
        Spines or tentacles, whole numbers, both ends included.
    ray_length
        From the middle of the body, in image sides.
    ray_spread
        Share of the full circle that they point to: 1 is all around, less is a fan at the rear.
    """

    length: Range
    width: Range
    bluntness: Range = NONE
    taper: Range = NONE
    bend: Range = NONE
    segments: Whole = (1, 1)
    constriction: Range = NONE
    roughness: Range = (0.0, 0.05)
    opacity: Range
    outline: Range = NONE
    core: Range = NONE
    core_size: Range = (0.3, 0.3)
    antenna_length: Range = NONE
    tail_length: Range = NONE
    tail_width: Range = (0.2, 0.2)
    tail_wave: Range = NONE
    rays: Whole = NONE
    ray_length: Range = NONE
    ray_spread: Range = (1.0, 1.0)


KINDS = {
    "copepod": Silhouette(
        length=(0.26, 0.42),
        width=(0.34, 0.52),
        taper=(0.05, 0.3),
        bend=(-0.1, 0.1),
        roughness=(0.1, 0.3),
        opacity=(0.7, 1.5),
        core=(0.2, 0.6),
        core_size=(0.4, 0.6),
        antenna_length=(0.6, 1.1),
        tail_length=(0.3, 0.55),
        tail_width=(0.2, 0.32),
    ),
    "chaetognath": Silhouette(
        length=(0.6, 0.88),
        width=(0.06, 0.11),
        bluntness=(0.3, 0.7),
        taper=(-0.25, 0.1),
        bend=(-0.15, 0.15),
        roughness=(0.05, 0.25),
        opacity=(0.2, 1.1),
        outline=(0.4, 0.9),
        core=(0.3, 0.9),
        core_size=(0.55, 0.8),
    ),
    "appendicularian": Silhouette(
        length=(0.14, 0.22),
        width=(0.6, 0.85),
        roughness=(0.0, 0.2),
        opacity=(0.6, 1.3),
        outline=(0.0, 0.3),
        core=(0.2, 0.8),
        core_size=(0.4, 0.7),
        tail_length=(2.0, 3.2),
        tail_width=(0.4, 0.65),
        tail_wave=(0.3, 0.8),
    ),
    "diatom_chain": Silhouette(
        length=(0.5, 0.92),
        width=(0.035, 0.12),
        bluntness=(0.9, 1.0),
        bend=(-0.12, 0.12),
        segments=(5, 12),
        constriction=(0.4, 0.9),
        opacity=(0.15, 0.7),
        outline=(0.1, 0.6),
    ),
    "acantharian": Silhouette(
        length=(0.1, 0.2),
        width=(0.8, 1.0),
        roughness=(0.1, 0.4),
        opacity=(0.8, 1.6),
        core=(0.2, 0.6),
        core_size=(0.4, 0.6),
        rays=(6, 12),
        ray_length=(0.3, 0.46),
    ),
    "noctiluca": Silhouette(
        length=(0.35, 0.6),
        width=(0.75, 1.0),
        bend=(-0.15, 0.15),
        opacity=(0.08, 0.3),
        outline=(0.6, 1.4),
        core=(0.6, 1.4),
        core_size=(0.22, 0.4),
    ),
    "hydromedusa": Silhouette(
        length=(0.1, 0.18),
        width=(1.3, 2.1),
        bluntness=(0.2, 0.5),
        taper=(-0.3, -0.1),
        bend=(-0.1, 0.1),
        opacity=(0.15, 0.5),
        outline=(0.5, 1.1),
        core=(0.1, 0.5),
        core_size=(0.35, 0.6),
        rays=(6, 12),
        ray_length=(0.34, 0.5),
        ray_spread=(0.4, 0.7),
    ),
    "detritus": Silhouette(
        length=(0.3, 0.6),
        width=(0.35, 0.9),
        bluntness=(0.0, 0.4),
        bend=(-0.3, 0.3),
        roughness=(0.6, 1.0),
        opacity=(0.3, 1.1),
    ),
}

# What says nothing about the class. Lengths are in image sides, angles in radians, the others relative.
NUISANCES: dict[str, Range] = {
    "orientation": (0.0, 2 * np.pi),
    "shift_x": (-0.05, 0.05),
    "shift_y": (-0.05, 0.05),
    "blur": (0.003, 0.017),
    "noise": (0.003, 0.011),
    "illumination": (0.93, 1.0),
    "gradient_x": (-0.03, 0.03),
    "gradient_y": (-0.03, 0.03),
    "specks": (0, 4),
}
CLEAN = {
    "blur": 0.003,
    "noise": 0.0,
    "illumination": 1.0,
    "gradient_x": 0.0,
    "gradient_y": 0.0,
    "specks": 0.0,
}
MOST_SPECKS = 4
DETAILS: dict[str, Range] = {
    "core_place": (-0.2, 0.2),
    "antenna_angle": (-0.5, 0.35),
    "antenna_skew": (-0.3, 0.3),
    "antenna_curve": (-0.05, 0.35),
    "tail_phase": (0.0, 2 * np.pi),
    "ray_phase_1": (0.0, 2 * np.pi),
    "ray_phase_2": (0.0, 2 * np.pi),
    "ray_phase_3": (0.0, 2 * np.pi),
    "ray_curl": (-1.0, 1.0),
    "texture_x": (0.0, 1.0),
    "texture_y": (0.0, 1.0),
    **{f"speck_angle_{speck}": (0.0, 2 * np.pi) for speck in range(MOST_SPECKS)},
    **{f"speck_reach_{speck}": (0.36, 0.62) for speck in range(MOST_SPECKS)},
    **{f"speck_radius_{speck}": (0.008, 0.03) for speck in range(MOST_SPECKS)},
    "noise_start": (0.0, 1.0),
}
RECIPE = Recipe(
    {name: vars(kind) for name, kind in KINDS.items()}, NUISANCES, CLEAN, DETAILS, ("segments", "rays", "specks")
)


def class_of(truth: pd.DataFrame) -> NDArray[np.str_]:
    """Name each silhouette from its factors alone, by the rules of a key of determination.

    With spines or tentacles: all around is an acantharian, in a fan a hydromedusa. With antennae: a copepod. With a
    tail longer than the body: an appendicularian. In segments: a diatom chain. With a ragged outline: detritus. Else
    the slender one is a chaetognath, and the round one a noctiluca.
    """
    return np.select(
        [
            (truth["rays"] > 0) & (truth["ray_spread"] > 0.8),
            truth["rays"] > 0,
            truth["antenna_length"] > 0.3,
            truth["tail_length"] > 1,
            truth["segments"] > 1,
            truth["roughness"] > 0.5,
            truth["width"] < 0.3,
        ],
        ["acantharian", "hydromedusa", "copepod", "appendicularian", "diatom_chain", "detritus", "chaetognath"],
        "noctiluca",
    )
