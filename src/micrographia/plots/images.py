"""Images side by side: reconstructions, latent traversals, contact sheets."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure

from micrographia.plots.style import FAINT, broken, in_house_style, panels, shortened

GAP = 0.06
"""Space between two images, as a share of an image's side."""


@in_house_style
def reconstructions_figure(originals: torch.Tensor, reconstructions: torch.Tensor) -> Figure:
    """Draw images above their reconstructions.

    Parameters
    ----------
    originals, reconstructions
        Shape ``(n, channels, height, width)``, floating point in 0..1.

    Raises
    ------
    ValueError
        If the shapes differ or there is no image.
    """
    if originals.shape != reconstructions.shape:
        raise ValueError(
            f"originals of shape {tuple(originals.shape)}, reconstructions of {tuple(reconstructions.shape)}"
        )
    tiles = colour_images(torch.stack([originals, reconstructions]))
    figure, axes = tiled(tiles, tile=0.85, margin=(1.1, 0.2))
    axes.set_yticks(middles(axes, len(originals)), ["original", "reconstruction"])
    return figure


@in_house_style
def traversal_figure(
    images: torch.Tensor, names: Sequence[str], divergences: Sequence[float], columns: Sequence[str], axis: str
) -> Figure:
    """Draw what each latent does to an image: one row per latent, the most informative first.

    Images that are dark throughout are drawn brighter, all alike, and the figure says so: see `brightened`.

    Parameters
    ----------
    images
        Decoded or real images, shape ``(latents, steps, channels, height, width)`` in 0..1.
    names
        Name of each latent.
    divergences
        KL divergence of each latent from its prior, in nats; the order of the rows.
    columns, axis
        Title of each step, and of all.

    Raises
    ------
    ValueError
        If names, divergences or titles do not fit the images.
    """
    if not len(names) == len(divergences) == len(images):
        raise ValueError(f"{len(images)} rows of images, {len(names)} names, {len(divergences)} divergences")
    if len(columns) != images.shape[1]:
        raise ValueError(f"{images.shape[1]} columns of images, but {len(columns)} titles")
    order = most_informative_first(divergences)
    pictures, gain = brightened(colour_images(images[order]))
    figure, axes = tiled(pictures, tile=0.7, margin=(1.6, 0.5))
    axes.set_yticks(
        middles(axes, len(columns)),
        [f"{broken(names[latent], 20)}\n{divergences[latent]:.2f} nats" for latent in order],
    )
    axes.set_xticks([column * (1 + GAP) + 0.5 for column in range(len(columns))], columns)
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xlabel(axis + note_of(gain))
    return figure


def brightened(pictures: np.ndarray) -> tuple[np.ndarray, float]:
    """Pictures in 0..1 of which hardly a pixel reaches half of the range, brightened alike, and by how much.

    Examples
    --------
    >>> pictures, gain = brightened(np.full((2, 2), 0.2))
    >>> pictures.max().round(2), round(gain, 2)
    (np.float64(0.9), 4.5)
    """
    brightest = float(np.quantile(pictures, 0.999))
    gain = 1.0 if brightest >= 0.5 or brightest <= 0 else 0.9 / brightest
    return np.clip(pictures * gain, 0, 1), gain


def note_of(gain: float) -> str:
    """How much brighter pictures are drawn; nothing where they are not.

    Examples
    --------
    >>> note_of(4.5), note_of(1.0)
    ('; drawn 4.5 times brighter', '')
    """
    return f"; drawn {gain:.1f} times brighter" if gain != 1 else ""


def most_informative_first(divergences: Sequence[float]) -> list[int]:
    """Positions of the latents, those that diverge most from the prior first.

    Examples
    --------
    >>> most_informative_first([0.1, 2.0, 1.0])
    [1, 2, 0]
    """
    return sorted(range(len(divergences)), key=lambda latent: -divergences[latent])


@in_house_style
def contact_sheet(images: torch.Tensor, titles: Sequence[str], columns: int = 8) -> Figure:
    """Draw images in rows, each under its title.

    Parameters
    ----------
    images
        Shape ``(n, channels, height, width)``: uint8 in 0..255 or floating point in 0..1.
    titles
        Title of each image; long ones are broken into lines, in which words that are too long lack their middle.
    columns
        Images per row.

    Raises
    ------
    ValueError
        If there is not one title per image, or no image.
    """
    if len(titles) != len(images):
        raise ValueError(f"{len(images)} images, but {len(titles)} titles")
    tiles = colour_images(images)
    columns = min(columns, len(images))
    lines = ["\n".join(shortened(line, 18) for line in broken(title, 18).split("\n")) for title in titles]
    rows = -(-len(images) // columns)
    tallest = [max(line.count("\n") + 1 for line in lines[row * columns :][:columns]) for row in range(rows)]
    heads = [0.105 * count + 0.05 for count in tallest]
    empty = rows * columns - len(images)
    tiles = np.concatenate([tiles, np.ones((empty, *tiles.shape[1:]))]).reshape(rows, columns, *tiles.shape[1:])
    figure, axes = tiled(tiles, tile=1.25, margin=(0.1, 0.1), heads=heads)
    for image, line in zip(axes.images, lines, strict=False):
        left, _, _, top = image.get_extent()
        axes.text(left, top - 0.03, line, fontsize=7.5, ha="left", va="bottom", linespacing=1.05)
    return figure


def colour_images(images: torch.Tensor) -> np.ndarray:
    """Images ``(..., channels, height, width)`` as RGB in 0..1, ``(..., height, width, 3)``.

    One channel is grey, three are red, green and blue. Of any other number each channel gets a hue of its own and they
    are added, as fluorescence images are shown; two are green and magenta.

    Raises
    ------
    ValueError
        If there is no image, or a value is infinite or missing.
    """
    if not images.numel():
        raise ValueError(f"no images in a tensor of shape {tuple(images.shape)}")
    scaled = images.detach().cpu().float() / (255 if images.dtype == torch.uint8 else 1)
    if not torch.isfinite(scaled).all():
        raise ValueError("images with infinite or missing values")
    pixels = scaled.clamp(0, 1).movedim(-3, -1).numpy()
    channels = pixels.shape[-1]
    if channels == 3:
        return pixels
    if channels == 1:
        return np.repeat(pixels, 3, axis=-1)
    hues = (np.arange(channels) / channels + 1 / 3) % 1
    primaries = hsv_to_rgb(np.stack([hues, np.ones(channels), np.ones(channels)], axis=-1))
    return np.clip(pixels @ primaries, 0, 1)


def tiled(
    tiles: np.ndarray, tile: float, margin: tuple[float, float], heads: Sequence[float] = ()
) -> tuple[Figure, Axes]:
    """A figure of images in rows and columns, in whose axes an image is 1 wide and images stand ``GAP`` apart.

    Parameters
    ----------
    tiles
        Shape ``(rows, columns, height, width, 3)`` in 0..1.
    tile
        Width of an image in inches.
    margin
        Room for labels at the left and at the top, in inches.
    heads
        Room above the images of each row, as a share of their width; none by default.
    """
    rows, columns, height, width, _ = tiles.shape
    tall = height / width
    heads = heads or [0.0] * rows
    tops = [row * (tall + GAP) + sum(heads[: row + 1]) for row in range(rows)]
    bottom = tops[-1] + tall
    figure, (axes,) = panels(1, 1, tile * columns * (1 + GAP) + margin[0], tile * bottom + margin[1])
    for row, column in np.ndindex(rows, columns):
        left, top = column * (1 + GAP), tops[row]
        axes.imshow(tiles[row, column], extent=(left, left + 1, top + tall, top))
    axes.set_xlim(-0.01, columns * (1 + GAP) - GAP + 0.01)
    axes.set_ylim(bottom + 0.01, -0.01)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0, color=FAINT)
    axes.spines[:].set_visible(False)
    return figure, axes


def middles(axes: Axes, columns: int) -> list[float]:
    """Height at which the middle of each row of `tiled` images lies."""
    extents = [image.get_extent() for image in axes.images[::columns]]
    return [(bottom + top) / 2 for _, _, bottom, top in extents]
