"""Losses of a generator and a discriminator, as pure functions.

The published weights of the two penalties belong to images in -1..1. Gradients with respect to images in 0..1 are twice
as large, which `UNIT` undoes.
"""

import torch
from torch import Tensor
from torch.nn import functional

UNIT = 2.0
"""Length of the range of published images, -1..1, in lengths of ours."""


def generator_loss(generated: Tensor) -> Tensor:
    """Non-saturating logistic loss of the logits ``(n,)`` of generated images, mean.

    References
    ----------
    Goodfellow et al., Generative adversarial networks, NeurIPS 2014.
    """
    return functional.softplus(-generated).mean()


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Logistic loss of the logits ``(n,)`` of real and of generated images, mean."""
    return functional.softplus(-real).mean() + functional.softplus(generated).mean()


def r1(logits: Tensor, images: Tensor) -> Tensor:
    """Squared length of the gradient of real images' logits with respect to the images, mean over images.

    Parameters
    ----------
    logits
        ``(n,)``.
    images
        ``(n, channels, s, s)`` in 0..1, which the logits were computed from.

    References
    ----------
    Mescheder et al., Which training methods for GANs do actually converge?, ICML 2018 (arXiv 1801.04406).
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return (gradient / UNIT).square().sum((1, 2, 3)).mean()


def path_lengths(images: Tensor, w_plus: Tensor, noise: Tensor) -> Tensor:
    """Length of the image's gradient with respect to its code along a random direction of image space.

    Parameters
    ----------
    images
        ``(n, channels, s, s)`` in 0..1, computed from the codes.
    w_plus
        ``(n, layers, w_dim)``.
    noise
        Standard normal, of the images' shape.

    Returns
    -------
    Tensor ``(n,)``: root of the squared length over ``w_dim``, averaged over layers.

    References
    ----------
    Karras et al., Analyzing and improving the image quality of StyleGAN, CVPR 2020, section 3.2.
    """
    side = images.shape[-1]
    along = (images * (noise * (UNIT / side))).sum()
    (gradient,) = torch.autograd.grad(along, w_plus, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()
