"""Terms of the search's loss as pure functions: one value per image, no image in another's value.

Low-resolution images are ``(n, channels, s, s)`` in 0..1; styles and codes are ``(n, layers, d)``.
"""

import torch
from torch import Tensor
from torch.nn import functional

from micrographia.models.flow import SLOPE


def l1(low: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of each image.

    Examples
    --------
    >>> l1(torch.zeros(2, 1, 2, 2), torch.tensor([0.0, 0.5]).view(2, 1, 1, 1).expand(2, 1, 2, 2))
    tensor([0.0000, 0.5000])
    """
    return (low - target).abs().flatten(1).mean(1)


def l2(low: Tensor, target: Tensor, floor: float = 0.0) -> Tensor:
    """Mean squared difference of each image; below the floor it is the floor, and has no gradient."""
    return (low - target).square().flatten(1).mean(1).clamp(min=floor)


def charbonnier(low: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of ``sqrt(difference^2 + epsilon^2)``: the absolute difference, made smooth at 0."""
    return ((low - target).square() + epsilon**2).sqrt().flatten(1).mean(1)


def poisson(low: Tensor, target: Tensor, photons: float, read_variance: float = 1.0) -> Tensor:
    """Deviance per pixel of photon counts with expectation ``low``: twice the negative log likelihood above its least.

    The shifted Poisson model: read noise of variance v adds v to counts and to their expectation. A generated image may
    be slightly negative: where the shifted expectation falls below v / 2 the deviance is continued by its parabola
    there, so that it stays finite and leads back.

    Parameters
    ----------
    photons
        Counts at intensity 1.
    read_variance
        Variance of the camera's read noise in squared counts, positive.

    References
    ----------
    Snyder et al., Image recovery from data acquired with a charge-coupled-device camera, JOSA A 1993.

    Examples
    --------
    >>> poisson(torch.tensor([[0.25], [0.5]]), torch.tensor([[0.25], [0.25]]), photons=100)
    tensor([ 0.0000, 14.9661])
    """
    expected = photons * low + read_variance
    counts = (photons * target).clamp(min=0) + read_variance
    least = read_variance / 2
    inside = expected.clamp(min=least)
    deviance = 2 * (inside - counts + counts * (counts / inside).log())
    below = expected - inside
    deviance = deviance + 2 * (1 - counts / least) * below + counts * (below / least).square()
    return deviance.flatten(1).mean(1)


def p_norm(base: Tensor) -> Tensor:
    """Squared distance of Gaussianised styles from the shell on which normal vectors lie: ``(|base_l| - sqrt(d))^2``.

    Mean over the layers.

    Examples
    --------
    >>> p_norm(torch.full((1, 2, 16), 2.0))
    tensor([16.])
    """
    return (torch.linalg.vector_norm(base, dim=2) - base.shape[2] ** 0.5).square().mean(1)


def euclidean_cross(codes: Tensor) -> Tensor:
    """Mean Euclidean distance over the pairs of layers; 0 for one layer.

    Examples
    --------
    >>> euclidean_cross(torch.tensor([[[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]]]))
    tensor([3.3333])
    """
    first, second = pairs(codes)
    # The norm's gradient is 0 where two layers agree, as at the start from the mean.
    return mean_over_pairs(torch.linalg.vector_norm(first - second, dim=2))


def geodesic_cross(codes: Tensor) -> Tensor:
    """Mean squared angle over all ordered pairs of layers, a layer with itself included, times d / 8.

    References
    ----------
    Menon et al., PULSE, CVPR 2020 (arXiv 2003.03808); mean and factor are those of its code, at d = 512.
    """
    layers, width = codes.shape[1:]
    first, second = pairs(codes)
    difference, total = torch.linalg.vector_norm(first - second, dim=2), torch.linalg.vector_norm(first + second, dim=2)
    angles = 2 * torch.atan2(difference, total)
    return angles.square().sum(1) * (2 / layers**2) * (width / 8)


def cosine_cross(codes: Tensor) -> Tensor:
    """Sum of ``|1 - cos|`` over all ordered pairs of layers.

    References
    ----------
    Marinescu et al., Bayesian image reconstruction using deep generative models, 2020 (arXiv 2012.04567).
    """
    first, second = pairs(codes)
    return 2 * (1 - functional.cosine_similarity(first, second, dim=2)).abs().sum(1)


def mahalanobis(v: Tensor, mean: Tensor, whitening: Tensor) -> Tensor:
    """Squared Mahalanobis distance of each layer from the samples' mean, mean over the layers.

    Parameters
    ----------
    v
        LReLU_5 of the styles.
    mean, whitening
        ``(d,)`` and ``(d, d)``: ``(v - mean) @ whitening`` has unit covariance.

    References
    ----------
    Wulff & Torralba, Improving inversion and generation diversity in StyleGAN using a Gaussianized latent space, 2020
    (arXiv 2009.06529).
    """
    return ((v - mean) @ whitening).square().sum(2).mean(1)


def mean_distance(styles: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """Mean over layers and entries of ``(w - mean)^2 / spread^2``, the spread one number (as in BRGM)."""
    return ((styles - mean) / spread).square().flatten(1).mean(1)


def leaky(values: Tensor, slope: float = SLOPE) -> Tensor:
    """LReLU with a slope below 0; ``leaky(leaky(w, 5), 1 / 5)`` is w."""
    return functional.leaky_relu(values, slope)


def pairs(codes: Tensor) -> tuple[Tensor, Tensor]:
    """The two layers of every pair l < l', each ``(n, pairs, d)``."""
    first, second = torch.triu_indices(codes.shape[1], codes.shape[1], offset=1, device=codes.device)
    return codes[:, first], codes[:, second]


def mean_over_pairs(values: Tensor) -> Tensor:
    """Mean over ``(n, pairs)``; 0 where there is no pair."""
    return values.sum(1) / max(values.shape[1], 1)
