"""How close super-resolved images are to the true ones, one value per image."""

from collections.abc import Callable
from functools import cache

import pandas as pd
import torch
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

MS_SSIM_SIDE = 161
"""Smallest image for the five scales of MS-SSIM with its window of 11 px."""
FAINTEST = 1e-12
"""Power of one frequency, relative to that of a pixel at intensity 1, below which rounding is all there is."""


def image_scores(
    images: Tensor,
    truth: Tensor,
    low: Tensor | None = None,
    degrade: Callable[[Tensor], Tensor] | None = None,
    features: Callable[[Tensor], Tensor] | None = None,
) -> pd.DataFrame:
    """All scores of images against the truth, one row per image.

    Parameters
    ----------
    images, truth
        ``(n, channels, S, S)`` in 0..1; taken as they are, not clamped.
    low, degrade
        Low-resolution images and the degradation, for ``lr_residual``.
    features
        From images to features ``(n, ...)``, for ``perceptual``.

    Returns
    -------
    DataFrame with columns ``psnr``, ``ssim``, ``ms_ssim``, ``spectrum_error``, ``lr_residual``, ``perceptual``; NaN for
    an image that holds NaN, and where a score does not apply.
    """
    scores = {
        "psnr": psnr(images, truth),
        "ssim": ssim(images, truth),
        "ms_ssim": ms_ssim(images, truth),
        "spectrum_error": spectrum_error(images, truth),
    }
    if low is not None and degrade is not None:
        scores["lr_residual"] = lr_residual(images, low, degrade)
    if features is not None:
        scores["perceptual"] = perceptual_distance(images, truth, features)
    return pd.DataFrame({name: score.double().cpu().numpy() for name, score in scores.items()})


def psnr(images: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB for a range of 1; infinite where nothing differs.

    Examples
    --------
    >>> psnr(torch.full((1, 1, 4, 4), 0.5), torch.full((1, 1, 4, 4), 0.4))
    tensor([20.])
    """
    return peak_signal_noise_ratio(images, truth, data_range=1.0, reduction="none", dim=(1, 2, 3))


def ssim(images: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity for a range of 1, Gaussian window of 1.5 px; 1 where nothing differs.

    References
    ----------
    Wang et al., Image quality assessment, IEEE TIP 2004.
    """
    return similarity(structural_similarity_index_measure(images, truth, data_range=1.0, reduction="none"))


def ms_ssim(images: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity at five scales; NaN for images below 161 px, which the scales do not fit.

    References
    ----------
    Wang et al., Multiscale structural similarity for image quality assessment, Asilomar 2003.
    """
    if min(images.shape[-2:]) < MS_SSIM_SIDE:
        return images.new_full((len(images),), torch.nan)
    return similarity(
        multiscale_structural_similarity_index_measure(
            images, truth, data_range=1.0, reduction="none", normalize="relu"
        )
    )


def similarity(values: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """The similarities ``(n,)`` of what torchmetrics returns, which is no vector for a single image."""
    return (values[0] if isinstance(values, tuple) else values).reshape(-1)


def lr_residual(images: Tensor, low: Tensor, degrade: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean absolute difference between degraded images and the low-resolution ones."""
    return (degrade(images) - low).abs().flatten(1).mean(1)


def perceptual_distance(images: Tensor, truth: Tensor, features: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean squared difference of features; name the extractor wherever the score is shown."""
    return (features(images) - features(truth)).square().flatten(1).mean(1)


def spectrum_error(images: Tensor, truth: Tensor) -> Tensor:
    """Error of the radially averaged power spectrum in dB: mean absolute log ratio over radii and channels.

    0 where the spectra agree; an image of a quarter of the contrast has 12 dB. Blind to position: shifts cost nothing.

    Examples
    --------
    >>> truth = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> spectrum_error(0.1 * truth, truth)
    tensor([20.], dtype=torch.float64)
    """
    ratio = radial_power_spectrum(images).log10() - radial_power_spectrum(truth).log10()
    return 10 * ratio.abs().flatten(1).mean(1)


def radial_power_spectrum(images: Tensor) -> Tensor:
    """Mean power at each whole radius from 1 to half the side, ``(n, channels, S // 2)``.

    Power is that of one frequency over the number of pixels: white noise of variance v has power v at all radii.
    """
    power = torch.fft.fft2(images).abs().square() / (images.shape[-1] * images.shape[-2])
    membership = radii(images.shape[-2], images.shape[-1]).to(power)
    return (power.flatten(2) @ membership).clamp(min=FAINTEST)


@cache
def radii(height: int, width: int) -> Tensor:
    """Weights ``(height * width, radii)`` of the frequencies in the mean at each radius.

    Examples
    --------
    >>> radii(8, 8).shape, radii(8, 8).sum(0)
    (torch.Size([64, 4]), tensor([1., 1., 1., 1.]))
    """
    down, across = (torch.fft.fftfreq(side) * min(height, width) for side in (height, width))
    radius = (down[:, None].square() + across.square()).sqrt().round().long().flatten()
    member = (radius[:, None] == torch.arange(1, min(height, width) // 2 + 1)).float()
    return member / member.sum(0)
