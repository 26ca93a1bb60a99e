"""Traversals with a slider for each latent, as one page that needs no network and no server."""

from collections.abc import Sequence

import torch

from micrographia.plots.images import brightened, colour_images, most_informative_first, note_of
from micrographia.plots.strips import strip_of, strips_page

ABOUT = (
    "Each slider moves one latent of the same image through its range; the others stay as they are. "
    "The latents that hold most stand first."
)


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
    pictures, gain = brightened(colour_images(images))
    strips = [
        strip_of(names[latent], f"{divergences[latent]:.2f} nats", axis + note_of(gain), columns, pictures[latent])
        for latent in most_informative_first(divergences)
    ]
    return strips_page(strips, title, ABOUT)
