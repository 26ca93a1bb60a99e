"""Adaptive augmentation of what the discriminator sees, restricted to changes that a microscope makes by itself."""

from typing import Literal

import torch
from torch import Tensor, nn

from micrographia.devices.shares import drawn
from micrographia.models.augmentation import flip_and_turn

SHIFT = 0.125  # largest translation, as a share of the side
BRIGHTNESS = 0.2  # standard deviation of the binary logarithm of a channel's factor
INTERVAL = 4  # batches between two changes of the probability
CEILING = 0.85  # nearer to 1 the generator would learn the changed images themselves


class AdaptiveAugmentation(nn.Module):
    """Flips and quarter turns, integer translation, brightness of each channel: each with probability p.

    All leave the distribution recoverable while p stays below 1. The probability rises while the discriminator's
    outputs on real training images are positive too often, which is how overfitting begins, and falls otherwise.

    Parameters
    ----------
    mode
        ``adaptive``; ``fixed``: p stays; ``none``: images pass through.
    p
        Probability of each change at the start.
    target
        Mean sign of the discriminator's outputs on real images that is held.
    speed
        Images, in thousands, in which p can rise from 0 to 1.

    References
    ----------
    Karras et al., Training generative adversarial networks with limited data, NeurIPS 2020 (arXiv 2006.06676).

    Examples
    --------
    >>> augment = AdaptiveAugmentation(mode="fixed", p=1.0)
    >>> augment(torch.rand(2, 3, 8, 8), torch.Generator()).shape
    torch.Size([2, 3, 8, 8])
    """

    probability: Tensor
    signs: Tensor
    seen: Tensor

    def __init__(
        self,
        mode: Literal["adaptive", "fixed", "none"] = "adaptive",
        p: float = 0.0,
        target: float = 0.6,
        speed: float = 500.0,
    ):
        super().__init__()
        self.mode = mode
        self.target = target
        self.speed = speed
        self.register_buffer("probability", torch.tensor(float(p)))
        self.register_buffer("signs", torch.tensor(0.0))
        self.register_buffer("seen", torch.tensor(0.0))

    def forward(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Changed copies of images ``(n, channels, s, s)`` in 0..1; gradients pass."""
        if self.mode == "none":
            return images
        images = torch.where(self.chosen(images, 1, generator), flip_and_turn(images, generator), images)
        images = self.translate(images, generator)
        return images * self.factors(images, generator)

    def chosen(self, images: Tensor, channels: int, generator: torch.Generator) -> Tensor:
        """Which images a change is made to: ``(n, channels, 1, 1)``, bool."""
        return drawn(torch.rand, (len(images), channels, 1, 1), generator) < self.probability

    def translate(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Shift chosen images by whole pixels, up to an eighth of the side; what comes in is the mirrored border."""
        side = images.shape[-1]
        reach = 2 * drawn(torch.rand, (2, len(images), 1, 1, 1), generator, dim=1) - 1
        shifts = (reach * (SHIFT * side)).round().long() * self.chosen(images, 1, generator)
        places = torch.arange(side, device=images.device)
        rows, columns = (mirrored(places - shift[:, :, 0], side) for shift in shifts)
        images = images.gather(2, rows[:, :, :, None].expand_as(images))
        return images.gather(3, columns[:, :, None, :].expand_as(images))

    def factors(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Factor of each channel, ``(n, channels, 1, 1)``: a lamp or an exposure; a dark background stays dark."""
        exponents = drawn(torch.randn, (*images.shape[:2], 1, 1), generator)
        return torch.exp2(BRIGHTNESS * exponents * self.chosen(images, images.shape[1], generator))

    @torch.no_grad()
    def adapt(self, real: Tensor, batches: int) -> None:
        """Take note of the logits of (augmented) real images, and every fourth batch move the probability."""
        if self.mode != "adaptive":
            return
        self.signs += real.sign().sum()
        self.seen += len(real)
        if (batches + 1) % INTERVAL == 0:
            step = self.seen / (self.speed * 1000)
            self.probability += (self.signs / self.seen - self.target).sign() * step
            self.probability.clamp_(0, CEILING)
            self.signs.zero_()
            self.seen.zero_()


def mirrored(places: Tensor, side: int) -> Tensor:
    """Indices beyond the border reflected into 0..side-1, without repeating the border itself.

    Examples
    --------
    >>> mirrored(torch.tensor([-2, 0, 3, 4]), 4).tolist()
    [2, 0, 3, 2]
    """
    return (side - 1) - ((side - 1) - places.abs()).abs()
