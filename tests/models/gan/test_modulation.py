import pytest
import torch

from micrographia.models.gan.modulation import ToImage, demodulation, grouped_convolution, scaled_convolution
from micrographia.models.gan.resampling import Resampling

N, INPUTS, OUTPUTS, SIDE = 3, 5, 4, 6


@pytest.fixture
def draws():
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    return draw(N, INPUTS, SIDE, SIDE), draw(OUTPUTS, INPUTS, 3, 3), draw(N, INPUTS)


@pytest.mark.parametrize("resampling", [None, Resampling().double()])
def test_scaled_activations_equal_modulated_weights_and_so_do_their_gradients(draws, resampling):
    images, weight, styles = draws
    factors = demodulation(weight, styles)[:, :, None, None]
    ours = scaled_convolution(images, weight, styles, resampling) * factors
    published = grouped_convolution(images, weight, styles, resampling)
    side = SIDE if resampling is None else 2 * SIDE
    assert ours.shape == published.shape == (N, OUTPUTS, side, side)
    torch.testing.assert_close(ours, published, rtol=1e-10, atol=1e-12)
    for of_ours, of_published in zip(
        torch.autograd.grad(ours.square().sum(), draws),
        torch.autograd.grad(published.square().sum(), draws),
        strict=True,
    ):
        torch.testing.assert_close(of_ours, of_published, rtol=1e-9, atol=1e-10)


def test_demodulation_restores_unit_variance(draws):
    _, weight, styles = draws
    images = torch.randn(N, INPUTS, 200, 200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        outputs = scaled_convolution(images, weight, styles) * demodulation(weight, styles)[:, :, None, None]
    assert outputs.std((2, 3)) == pytest.approx(torch.ones(N, OUTPUTS), abs=0.05)


def test_to_image_is_a_modulated_convolution_of_one_pixel():
    torch.manual_seed(0)
    layer = ToImage(w_dim=3, inputs=INPUTS, channels=2).double()
    images, code = torch.randn(N, INPUTS, SIDE, SIDE).double(), torch.randn(N, 3).double()
    styles = layer.affine(code) * layer.scale
    expected = scaled_convolution(images, layer.weight[:, :, None, None], styles) + layer.bias[:, None, None]
    torch.testing.assert_close(layer(images, code), expected)


def test_resampling_keeps_the_brightness_and_is_its_own_transpose():
    resampling = Resampling().double()
    flat = torch.ones(1, 2, 8, 8).double()
    assert resampling.downsample(flat)[0, 0, 1:-1, 1:-1] == pytest.approx(torch.ones(2, 2))
    assert resampling.upsample(flat)[0, 0, 1:-1, 1:-1] == pytest.approx(torch.ones(14, 14))
    assert resampling.blur(flat, padding=2).shape == (1, 2, 9, 9)
    small, large = torch.randn(1, 1, 4, 4).double(), torch.randn(1, 1, 8, 8).double()
    up, down = (resampling.upsample(small) * large).sum(), (small * resampling.downsample(large)).sum()
    torch.testing.assert_close(up, 4 * down)
