"""Running averages of weights, which are steadier than the weights that are trained."""

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

RAMPUP = 0.05  # the half-life is at most this share of the images seen


def decay(count: int, seen: int, kimg: float = float("inf")) -> float:
    """Share of a running average that stays after a batch of ``count`` images, when ``seen`` images came before it.

    Parameters
    ----------
    kimg
        Half-life, in thousands of images, where it is below a twentieth of the images seen; 0: no average.

    Examples
    --------
    >>> decay(32, 0), decay(50, 1000), decay(1000, 1_000_000, kimg=1.0)
    (0.0, 0.5, 0.5)
    """
    half_life = min(kimg * 1000, seen * RAMPUP)
    return 0.5 ** (count / half_life) if half_life else 0.0


@torch.no_grad()
def update_average(average: nn.Module, learner: nn.Module, count: int, seen: int, kimg: float) -> None:
    """Draw the average towards the learner, by the images of one batch.

    Parameters
    ----------
    average, learner
        Of the same architecture.
    count
        Images of the batch.
    seen
        Images trained on so far; at 0 the average is the learner.
    kimg
        Half-life, in thousands of images; 0: no average.

    References
    ----------
    Karras et al., Progressive growing of GANs, ICLR 2018 (arXiv 1710.10196), section A.1; ramp-up as in StyleGAN2-ADA.
    """
    get_ema_multi_avg_fn(decay(count, seen, kimg))(list(average.parameters()), list(learner.parameters()), 0)
