"""How far generated images are from real ones in the features of a frozen network: Frechet and kernel distance."""

import warnings
from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from micrographia.errors import UserError

SUBSETS, LARGEST_SUBSET = 100, 1000  # of the kernel distance, as published


class FeatureNetwork(Protocol):
    """What is asked of the network: see `micrographia.models.backbones`."""

    name: str
    size: int
    features: int

    def __call__(self, images: Tensor) -> Tensor:
        """Features ``(n, features)`` of images ``(n, 3, size, size)`` in 0..1."""
        ...


class ImageFeatures(nn.Module):
    """Features of microscopy images by a network of colour images.

    Three channels are taken as red, green and blue. Of any other number each channel is seen in grey, and their
    features stand side by side.

    Parameters
    ----------
    network
        Takes ``(n, 3, size, size)`` in 0..1.
    channels
        Of the images.
    """

    def __init__(self, network: FeatureNetwork, channels: int):
        super().__init__()
        self.network = network
        self.views = 1 if channels == 3 else channels
        self.num_features = network.features * self.views

    def forward(self, images: Tensor) -> Tensor:
        """``(n, channels, s, s)`` in 0..1 to ``(n, num_features)``, float32."""
        size = self.network.size
        if images.shape[-1] != size:
            images = functional.interpolate(images, (size, size), mode="bicubic", antialias=True)
        images = images.clamp(0, 1)
        if self.views == 1 and images.shape[1] == 3:
            return self.network(images).float()
        grey = images.flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
        return self.network(grey).float().view(len(images), -1)


class FrechetScores:
    """Frechet distance (FID's formula) and kernel distance (KID's) over a network's features.

    Both depend on the number of images; compare only values of the same number. They are called FID and KID where the
    network is Inception, and by its name otherwise.

    Parameters
    ----------
    network
        Frozen, see `FeatureNetwork`.
    real
        Batches of real images ``(n, channels, s, s)`` in 0..1; at least 2 images.

    Raises
    ------
    UserError
        If there are fewer than two real images.

    References
    ----------
    Heusel et al., GANs trained by a two time-scale update rule, NeurIPS 2017 (arXiv 1706.08500); Binkowski et al.,
    Demystifying MMD GANs, ICLR 2018 (arXiv 1801.01401).
    """

    def __init__(self, network: FeatureNetwork, real: Iterable[Tensor]):
        self.name = network.name
        self.network = network
        self.features = list(self.extracted(real))
        self.count = sum(map(len, self.features))
        if self.count < 2:
            raise UserError(f"{self.count} real images: a distance between distributions needs two or more.")

    @torch.no_grad()
    def extracted(self, batches: Iterable[Tensor]) -> Iterable[Tensor]:
        """Features of each batch."""
        for images in batches:
            yield ImageFeatures(self.network, images.shape[1])(images)

    def __call__(self, generated: Iterable[Tensor]) -> dict[str, float]:
        """Distances of generated images, which come in batches like the real ones.

        Returns
        -------
        dict
            ``frechet/<features>`` and ``kernel/<features>``, or ``fid`` and ``kid``; 0 for equal distributions.
        """
        theirs = list(self.extracted(generated))
        subset = min(LARGEST_SUBSET, self.count, sum(map(len, theirs)))
        given = Given(self.features[0].shape[1])
        frechet = FrechetInceptionDistance(feature=given, normalize=True).to(theirs[0].device)
        with warnings.catch_warnings(action="ignore"):  # that it keeps the features, which are here already
            kernel = KernelInceptionDistance(given, SUBSETS, subset, normalize=True).to(theirs[0].device)
        for batches, real in ((self.features, True), (theirs, False)):
            for batch in batches:
                frechet.update(batch, real=real)
                kernel.update(batch, real=real)
        names = ("fid", "kid") if self.name.startswith("inception") else (f"frechet/{self.name}", f"kernel/{self.name}")
        with torch.random.fork_rng(devices=[]):  # the kernel distance draws its subsets from the global generator
            torch.manual_seed(0)
            return dict(zip(names, (float(frechet.compute()), float(kernel.compute()[0])), strict=True))


class Given(nn.Module):
    """Stands for the feature network in torchmetrics: the features are given."""

    def __init__(self, features: int):
        super().__init__()
        self.num_features = features

    def forward(self, features: Tensor) -> Tensor:
        """The features themselves."""
        return features
