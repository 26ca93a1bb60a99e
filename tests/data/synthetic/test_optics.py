import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from micrographia.data.synthetic.optics import blur, photon_noise

LIGHT = np.random.default_rng(0).random((3, 3, 40, 40), np.float32)


def test_blur_is_a_gaussian_filter_renormalised_at_the_borders():
    sigma = np.array([0.3, 0.8, 3.0])
    for image, deviation, blurred in zip(LIGHT, sigma, blur(LIGHT, sigma), strict=True):
        reach = {"sigma": (0, deviation, deviation), "mode": "constant", "truncate": 8}
        expected = gaussian_filter(image, **reach) / gaussian_filter(np.ones_like(image), **reach)
        np.testing.assert_allclose(blurred, expected, atol=1e-5)


def test_noise_grows_with_the_square_root_of_the_light():
    light = np.repeat(np.array([0.0, 0.25, 1.0], np.float32), 3 * 64 * 64).reshape(3, 3, 64, 64)
    noisy = photon_noise(light, np.full(3, 0.02, np.float32), np.array([0.0, 0.4, 0.999]))
    assert (noisy - light).std((1, 2, 3)) == pytest.approx([0, 0.01, 0.02], rel=0.03)
    assert (noisy - light).mean((1, 2, 3)) == pytest.approx(0, abs=1e-3)
