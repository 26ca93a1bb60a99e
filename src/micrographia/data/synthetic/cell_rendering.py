"""Stained cells in transmitted light: where cell, nucleus and granules are, and how much light they absorb.

Everything is elementwise on arrays ``(n, size, size)``, so that a cell does not depend on those rendered beside it.
"""

import numpy as np
from numpy.typing import NDArray

from micrographia.data.synthetic.optics import photograph, pixel_places
from micrographia.data.synthetic.outlines import ObjectFrame, rim, smooth_maximum, soft
from micrographia.data.synthetic.periodic_fields import SIDE, SPACING, address, clouds, granule_grid

Image = NDArray[np.floating]  # float32 throughout; the type checker follows no precision


def absorbance(red: int, green: int, blue: int) -> Image:
    """Absorbance of a stain that gives white light a colour (Beer and Lambert: transmission is exp(-absorbance))."""
    return -np.log(np.array([red, green, blue], np.float32) / 255)[:, None, None]


# The colours of a May-Gruenwald-Giemsa stain, and what gives them.
CHROMATIN = absorbance(100, 52, 143)
PINK_CYTOPLASM, BLUE_CYTOPLASM = absorbance(240, 203, 206), absorbance(136, 168, 217)
ORANGE_GRANULE, LILAC_GRANULE, VIOLET_GRANULE = (
    absorbance(232, 112, 70),
    absorbance(196, 132, 186),
    absorbance(62, 34, 112),
)
RED_CELL = absorbance(228, 160, 154)
BACKGROUND = np.array([0.98, 0.955, 0.965], np.float32)[:, None, None]

RED_CELL_RADIUS = 0.2  # in image sides
TEXTURE_SCALE = 45.0  # pixels of the texture's table per cell radius


def render_cells(cells: dict[str, NDArray], size: int) -> NDArray[np.uint8]:
    """Images of cells.

    Parameters
    ----------
    cells
        Factors, nuisances and details by name, as from `draw_cells`.
    size
        Side of the images in pixels.

    Returns
    -------
    Array ``(n, 3, size, size)``, uint8.
    """
    f = {name: np.asarray(values, np.float32)[:, None, None] for name, values in cells.items()}
    right, down = pixel_places(size)
    pixels = min(size, 80)  # an edge's sharpness: one pixel wide, but no sharper than on a screen of 80

    radius = f["diameter"] / 2
    frame = ObjectFrame(right, down, f, radius)
    inside = outline(frame, f)
    inside -= np.sqrt(frame.squared)
    cell = soft(inside, radius * pixels)
    depth = nucleus_depth(frame, f)
    nucleus = soft(depth, radius * pixels)
    nucleus *= cell

    columns = frame.linear(TEXTURE_SCALE, 0, f["texture_x"] * SIDE)
    texture = clouds().take(address(columns, frame.linear(0, TEXTURE_SCALE, f["texture_y"] * SIDE)))
    chromatin = texture * (0.3 * f["chromatin"])
    chromatin += 1
    chromatin += 0.25 * rim(depth, 60 * radius)
    chromatin *= nucleus
    cytoplasm = cell - nucleus
    cytoplasm *= 1 + 0.1 * texture
    cytoplasm += rim(inside, 60 * radius) * (0.35 - 0.35 * nucleus)
    granules = granule_cover(frame, f)
    granules *= cell
    # Basophil granules lie over the nucleus too.
    granules *= 1 - nucleus * (1 - 0.6 * np.clip(2 * f["granule_basophilia"] - 1, 0, 1))
    red_cells = red_cell_cover(right, down, f, radius, pixels)
    red_cells *= 1 - cell

    blueness, hue = f["basophilia"][:, None], 2 * f["granule_basophilia"][:, None]
    cytoplasm_stain = PINK_CYTOPLASM * (1 - blueness) + BLUE_CYTOPLASM * blueness
    granule_stain = (
        ORANGE_GRANULE * np.clip(1 - hue, 0, 1)
        + LILAC_GRANULE * (1 - abs(hue - 1))
        + VIOLET_GRANULE * np.clip(hue - 1, 0, 1)
    )
    strength = -f["stain"][:, None]
    density = chromatin[:, None] * (strength * CHROMATIN)
    density += cytoplasm[:, None] * (strength * cytoplasm_stain)
    density += granules[:, None] * (strength * granule_stain)
    density += red_cells[:, None] * (strength * RED_CELL)
    light = np.exp(density, out=density)

    return photograph(light, cells, BACKGROUND)


def outline(frame: ObjectFrame, f: dict[str, Image]) -> Image:
    """Radius of the uneven cell at the angle of each pixel, around 1: the second and third harmonic of the angle."""
    inverse = np.maximum(frame.squared, 1e-6)
    np.divide(1, inverse, out=inverse)
    cosine = frame.u * frame.u
    cosine *= inverse
    cosine *= 2
    cosine -= 1
    sine = frame.u * frame.v
    sine *= inverse
    sine *= 2
    # The third harmonic is the second times the first, whose phase is its own.
    phase_2, phase_3 = f["outline_phase_2"], f["outline_phase_3"]
    first_cosine = frame.linear(0.04 * np.cos(phase_3), -0.04 * np.sin(phase_3))
    first_sine = frame.linear(0.04 * np.sin(phase_3), 0.04 * np.cos(phase_3))
    first_cosine *= cosine
    first_sine *= sine
    first_cosine -= first_sine
    first_cosine *= np.sqrt(inverse, out=inverse)
    cosine *= 0.04 * np.cos(phase_2)
    sine *= 0.04 * np.sin(phase_2)
    cosine += sine
    cosine += first_cosine
    cosine += 1
    return cosine


def nucleus_depth(frame: ObjectFrame, f: dict[str, Image]) -> Image:
    """How deep a pixel lies in the nucleus, in cell radii; negative outside.

    One lobe is a disc from which a bay is cut; more are discs along an arc, joined smoothly.
    """
    lobes = f["lobes"]
    single = lobes == 1
    lobe_radius = np.sqrt(f["nucleus_size"] / lobes)
    arc = np.where(single, np.float32(0), np.float32(0.47))
    between = np.select([lobes == 2, lobes == 3], [np.float32(2.3), np.float32(1.6)], np.float32(1.25))
    depth: Image | None = None
    for lobe in range(int(lobes.max())):
        angle = (lobe - (lobes - 1) / 2) * between + f[f"lobe_angle_{lobe}"]
        reach = arc + f[f"lobe_reach_{lobe}"]
        here = frame.depth_in_disc(reach * np.cos(angle), reach * np.sin(angle), lobe_radius * f[f"lobe_radius_{lobe}"])
        here -= np.float32(9) * (lobe >= lobes)  # far outside a lobe that is not there
        depth = here if depth is None else smooth_maximum(depth, here, 0.3)
    assert depth is not None
    if single.any():
        offset = lobe_radius * (1.5 - 0.75 * f["indentation"])
        bay = frame.depth_in_disc(offset, 0, 0.55 * lobe_radius)
        depth = np.where(single, -smooth_maximum(-depth, bay, 0.2), depth)
    return depth


def granule_cover(frame: ObjectFrame, f: dict[str, Image]) -> Image:
    """Coverage by granules: discs on a jittered grid, of which a share is there."""
    # A granule is 0.84 of the grid's spacing wide; its size counts in cell diameters, u and v in radii.
    scale = SPACING * 0.84 / (2 * f["granule_size"])
    columns = frame.linear(scale, 0, f["granule_x"] * SIDE)
    place = address(columns, frame.linear(0, scale, f["granule_y"] * SIDE))
    granules = granule_grid().take(place)
    # A granule is there if its rank, the high byte, is below the granularity.
    granules *= granules < f["granularity"] * 2**16
    return (granules & 255) * np.float32(1 / 255)


def red_cell_cover(right: Image, down: Image, f: dict[str, Image], radius: Image, pixels: int) -> Image:
    """Absorption of red cells beside the cell, paler in the middle, mostly out of the picture."""
    cover = np.zeros((len(radius), right.size, down.size), np.float32)
    for cell in range(int(f["red_cells"].max())):
        angle = f["red_cell_angle"] + cell * f["red_cell_turn"]
        reach = np.maximum(radius + RED_CELL_RADIUS, 0.5) + f[f"red_cell_gap_{cell}"]
        squared = (right - reach * np.cos(angle)) ** 2 + (down - reach * np.sin(angle)) ** 2
        # Full from three quarters of the radius on, half in the middle; nothing where there is no such cell.
        most = (cell < f["red_cells"]).astype(np.float32)
        shade = squared * (most * (0.5 / (0.75 * RED_CELL_RADIUS) ** 2))
        np.minimum(shade, 0.5 * most, out=shade)
        shade += 0.5 * most
        # Near the edge half the difference of the squares, over the radius, is the distance from it.
        np.subtract(RED_CELL_RADIUS**2, squared, out=squared)
        shade *= soft(squared, pixels / (2 * RED_CELL_RADIUS))
        np.maximum(cover, shade, out=cover)
    return cover
