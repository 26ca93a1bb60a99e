"""Tails, antennae, spines and tentacles of simulated plankton, as absorbance at every pixel.

Coordinates are those of the body: u along it, 1 at the front and -1 at the rear, v across, in half lengths.
"""

import numpy as np

from micrographia.data.synthetic.outlines import Image, soft

ANTENNA_WIDTH, RAY_WIDTH = 0.015, 0.0045  # half widths at the base, in image sides
ANTENNA_ABSORBANCE, RAY_ABSORBANCE = 0.4, 1.1
TAIL_START, ANTENNA_START = -0.8, 0.72  # where they leave the body
TAIL_WAVELENGTH = 2.6  # of a swimming tail, in half lengths, for each body length of tail


def tail(u: Image, v: Image, f: dict[str, Image], pixels: Image) -> Image:
    """Absorbance of a tail that narrows towards its end; ``pixels`` per half length ``(n, 1, 1)``."""
    length = 2 * f["tail_length"]
    along = TAIL_START - u
    share = along / np.maximum(length, 0.01)
    swing = share * np.float32(2 * np.pi * 0.75)
    swing += f["tail_phase"]
    np.sin(swing, out=swing)
    swing -= np.sin(f["tail_phase"])
    swing *= 2 * f["tail_wave"] * np.clip(3 * share, 0, 1)
    # A swinging tail is seen at a slant: its width counts across it.
    width = 1 - 0.65 * share
    width *= f["tail_width"] * f["width"]
    width -= abs(v - swing)
    cover = soft(width, pixels)
    cover *= soft(along, pixels)
    cover *= soft(length - along, pixels)
    cover *= (f["tail_length"] > 0) * (0.2 + 0.6 * f["opacity"])
    return cover


def antennae(u: Image, v: Image, f: dict[str, Image], pixels: Image) -> Image:
    """Absorbance of a pair of antennae that curve backwards; ``pixels`` per half length ``(n, 1, 1)``."""
    length = 2 * f["antenna_length"]
    side = np.sign(v)
    angle = f["antenna_angle"] + f["antenna_skew"] * side
    sine, cosine = np.sin(angle), np.cos(angle)
    forward, outward = u - ANTENNA_START, abs(v)
    along = forward * sine
    along += outward * cosine
    beside = forward * cosine
    beside -= outward * sine
    beside += along * along * (f["antenna_curve"] / np.maximum(length, 0.01))
    # No thinner than a pixel, which would make it flicker between pixels; paler instead.
    width = ANTENNA_WIDTH * 2 / f["length"]
    seen = np.maximum(width, 0.5 / pixels)
    share = along / np.maximum(length, 0.01)
    cover = soft(seen * (1.2 - 0.6 * share) - abs(beside), pixels)
    cover *= soft(along, pixels)
    cover *= soft(length - along, pixels)
    cover *= (f["antenna_length"] > 0) * (ANTENNA_ABSORBANCE * width / seen)
    return cover


def rays(u: Image, v: Image, f: dict[str, Image], pixels: Image) -> Image:
    """Absorbance of spines all around the body, or of tentacles in a fan behind it; ``pixels`` per half length."""
    there = f["rays"] > 0
    number = np.maximum(f["rays"], 1) / np.maximum(f["ray_spread"], 0.05)
    distance = np.sqrt(u * u + v * v)
    angle = np.arctan2(v, -u)  # 0 is to the rear
    # Tentacles of a fan trail and curl; spines are straight.
    loose = (1 - f["ray_spread"]) * np.maximum(distance - 1, 0)
    angle += loose * f["ray_curl"] * np.float32(0.22)
    angle *= 1 + loose * np.float32(0.12)
    # Unevenly spaced: the angle is stretched here and compressed there, by a slope of 0.2 to 1.8.
    second, third = 2 * angle + f["ray_phase_1"], 3 * angle + f["ray_phase_2"]
    turn = angle + 0.22 * np.sin(second) + 0.13 * np.sin(third)
    slope = 1 + 0.44 * np.cos(second, out=second) + 0.39 * np.cos(third, out=third)
    # In a fan the number of rays per circle need not be whole, since the seam lies at the front.
    turn *= number / np.float32(2 * np.pi)
    turn -= np.floor(turn)
    turn -= 0.5
    spacing = np.float32(2 * np.pi) / number
    beside = abs(turn) * (spacing * distance)
    beside /= slope
    width = RAY_WIDTH * 2 / f["length"]
    seen = np.maximum(width, 0.6 / pixels)
    cover = soft(seen - beside, pixels)
    reach = np.maximum(2 * f["ray_length"] / f["length"], 0.01)
    longest = 0.85 + 0.15 * np.sin(5 * angle + f["ray_phase_3"])
    longest *= reach
    share = distance / reach
    longest -= distance
    cover *= soft(longest, pixels)
    fan = np.where(f["ray_spread"] > 0.97, np.float32(4), f["ray_spread"] * np.float32(np.pi))
    cover *= soft(fan - abs(angle), 12.0)
    cover *= 1 - 0.6 * share
    cover *= there * (RAY_ABSORBANCE * width / seen)
    return cover
