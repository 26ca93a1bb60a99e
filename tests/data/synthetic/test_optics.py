import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from micrographia.data.synthetic.optics import blur, photon_noise

LIGHT = np.random.default_rng(0).random((3, 3, 40, 40), np.float32)


def test_blur_is_a_gaussian_filter():
    sigma = np.array([0.4, 0.9, 1.5], np.float32)
    expected = [
        gaussian_filter(image, (0, s, s), mode="nearest", radius=(0, 4, 4))
        for image, s in zip(LIGHT, sigma, strict=True)
    ]
    np.testing.assert_allclose(blur(LIGHT, sigma, 4), expected, atol=1e-5)


def test_noise_grows_with_the_square_root_of_the_light():
    light = np.repeat(np.array([0.0, 0.25, 1.0], np.float32), 3 * 64 * 64).reshape(3, 3, 64, 64)
    noisy = photon_noise(light, np.full(3, 0.02, np.float32), np.array([0.0, 0.4, 0.999]))
    assert (noisy - light).std((1, 2, 3)) == pytest.approx([0, 0.01, 0.02], rel=0.03)
    assert (noisy - light).mean((1, 2, 3)) == pytest.approx(0, abs=1e-3)
