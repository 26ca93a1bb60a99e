"""Traversals with a slider for each latent, as one page that needs no network and no server."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import torch
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from PIL import Image

from micrographia.plots.images import brightened, colour_images, most_informative_first, note_of


def traversal_page(
    images: torch.Tensor,
    names: Sequence[str],
    divergences: Sequence[float],
    columns: Sequence[str],
    axis: str,
    title: str,
) -> str:
    """HTML of a slider for each latent, the most informative first.

    Parameters
    ----------
    images
        Decoded or real images, shape ``(latents, steps, channels, height, width)`` in 0..1.
    names
        Name of each latent.
    divergences
        KL divergence of each latent from its prior, in nats; the order on the page.
    columns, axis
        Title of each step, and of all.
    title
        Of the page.

    Raises
    ------
    ValueError
        If names, divergences or titles do not fit the images.
    """
    if not (len(names) == len(divergences) == len(images) and len(columns) == images.shape[1]):
        raise ValueError(
            f"images of {tuple(images.shape)}, {len(names)} names, {len(divergences)} divergences, "
            f"{len(columns)} titles"
        )
    drawn, gain = brightened(colour_images(images))
    pictures = (255 * drawn).round().astype(np.uint8)
    latents = [
        {"name": names[latent], "divergence": divergences[latent], "strip": strip_of(pictures[latent])}
        for latent in most_informative_first(divergences)
    ]
    environment = Environment(
        loader=PackageLoader("micrographia.plots", "."),
        autoescape=select_autoescape(["j2"]),
        undefined=StrictUndefined,
    )
    height, width = images.shape[-2:]
    return environment.get_template("traversals.html.j2").render(
        title=title,
        latents=latents,
        columns=list(columns),
        axis=axis + note_of(gain),
        steps=len(columns),
        height=height,
        width=width,
    )


def strip_of(pictures: np.ndarray) -> str:
    """Images ``(steps, height, width, 3)`` side by side as a PNG, in base 64."""
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(pictures), axis=1)).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
