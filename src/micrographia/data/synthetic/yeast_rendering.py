"""Budding yeast under three lights: membrane of the vacuoles, transmitted light, lumen of the vacuoles.

Everything is elementwise on arrays ``(n, size, size)``, so that a cell does not depend on those rendered beside it.
"""

import numpy as np
from numpy.typing import NDArray

from micrographia.data.synthetic.optics import photograph, pixel_places
from micrographia.data.synthetic.outlines import Image, ObjectFrame, rim, smooth_maximum, soft
from micrographia.data.synthetic.periodic_fields import SIDE, address, clouds

GROUND = 0.5  # transmitted light where there is no cell
WALL = 0.03  # half width of the bright and the dark line along a wall, in image sides
MEMBRANE = 0.014  # half width of a stained membrane as the optics shows it, in image sides
TEXTURE_SCALE = 45.0  # pixels of the texture's table per cell radius
MARGIN = 0.14  # what a vacuole leaves to the wall, in cell radii
HAZE, AUTOFLUORESCENCE = 0.02, 0.05  # light of the medium, and of an unstained cell
DYE = 0.95  # light of a membrane of intensity 1


def render_yeast(cells: dict[str, NDArray], size: int) -> NDArray[np.uint8]:
    """Images of yeast cells.

    Parameters
    ----------
    cells
        Factors, nuisances and details by name, ``(n,)`` each.
    size
        Side of the images in pixels.

    Returns
    -------
    Array ``(n, 3, size, size)``, uint8: membrane, transmitted light, lumen.
    """
    f = {name: np.asarray(values, np.float32)[:, None, None] for name, values in cells.items()}
    right, down = pixel_places(size)
    radius = f["diameter"] / 2
    frame = ObjectFrame(right, down, f, radius)
    sharpest = float(min(size, 96))  # an edge is one pixel wide, but no sharper than on a screen of 96
    pixels = radius * sharpest
    # Mother and bud together lie in the middle.
    bud_x, bud_y = np.cos(f["bud_angle"]), np.sin(f["bud_angle"])
    mother_x, mother_y = -0.8 * f["bud_size"] * bud_x, -0.8 * f["bud_size"] * bud_y
    mother = frame.depth_in_disc(mother_x, mother_y, np.ones_like(radius))
    reach = 1 + 0.72 * f["bud_size"]
    bud = frame.depth_in_disc(mother_x + reach * bud_x, mother_y + reach * bud_y, np.maximum(f["bud_size"], 0.05))
    neck = np.minimum(mother, bud)
    cell = smooth_maximum(mother, bud, 0.08)
    inside = soft(cell, pixels)

    place = address(
        frame.linear(TEXTURE_SCALE, 0, f["texture_x"] * SIDE), frame.linear(0, TEXTURE_SCALE, f["texture_y"] * SIDE)
    )
    grain = clouds().take(place)
    ring, filled, patch = vacuoles(frame, f, mother_x, mother_y, radius, pixels)

    light = np.empty((len(radius), 3, size, size), np.float32)
    whole = inside * (1 + 0.12 * grain)
    kept = f["condensed_fraction"]
    membrane = ring * ((1 - kept) * f["ring_intensity"])
    membrane += patch * (1.2 * kept * f["ring_intensity"])
    membrane += whole * (AUTOFLUORESCENCE + 0.6 * f["diffuse"])
    # What a dead cell has taken up lies everywhere, also over its vacuoles.
    lumen = filled * (f["lumen"] * (1 - 0.6 * f["diffuse"]))
    lumen += whole * (AUTOFLUORESCENCE + 0.35 * f["diffuse"])
    transmitted = walls(cell, radius, f["focus"])
    transmitted -= 0.1 * f["focus"] * rim(neck, radius / (0.8 * WALL)) * inside
    vacuole_contrast = (0.5 + 0.5 * f["focus"]) * (1 - 0.6 * f["diffuse"])
    transmitted += (0.05 * filled - 0.1 * ring) * vacuole_contrast
    transmitted += inside * grain * (0.04 + 0.05 * f["diffuse"])
    for number in range(int(f["neighbours"].max())):
        there = number < f["neighbours"]
        depth, share = neighbour(right, down, f, number, radius)
        beside = (1 - inside) * there
        transmitted += walls(depth, 1.0, f["focus"]) * beside
        haze = AUTOFLUORESCENCE * soft(depth, sharpest)
        membrane += (neighbour_ring(depth, share) * f[f"neighbour_light_{number}"] + haze) * beside
        lumen += (0.4 * soft(depth - 0.45 * share, sharpest) + haze) * beside
    light[:, 0] = membrane
    light[:, 1] = transmitted + GROUND
    light[:, 2] = lumen
    light[:, 0] *= DYE
    light[:, 0] += HAZE
    light[:, 2] += HAZE
    np.clip(light, 0, 1, out=light)
    return photograph(light, cells, 1.0)


def vacuoles(
    frame: ObjectFrame, f: dict[str, Image], x: Image, y: Image, radius: Image, pixels: Image
) -> tuple[Image, Image, Image]:
    """Membranes, lumens and compact patches of a mother's vacuoles, each 0 to 1 at every pixel.

    One vacuole lies near the middle, ``(x, y)``; more lie around it, each with its own share of the area.
    """
    number = f["vacuoles"]
    size = np.sqrt(f["vacuole_size"] / np.maximum(number, 1))
    free = np.maximum(1 - MARGIN - size, 0)
    # As far out as they need to lie beside each other; a single one may lie anywhere around the middle.
    apart = size * 1.22 / np.sin(np.pi / np.maximum(number, 2))
    reach = np.where(number > 1, np.minimum(np.maximum(apart, f["vacuole_reach"] * free), free), 0.5 * free)
    ring, filled, patch = (np.zeros(frame.squared.shape, np.float32) for _ in range(3))
    for vacuole in range(int(number.max())):
        angle = f["vacuole_angle"] + vacuole * np.float32(2 * np.pi) / np.maximum(number, 1)
        angle = angle + f[f"vacuole_turn_{vacuole}"]
        own = size * f[f"vacuole_radius_{vacuole}"]
        there = (vacuole < number).astype(np.float32)
        middle_x, middle_y = x + reach * np.cos(angle), y + reach * np.sin(angle)
        depth = frame.depth_in_disc(middle_x, middle_y, own)
        np.maximum(ring, rim(depth, radius / MEMBRANE) * there, out=ring)
        np.maximum(filled, soft(depth, pixels) * there, out=filled)
        # The patch lies against the membrane.
        small = 0.55 * own
        aside = own - small
        turn = f["patch_angle"] + vacuole
        spot = frame.depth_in_disc(middle_x + aside * np.cos(turn), middle_y + aside * np.sin(turn), small)
        np.maximum(patch, soft(spot, 0.7 * pixels) * there, out=patch)
    return ring, filled, patch


def walls(depth: Image, radius: Image | float, focus: Image) -> Image:
    """Transmitted light of a cell over that of the ground, for depth in its wall in radii, and the focus -1 to 1.

    In focus 1 the wall is dark and has a bright halo; beyond, at -1, light and dark have changed places, and the cell
    is a bright lens.
    """
    width = radius / WALL
    dark = rim(depth - 0.35 / width, width)
    bright = rim(depth + 1.1 / width, width)
    dark *= -0.34
    bright *= np.where(focus > 0, np.float32(0.3), np.float32(0.42))
    dark += bright
    dark *= focus
    # A little of the wall is seen whatever the focus.
    dark -= 0.09 * rim(depth, width)
    lens = soft(depth, 0.4 * width)
    lens *= np.where(focus > 0, 0.03 - 0.13 * focus, 0.03 - 0.4 * focus)
    dark += lens
    return dark


def neighbour(right: Image, down: Image, f: dict[str, Image], number: int, radius: Image) -> tuple[Image, Image]:
    """Depth of the pixels in a cell beside the one in the middle, and its radius, in image sides."""
    own = f[f"neighbour_radius_{number}"]
    angle = f["neighbour_angle"] + number * f["neighbour_turn"]
    reach = np.maximum(radius * (1 + f["bud_size"]) + own, 0.55) + f[f"neighbour_gap_{number}"]
    distance = (right - reach * np.cos(angle)) ** 2 + (down - reach * np.sin(angle)) ** 2
    np.sqrt(distance, out=distance)
    return own - distance, own


def neighbour_ring(depth: Image, radius: Image) -> Image:
    """Membrane of a neighbour's vacuole, half as wide as the neighbour."""
    return rim(depth - 0.45 * radius, 1 / MEMBRANE)
