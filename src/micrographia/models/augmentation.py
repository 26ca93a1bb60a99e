"""Random changes of training images that leave their class as it is."""

import torch
from torch import Tensor

from micrographia.devices.shares import drawn


def flip_and_turn(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image in one of the square's eight orientations, drawn uniformly; one that is not square is only flipped.

    Examples
    --------
    >>> images = torch.arange(4.0).view(1, 1, 2, 2)
    >>> flip_and_turn(images, torch.Generator()).flatten().sort().values
    tensor([0., 1., 2., 3.])
    """
    draws = drawn(torch.rand, (3, len(images), 1, 1, 1), generator, dim=1)
    across, down, transposed = (draws < 0.5).unbind()
    images = torch.where(across, images.flip(-1), images)
    images = torch.where(down, images.flip(-2), images)
    if images.shape[-1] == images.shape[-2]:
        images = torch.where(transposed, images.transpose(-1, -2), images)
    return images
