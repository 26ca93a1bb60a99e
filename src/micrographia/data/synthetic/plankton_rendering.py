"""Plankton as an in-situ imager sees it: shadows of translucent bodies and their appendages on a bright ground.

One body plan draws all kinds, so that a kind is what its factors say: along the body runs u, from 1 at the front to -1
at the rear, across it v, both in half lengths. Everything is elementwise on arrays ``(n, size, size)``.
"""

import numpy as np
from numpy.typing import NDArray

from micrographia.data.synthetic.optics import photograph, pixel_places
from micrographia.data.synthetic.outlines import Image, ObjectFrame, rim, soft
from micrographia.data.synthetic.periodic_fields import SIDE, address, clouds
from micrographia.data.synthetic.plankton_appendages import antennae, rays, tail

BACKGROUND = 0.99  # light where there is nothing
LINE = 0.018  # half width of an outline, in image sides
# Wavelength of uneven outlines and of the texture, in pixels of their tables, which are so many to an image's side.
OUTLINE, TEXTURE = 28.0, 8.0
TABLE_SCALE = 108.0
ROUGHEST = 0.65  # how far the most uneven outline is moved, over half the body's width
SPECK_ABSORBANCE = 0.35


def render_plankton(plankton: dict[str, NDArray], size: int) -> NDArray[np.uint8]:
    """Images of plankton.

    Parameters
    ----------
    plankton
        Factors, nuisances and details by name, ``(n,)`` each.
    size
        Side of the images in pixels.

    Returns
    -------
    Array ``(n, 3, size, size)``, uint8: the same grey in all three channels.
    """
    f = {name: np.asarray(values, np.float32)[:, None, None] for name, values in plankton.items()}
    f["elongation"] = np.ones_like(f["length"])
    right, down = pixel_places(size)
    half = f["length"] / 2
    frame = ObjectFrame(right, down, f, half)
    # The whole lies in the middle: body, tail, and the fan of tentacles behind it.
    fan = (f["rays"] > 0) * (1 - f["ray_spread"]) * np.maximum(f["ray_length"] / f["length"] - 0.5, 0)
    u = frame.u - (f["tail_length"] + fan)
    midline = np.clip(u, -1, 1)
    midline *= midline
    midline -= 0.33
    midline *= f["bend"]
    v = frame.v - midline

    density, cover = body(u, v, frame, f, size)
    if f["rays"].any():
        density += rays(u, v, f, half * size) * (1 - 0.9 * cover)
    density += tail(u, v, f, half * size)
    density += antennae(u, v, f, half * size)
    density += specks(right, down, f, size)
    np.negative(density, out=density)
    light = np.exp(density, out=density)
    grey = photograph(light[:, None], plankton, BACKGROUND)
    return np.broadcast_to(grey, (len(grey), 3, size, size))


def body(u: Image, v: Image, frame: ObjectFrame, f: dict[str, Image], size: int) -> tuple[Image, Image]:
    """Absorbance of the body with its outline and its core, and coverage by it."""
    waves = waists(u, f)
    across = width_along(u, f, waves)
    np.divide(v, across, out=across)
    # A form that is 1 on the edge: squares for an ellipse, a power of 8 along the body for blunt ends.
    blunt = f["bluntness"]
    near = np.clip(u, -1.25, 1.25)
    squared = near * near
    sixth = squared * squared * squared
    inside = (1 - blunt) * squared + blunt * (sixth * squared)
    inside += across * across
    np.subtract(1, inside, out=inside)
    table = f["length"] * (TABLE_SCALE / 2)
    place = address(frame.linear(table, 0, f["texture_x"] * SIDE), frame.linear(0, table, f["texture_y"] * SIDE))
    inside += (f["roughness"] * ROUGHEST) * clouds(OUTLINE).take(place)
    # The form over its slope is the distance from the edge, in half lengths.
    slope = near * (1 - blunt + 4 * blunt * sixth)
    steep = across / (f["width"] * (0.25 + 0.75 * (1 - f["constriction"] * waves)))
    slope *= slope
    slope += steep * steep
    np.sqrt(slope, out=slope)
    slope *= 2
    np.maximum(slope, 0.3, out=slope)
    depth = inside / slope
    # Beyond the ends the form, whose power is cut off, does not tell distances.
    np.minimum(depth, (1 + 0.4 * f["roughness"]) - abs(u), out=depth)
    pixels = f["length"] / 2 * min(size, 128)
    cover = soft(depth, pixels)
    thickness = np.sqrt(np.maximum(inside, 0, out=inside), out=inside)
    thickness *= 0.7
    thickness += 0.3
    thickness *= 1 + (0.12 + 0.2 * f["roughness"]) * clouds(TEXTURE).take(place)
    thickness *= 1 - 0.8 * f["constriction"] * waves
    np.maximum(thickness, 0, out=thickness)
    thickness *= f["opacity"]
    thickness += f["core"] * core(u, across, f)
    thickness *= cover
    line = rim(depth, f["length"] / (2 * LINE))
    line *= f["outline"]
    thickness += line
    return thickness, cover


def waists(u: Image, f: dict[str, Image]) -> Image:
    """Where the body is between two segments: 1 in a waist, 0 in the middle of a segment and of a body of one."""
    # Waists lie at both ends too, whether the number is odd or even.
    waves = (u + 1) * (f["segments"] * np.float32(np.pi))
    np.cos(waves, out=waves)
    waves *= 0.5
    waves += 0.5
    waves *= waves
    waves *= f["segments"] > 1
    return waves


def width_along(u: Image, f: dict[str, Image], waves: Image) -> Image:
    """Half width of the body at each place along it, in half lengths."""
    width = np.clip(u, -1.2, 1.2)
    width *= f["taper"]
    width += 1
    width *= 1 - 0.75 * f["constriction"] * waves
    width *= f["width"]
    return np.maximum(width, 0.01, out=width)


def core(u: Image, across: Image, f: dict[str, Image]) -> Image:
    """Absorption by what lies inside, 0 to 1: an ellipse along the body, at most half as wide as the body."""
    along = (u - f["core_place"]) / f["core_size"]
    along *= along
    inner = across / np.minimum(f["core_size"], 0.5)
    inner *= inner
    along += inner
    np.subtract(1.2, along, out=along)
    along *= 2
    return np.clip(along, 0, 1, out=along)


def specks(right: Image, down: Image, f: dict[str, Image], size: int) -> Image:
    """Absorbance of small bodies beside the plankter."""
    density = np.zeros((len(f["specks"]), size, size), np.float32)
    for speck in range(int(f["specks"].max())):
        angle, reach = f[f"speck_angle_{speck}"], f[f"speck_reach_{speck}"]
        there = (speck < f["specks"]).astype(np.float32)
        wide = f[f"speck_radius_{speck}"] ** -2
        near = (right - reach * np.cos(angle)) ** 2 * wide + (down - reach * np.sin(angle)) ** 2 * wide
        np.subtract(1.5, near, out=near)
        np.clip(near, 0, 1, out=near)
        near *= there * SPECK_ABSORBANCE
        density += near
    return density
