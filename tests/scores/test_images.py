import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch.nn import functional

from micrographia.scores import images as scores


def noise(*shape, seed=0):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_what_is_the_same_scores_best():
    truth = noise(3, 2, 32, 32)
    table = scores.image_scores(truth, truth, functional.avg_pool2d(truth, 4), lambda x: functional.avg_pool2d(x, 4))
    assert np.isinf(table["psnr"]).all()
    assert table["ssim"].to_numpy() == pytest.approx(1)
    assert (table["spectrum_error"] == 0).all()
    assert (table["lr_residual"] == 0).all()
    assert table["ms_ssim"].isna().all()
    assert list(table) == ["psnr", "ssim", "ms_ssim", "spectrum_error", "lr_residual"]


def test_psnr_and_ssim_are_those_of_scikit_image():
    truth, other = noise(3, 1, 48, 48), noise(3, 1, 48, 48, seed=1) * 0.2
    images = (0.8 * truth + other).clamp(0, 1)
    table = scores.image_scores(images, truth)
    for row in range(3):
        ours, theirs = images[row, 0].numpy(), truth[row, 0].numpy()
        assert table["psnr"][row] == pytest.approx(peak_signal_noise_ratio(theirs, ours, data_range=1))
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
        assert table["ssim"][row] == pytest.approx(structural_similarity(theirs, ours, **options), abs=2e-3)


def test_ms_ssim_where_the_size_allows():
    truth = noise(2, 1, 176, 176)
    assert scores.ms_ssim(truth, truth).numpy() == pytest.approx(1)
    assert (scores.ms_ssim(0.5 * truth + 0.25, truth) < 0.99).all()
    assert scores.ms_ssim(truth[:1], truth[:1]).shape == (1,)


def test_one_image_alone_and_a_nan_among_others():
    truth, images = noise(3, 2, 32, 32), noise(3, 2, 32, 32, seed=1)
    whole = scores.image_scores(images, truth)
    alone = scores.image_scores(images[1:2], truth[1:2])
    np.testing.assert_allclose(whole.iloc[[1]], alone)
    broken = images.clone()
    broken[0, 0, 3, 3] = torch.nan
    table = scores.image_scores(broken, truth)
    assert table.iloc[0].isna().all()
    np.testing.assert_allclose(table.iloc[1:], whole.iloc[1:])


def test_white_noise_has_its_variance_at_every_radius():
    spectrum = scores.radial_power_spectrum(torch.from_numpy(np.random.default_rng(0).normal(0, 0.3, (400, 1, 32, 32))))
    assert spectrum.shape == (400, 1, 16)
    assert spectrum.mean((0, 1)).numpy() == pytest.approx(0.09, rel=0.05)


def test_a_wave_is_at_its_radius():
    place = torch.arange(32) / 32
    wave = torch.cos(2 * math.pi * 5 * place).expand(1, 1, 32, 32)
    assert scores.radial_power_spectrum(wave)[0, 0].argmax() == 4  # radius 5: radii begin with 1


def test_blur_is_seen_and_a_shift_is_not():
    truth = noise(2, 1, 32, 32)
    blurred = functional.avg_pool2d(functional.pad(truth, [1] * 4, mode="circular"), 3, 1)
    assert (scores.spectrum_error(blurred, truth) > 3).all()
    assert scores.spectrum_error(truth.roll((3, 5), (2, 3)), truth).numpy() == pytest.approx(0, abs=1e-9)
    assert scores.spectrum_error(torch.full_like(truth, 0.5), truth).isfinite().all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 4))
def test_scaling_costs_its_decibels_and_the_constant_nothing(seed, scale):
    truth = noise(1, 1, 24, 24, seed=seed)
    error = scores.spectrum_error(scale * truth + 0.1, truth).item()
    assert error == pytest.approx(abs(20 * math.log10(scale)), abs=1e-6)


def test_perceptual_distance_is_over_the_given_features():
    truth, images = noise(2, 1, 8, 8), noise(2, 1, 8, 8, seed=1)
    table = scores.image_scores(images, truth, features=lambda x: x.mean((2, 3)))
    expected = (images.mean((2, 3)) - truth.mean((2, 3))).square().mean(1)
    assert table["perceptual"].to_numpy() == pytest.approx(expected.numpy())
