"""Terms of the VAEs' losses as pure functions: reconstruction, KL divergence, total correlation, shared posteriors.

Means, log-variances and codes have shape ``(n, latents)``; all values are in nats.
"""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from micrographia.devices.shares import drawn


def sample(mean: Tensor, logvar: Tensor, generator: torch.Generator) -> Tensor:
    """Draw codes from diagonal Gaussians by reparametrisation, so that gradients reach mean and log-variance."""
    noise = drawn(torch.randn, mean.shape, generator, dtype=mean.dtype)
    return mean + noise * (0.5 * logvar).exp()


def kl_to_standard(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence of N(mean, exp(logvar)) from N(0, 1), per latent.

    Examples
    --------
    >>> kl_to_standard(torch.tensor([0.0, 2.0]), torch.zeros(2))
    tensor([0., 2.])
    """
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar)


def kl_between(mean_p: Tensor, logvar_p: Tensor, mean_q: Tensor, logvar_q: Tensor) -> Tensor:
    """KL(p || q) of two Gaussians, per latent.

    Examples
    --------
    >>> kl_between(torch.tensor(3.0), torch.tensor(0.0), torch.tensor(1.0), torch.tensor(0.0))
    tensor(2.)
    """
    difference = logvar_p - logvar_q
    return 0.5 * ((mean_p - mean_q).square() * (-logvar_q).exp() + difference.exp() - 1 - difference)


def symmetric_kl(mean_p: Tensor, logvar_p: Tensor, mean_q: Tensor, logvar_q: Tensor) -> Tensor:
    """Mean of KL(p || q) and KL(q || p), per latent."""
    forward = kl_between(mean_p, logvar_p, mean_q, logvar_q)
    return 0.5 * (forward + kl_between(mean_q, logvar_q, mean_p, logvar_p))


def bernoulli(target: Tensor, logits: Tensor) -> Tensor:
    """Negative log-likelihood of targets in 0..1 under Bernoulli pixels given by their logits."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(target)


def gaussian(target: Tensor, output: Tensor, deviation: float = 1.0) -> Tensor:
    """Negative log-likelihood under Gaussian pixels of one fixed standard deviation, its constant included.

    The deviation weighs reconstruction against the KL divergence: 1 (the usual choice) lets the KL dominate on small
    images in 0..1; 0.1 weighs squared errors a hundred times more.
    """
    constant = target[0].numel() * (math.log(deviation) + 0.5 * math.log(2 * math.pi))
    return 0.5 * mse(target, output) / deviation**2 + constant


def mse(target: Tensor, output: Tensor) -> Tensor:
    """Sum of squared errors.

    Examples
    --------
    >>> mse(torch.zeros(2, 3), torch.tensor([[1.0, 1.0, 0.0], [2.0, 0.0, 0.0]]))
    tensor(3.)
    """
    return F.mse_loss(output, target, reduction="sum") / len(target)


def feature_scaled(target: Tensor, output: Tensor) -> Tensor:
    """Number of features times the sum of squared errors: what the DRL papers train feature VAEs with.

    d times larger than `mse`, so that a beta of 1 here is a beta of 1/d there.
    """
    return target[0].numel() * mse(target, output)


def linear_warmup(step: float, steps: int) -> float:
    """Weight that rises from 0 at step 0 to 1 at ``steps`` and stays; 1 throughout if ``steps`` is 0.

    Examples
    --------
    >>> [linear_warmup(step, 4) for step in (0, 1, 4, 9)], linear_warmup(0, 0)
    ([0.0, 0.25, 1.0, 1.0], 1.0)
    """
    return min(1.0, step / steps) if steps else 1.0


def capacity_term(kl: Tensor, step: float, final: float, steps: int, weight: float) -> Tensor:
    """``weight * |KL - C|`` with a capacity C that rises linearly from 0 to ``final`` nats over ``steps``.

    References
    ----------
    Burgess et al., Understanding disentangling in beta-VAE, 2018 (arXiv 1804.03599), equation 8.
    """
    return weight * (kl - final * linear_warmup(step, steps)).abs()


def permute_codes(codes: Tensor, generator: torch.Generator) -> Tensor:
    """Permute each latent over the whole batch independently: samples of the product of the marginals (algorithm 1)."""
    order = torch.rand(codes.shape, generator=generator, device=codes.device).argsort(0)
    return codes.gather(0, order)


def total_correlation(logits: Tensor) -> Tensor:
    """Total correlation of codes, estimated by a discriminator's logits of "codes, not permuted codes".

    The logit is log D / (1 - D): for the ideal discriminator the log density ratio of the joint distribution and the
    product of its marginals, whose mean over the joint is the total correlation (Kim & Mnih, equation 3).
    """
    return logits.mean()


def discriminator_loss(joint: Tensor, permuted: Tensor) -> Tensor:
    """Cross-entropy of telling codes from permuted codes by their logits; log 2 if they cannot be told apart."""
    return 0.5 * (F.softplus(-joint).mean() + F.softplus(permuted).mean())


def below_midpoint(delta: Tensor, threshold: Literal["pair", "batch"]) -> Tensor:
    """Mask of the latents that a pair shares: those whose divergence is at most the midpoint of lowest and highest.

    Parameters
    ----------
    delta
        Symmetric KL divergence between the two posteriors, ``(pairs, latents)``.
    threshold
        Lowest and highest of each pair (the paper), or of the whole batch (the DRL papers' code).

    Examples
    --------
    >>> below_midpoint(torch.tensor([[0.0, 1.0, 4.0], [0.0, 0.1, 0.3]]), "pair")
    tensor([[ True,  True, False],
            [ True,  True, False]])
    >>> below_midpoint(torch.tensor([[0.0, 1.0, 4.0], [0.0, 0.1, 0.3]]), "batch")
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    lowest, highest = delta.aminmax(dim=1, keepdim=True)
    if threshold == "batch":
        lowest, highest = lowest.min(), highest.max()
    return delta <= 0.5 * (lowest + highest)


def all_but_changed(changed: Tensor, latents: int) -> Tensor:
    """Mask of shared latents under the `labels` rule: all but those whose index is that of a changed factor.

    Parameters
    ----------
    changed
        Bool ``(pairs, factors)``.
    latents
        At least the number of factors; latents beyond it are always shared.

    Examples
    --------
    >>> all_but_changed(torch.tensor([[False, True]]), 3)
    tensor([[ True, False,  True]])
    """
    return F.pad(~changed, (0, latents - changed.shape[1]), value=True)


def average_shared(mean: Tensor, logvar: Tensor, shared: Tensor) -> tuple[Tensor, Tensor]:
    """Replace shared latents of both posteriors by their average: mean of means, mean of variances.

    Parameters
    ----------
    mean, logvar
        ``(2 * pairs, latents)``: first images, then their partners.
    shared
        Bool ``(pairs, latents)``.
    """
    first, second = mean.chunk(2)
    averaged_mean = (0.5 * (first + second)).repeat(2, 1)
    averaged_logvar = (torch.logaddexp(*logvar.chunk(2)) - math.log(2)).repeat(2, 1)
    shared = shared.repeat(2, 1)
    return torch.where(shared, averaged_mean, mean), torch.where(shared, averaged_logvar, logvar)
