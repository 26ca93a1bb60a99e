"""A microscope's camera: light to counts of 16 bit, with an offset and Poisson-Gaussian noise."""

import torch
from torch import Tensor

from micrographia.data.synthetic.optics import normal_sequence
from micrographia.errors import UserError

MOST_COUNTS = 2**16 - 1


class Camera:
    """Scientific camera of 16 bit.

    Parameters
    ----------
    electrons
        Electrons per pixel where the light is 1, about the brightest tenth of the cells.
    electrons_per_count
        Gain of the camera.
    offset
        Counts without light.
    read_noise
        Deviation of the readout in electrons.
    white
        Counts that become 1 in images of 0..1; what is brighter is clipped there.

    Raises
    ------
    UserError
        If a number is not positive, or ``white`` is not above ``offset`` and within 16 bit.
    """

    def __init__(
        self,
        electrons: float = 2000.0,
        electrons_per_count: float = 0.5,
        offset: float = 100.0,
        read_noise: float = 2.0,
        white: float = 8_000.0,
    ):
        for name, value in (("electrons", electrons), ("electrons_per_count", electrons_per_count)):
            if value <= 0:
                raise UserError(f"data.camera.{name}={value}: expected a number above 0.")
        if read_noise < 0 or offset < 0:
            raise UserError(f"data.camera: read_noise={read_noise} and offset={offset} must not be negative.")
        if not offset < white <= MOST_COUNTS:
            raise UserError(
                f"data.camera.white={white}: expected more than the offset {offset}, at most {MOST_COUNTS}."
            )
        self.electrons, self.electrons_per_count = electrons, electrons_per_count
        self.offset, self.read_noise, self.white = offset, read_noise, white

    def counts(self, light: Tensor, start: Tensor | None) -> Tensor:
        """Counts of the light as the camera gives them, whole numbers in 0..65535 as float32.

        Parameters
        ----------
        light
            ``(n, channels, size, size)``, 0 and more.
        start
            Where each image's noise begins in one long sequence, in 0..1, ``(n,)``; None leaves noise out.

        Notes
        -----
        Shot and readout noise together have mean, variance and skewness of a Poisson variable plus a normal one
        (Cornish and Fisher's expansion), from one normal number per pixel: a Poisson generator takes ten times as long.
        """
        expected = light * self.electrons
        if start is not None:
            normal = noise_cuts(start, expected[0].numel()).view_as(expected)
            variance = expected + self.read_noise**2
            skew = expected / variance
            noise = variance.sqrt_().addcmul_(skew, normal, value=1 / 6).mul_(normal)
            expected += noise.sub_(skew, alpha=1 / 6)
        counts = expected.div_(self.electrons_per_count).add_(self.offset).round_()
        return counts.clamp_(0, MOST_COUNTS)

    def unit_range(self, counts: Tensor) -> Tensor:
        """Counts as 0..1: 0 stays 0, so that the offset shows, and ``white`` becomes 1."""
        return (counts / self.white).clamp_(max=1)


def noise_cuts(start: Tensor, count: int) -> Tensor:
    """Runs of ``count`` standard normal numbers from one long sequence, ``(n, count)``."""
    sequence = torch.from_numpy(normal_sequence(max(2**21, 8 * count)))
    first = (start * (len(sequence) - count)).long()
    return torch.stack([sequence[place : place + count] for place in first.tolist()])


def point_spread(light: Tensor, sigma: Tensor, halo: float, halo_sigma: float) -> Tensor:
    """Images ``(n, channels, size, size)`` as the optics shows them.

    Parameters
    ----------
    light
        Light of the objects.
    sigma
        Deviation of the point spread of each image in pixels, ``(n,)``.
    halo
        Share of the light that comes from out of focus, in 0..1: a second, wide Gaussian.
    halo_sigma
        Its deviation in pixels.
    """
    size = light.shape[-1]
    wide = gaussian_weights(torch.tensor([halo_sigma]), size).expand(len(light), -1, -1)
    return blur(light, gaussian_weights(sigma, size)).mul_(1 - halo).add_(blur(light, wide), alpha=halo)


def gaussian_weights(sigma: Tensor, size: int) -> Tensor:
    """Weights ``(n, size, size)`` that blur a row or column of pixels, by deviations in pixels; they sum to 1."""
    place = torch.arange(size, dtype=torch.float32)
    # The bound keeps far weights, which count for nothing, from becoming slow denormal numbers.
    weights = torch.exp(((place[:, None] - place) ** 2 * (-0.5 / sigma**2)[:, None, None]).clamp_(min=-60))
    return weights.div_(weights.sum(2, keepdim=True))


def blur(light: Tensor, weights: Tensor) -> Tensor:
    """Images ``(n, channels, size, size)`` blurred along both axes by symmetric weights of each image."""
    n, channels, size, _ = light.shape
    across = torch.bmm(light.reshape(n, channels * size, size), weights.transpose(1, 2))
    stacked = across.view(n, channels, size, size).transpose(1, 2).reshape(n, size, channels * size)
    return torch.bmm(weights, stacked).view(n, size, channels, size).transpose(1, 2)
