"""Stained cells in transmitted light: where cell, nucleus and granules are, and how much light they absorb.

Everything is elementwise on arrays ``(n, size, size)``, so that a cell does not depend on those rendered beside it.
"""

import numpy as np
from numpy.typing import NDArray

from micrographia.data.synthetic.optics import blur, photon_noise
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
    places = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    right, down = places[None, None, :], places[None, :, None]
    pixels = min(size, 80)  # an edge's sharpness: one pixel wide, but no sharper than on a screen of 80

    radius = f["diameter"] / 2
    frame = CellFrame(right, down, f, radius)
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

    light = blur(light, cells["blur"] * size)
    lamp = f["illumination"] * (1 + f["gradient_x"] * right) + f["illumination"] * f["gradient_y"] * down
    light *= lamp[:, None] * BACKGROUND
    light = photon_noise(light, cells["noise"].astype(np.float32), cells["noise_start"])
    light *= 255
    light += 0.5
    return np.clip(light, 0, 255.5, out=light).astype(np.uint8)


class CellFrame:
    """Coordinates u and v in the cell's own frame: turned, stretched, in cell radii.

    Parameters
    ----------
    right, down
        Coordinates of the pixels in the image, ``(1, 1, size)`` and ``(1, size, 1)``, in image sides from its centre.
    f
        Factors by name, ``(n, 1, 1)``.
    radius
        Of the cell, in image sides.

    Attributes
    ----------
    u, v, squared : Image
        Coordinates and squared distance from the cell's centre, ``(n, size, size)``.
    """

    def __init__(self, right: Image, down: Image, f: dict[str, Image], radius: Image):
        x, y = right - f["shift_x"], down - f["shift_y"]
        cosine, sine = np.cos(f["orientation"]) / radius, np.sin(f["orientation"]) / radius
        # What the column of a pixel adds to (u, v), and what its row adds.
        self.across = x * (cosine / f["elongation"]), x * (-sine * f["elongation"])
        self.along = y * (sine / f["elongation"]), y * (cosine * f["elongation"])
        self.u, self.v = self.linear(1, 0), self.linear(0, 1)
        self.squared = self.u * self.u
        self.squared += self.v * self.v

    def linear(self, a: Image | float, b: Image | float, c: Image | float = 0) -> Image:
        """``a u + b v + c`` at every pixel, in one pass over them."""
        return (self.across[0] * a + self.across[1] * b) + (self.along[0] * a + self.along[1] * b + c)

    def depth_in_disc(self, u: Image, v: Image | float, radius: Image) -> Image:
        """How deep the pixels lie in a disc, near its edge; further away (radius^2 - distance^2) / (2 radius)."""
        depth = self.linear(u / radius, v / radius, (radius * radius - u * u - v * v) / (2 * radius))
        depth -= self.squared * (0.5 / radius)
        return depth


def soft(inside: Image, sharpness: Image | float) -> Image:
    """Coverage in 0..1 of pixels that lie so far inside an edge of width 1 / sharpness."""
    cover = inside * sharpness
    cover += 0.5
    return np.clip(cover, 0, 1, out=cover)


def rim(inside: Image, sharpness: Image) -> Image:
    """A line along an edge: 1 on it, 0 from a distance of 1 / sharpness."""
    line = inside * sharpness
    line *= line
    np.subtract(1, line, out=line)
    return np.maximum(line, 0, out=line)


def outline(frame: CellFrame, f: dict[str, Image]) -> Image:
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


def nucleus_depth(frame: CellFrame, f: dict[str, Image]) -> Image:
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


def smooth_maximum(a: Image, b: Image, width: float) -> Image:
    """The larger of two fields, raised a little where they differ by less than a width (and exactly it elsewhere)."""
    bridge = np.abs(a - b)
    np.subtract(width, bridge, out=bridge)
    np.maximum(bridge, 0, out=bridge)
    bridge *= bridge
    bridge *= 1 / (4 * width)
    bridge += np.maximum(a, b)
    return bridge


def granule_cover(frame: CellFrame, f: dict[str, Image]) -> Image:
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
