import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from micrographia.config import config_directory, instantiate
from micrographia.degradations import (
    AveragePooling,
    Bicubic,
    Degradation,
    GaussianBlur,
    GaussianNoise,
    GaussianPointSpread,
    PoissonGaussianNoise,
    SaltAndPepper,
)
from micrographia.errors import UserError
from micrographia.tasks.recovery_inputs import as_seen

CONFIGS = sorted(file.stem for file in (config_directory() / "degradation").glob("*.yaml"))
UNTOLD = sorted(file.stem for file in (config_directory() / "untold").glob("*.yaml"))
FACTORS = [2, 4, 8, 16, 32, 64]


def images(count=2, channels=2, size=64, dtype=torch.float64):
    return torch.rand(count, channels, size, size, generator=torch.manual_seed(3), dtype=dtype)


def explicit_bicubic(image, factor):
    """Reference: every weight of the two-dimensional kernel written out, padding by reflection, strided."""
    width = 4 * factor
    kernel = []
    for tap in range(width):
        x = abs((tap - width / 2 + 0.5) / factor)
        near = 1.5 * x**3 - 2.5 * x**2 + 1
        kernel.append(near if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
    kernel = torch.tensor(kernel, dtype=image.dtype)
    kernel /= kernel.sum()
    pad = (width - factor) // 2
    padded = F.pad(image, (pad, pad, pad, pad), mode="reflect")
    channels = image.shape[1]
    weight = torch.outer(kernel, kernel).expand(channels, 1, width, width)
    return F.conv2d(padded, weight, stride=factor, groups=channels)


@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32])
def test_bicubic_is_the_explicit_kernel(factor):
    image = images()
    torch.testing.assert_close(Bicubic(factor)(image), explicit_bicubic(image, factor), rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", [3, 5])
def test_odd_factors_keep_the_image_in_place(factor):
    ramp = torch.arange(60.0, dtype=torch.float64).expand(1, 1, 60, 60)
    expected = torch.arange(60.0, dtype=torch.float64).view(-1, factor).mean(1)
    torch.testing.assert_close(Bicubic(factor)(ramp)[0, 0, 0, 3:-3], expected[3:-3])


@pytest.mark.parametrize("factor", [2, 8])
def test_bicubic_agrees_with_torch_inside(factor):
    image = images()
    reference = F.interpolate(image, scale_factor=1 / factor, mode="bicubic", antialias=True)
    torch.testing.assert_close(Bicubic(factor)(image)[..., 2:-2, 2:-2], reference[..., 2:-2, 2:-2], rtol=0, atol=1e-6)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("filter_class", [Bicubic, AveragePooling, GaussianPointSpread])
def test_a_constant_stays_constant_and_the_size_shrinks(filter_class, factor):
    small = filter_class(factor)(torch.full((1, 3, 64, 128), 0.3, dtype=torch.float64))
    assert small.shape == (1, 3, 64 // factor, 128 // factor)
    torch.testing.assert_close(small, torch.full_like(small, 0.3))


def test_average_pooling_is_torchs():
    torch.testing.assert_close(AveragePooling(8)(images()), F.avg_pool2d(images(), 8))


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.5])
def test_blur_and_point_spread_are_scipys(sigma):
    ndimage = pytest.importorskip("scipy.ndimage")
    image = images(1, 1)
    expected = ndimage.gaussian_filter(image[0, 0].numpy(), sigma, mode="mirror", radius=int(np.ceil(4 * sigma)))
    torch.testing.assert_close(GaussianBlur(sigma)(image)[0, 0], torch.from_numpy(expected))
    pooled = F.avg_pool2d(torch.from_numpy(expected)[None], 4)[0]
    small = GaussianPointSpread(4, sigma)(image)[0, 0]
    torch.testing.assert_close(small[2:-2, 2:-2], pooled[2:-2, 2:-2], rtol=0, atol=1e-3)


@pytest.mark.parametrize("step", [Bicubic(4), AveragePooling(4), GaussianPointSpread(4), GaussianBlur(1.0)])
def test_filters_are_linear_and_their_gradient_is_exact(step):
    first, second = images(2, 1, 16).split(1)
    torch.testing.assert_close(step(2 * first - 3 * second), 2 * step(first) - 3 * step(second))
    assert torch.autograd.gradcheck(step, first.requires_grad_())


def test_the_gradient_of_one_image_does_not_touch_another():
    image = images(3).requires_grad_()
    Degradation("8x", {"reduce": Bicubic(8)}).clean(image)[1].sum().backward()
    assert image.grad[[0, 2]].abs().max() == 0
    assert image.grad[1].abs().min() > 0


NOISES = [GaussianNoise(0.1), PoissonGaussianNoise(50.0, 1.0), SaltAndPepper(0.3)]


@pytest.mark.parametrize("noise", NOISES)
def test_noise_is_a_function_of_seed_and_key(noise):
    image = images(4, 3, 16, torch.float32)
    keys = torch.tensor([5, 6, 7, 5])
    first = Degradation("noisy", {"reduce": Bicubic(2)}, {"noise": noise})(image, keys)
    again = Degradation("noisy", {"reduce": Bicubic(2)}, {"noise": noise})
    assert torch.equal(first.flip(0), again(image.flip(0), keys.flip(0)))
    assert torch.equal(first[2:3], again(image[2:3], keys[2:3]))
    other = Degradation("noisy", {"reduce": Bicubic(2)}, {"noise": noise}, seed=1)(image, keys)
    assert not (first == other).flatten(1).all(1).any()
    same_image = again(image[:1].expand(2, -1, -1, -1), keys[:2])
    assert not torch.equal(same_image[0], same_image[1])


def test_equal_noise_twice_is_drawn_twice():
    noise = {"a": GaussianNoise(0.1), "b": GaussianNoise(0.1)}
    flat = torch.zeros(1, 1, 128, 128)
    degraded = Degradation("noisy", {"reduce": AveragePooling(2)}, noise)(flat, torch.tensor([0]))
    assert degraded.std() == pytest.approx(0.1 * np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("noise", NOISES)
def test_noise_without_keys_is_an_error(noise):
    with pytest.raises(ValueError, match="needs the keys"):
        Degradation("noisy", {"reduce": Bicubic(2)}, {"noise": noise})(images())


def test_known_statistics_of_noise():
    flat, seeds = torch.full((1, 1, 300, 300), 0.4), torch.tensor([1])
    gaussian = GaussianNoise(0.05)(flat, seeds)
    assert (gaussian.mean(), gaussian.std()) == (pytest.approx(0.4, abs=1e-3), pytest.approx(0.05, rel=0.02))
    counted = PoissonGaussianNoise(10.0, 0.0)(flat, seeds) * 10
    assert torch.allclose(counted, counted.round(), atol=1e-5)
    assert (counted.mean(), counted.var()) == (pytest.approx(4, rel=0.02), pytest.approx(4, rel=0.03))
    assert (PoissonGaussianNoise(10.0, 3.0)(flat, seeds) * 10).var() == pytest.approx(13, rel=0.03)
    pepper = SaltAndPepper(0.1)(flat, seeds)
    assert (pepper == 0).float().mean() == pytest.approx(0.05, abs=0.005)
    assert (pepper == 1).float().mean() == pytest.approx(0.05, abs=0.005)


def test_gradients_pass_through_noise_where_there_is_one():
    for noise in NOISES:
        image = images(1, 1, 16, torch.float32).requires_grad_()
        altered = noise(image, torch.tensor([2]))
        altered.sum().backward()
        kept = (altered == image) | (not isinstance(noise, SaltAndPepper))
        assert torch.equal(image.grad, kept.float())


def test_clean_leaves_alterations_out():
    image = images(dtype=torch.float32)
    noisy = Degradation("noisy", {"reduce": Bicubic(8)}, {"blur": GaussianBlur(1.0), "noise": GaussianNoise(0.1)})
    assert torch.equal(noisy.clean(image), Degradation("clean", {"reduce": Bicubic(8)})(image))
    assert not torch.equal(noisy(image, torch.arange(2)), noisy.clean(image))
    assert noisy.factor == 8


def test_further_alterations_come_on_top_and_are_as_unknown():
    image, keys = images(dtype=torch.float32), torch.arange(2)
    noisy = Degradation("noisy", {"reduce": Bicubic(8)}, {"noise": GaussianNoise(0.1)}, seed=3)
    blurred = noisy.altered({"blur": GaussianBlur(1.0)})
    assert torch.equal(blurred.clean(image), noisy.clean(image))
    assert torch.equal(blurred(image, keys), GaussianBlur(1.0)(noisy(image, keys)))
    assert list(noisy.alterations) == ["noise"]
    twice = noisy.altered({"again": GaussianNoise(0.1)})(image, keys)
    first, second = noisy(image, keys) - noisy.clean(image), twice - noisy(image, keys)
    assert torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].abs() < 0.3


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 3), st.sampled_from([(2, 4), (4, 2), (2, 2, 4)]))
def test_steps_compose(multiple, channels, factors):
    image = images(1, channels, 16 * multiple)
    degradation = Degradation("steps", {f"step_{n}": AveragePooling(factor) for n, factor in enumerate(factors)})
    torch.testing.assert_close(degradation(image), F.avg_pool2d(image, degradation.factor))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bicubic(65), "factor=65"),
        (lambda: Bicubic(8)(images(size=60)), "60 px cannot be reduced 8 times"),
        (lambda: GaussianBlur(0), "sigma=0"),
        (lambda: SaltAndPepper(2), "share=2"),
        (lambda: PoissonGaussianNoise(-1), "electrons=-1"),
        (lambda: Degradation("x", {"blur": GaussianBlur(1.0)}), "no step reduces"),
        (lambda: Degradation("x", {"a": Bicubic(2), "n": GaussianNoise(0.1)}), r"steps\.n: noise belongs"),
        (lambda: Degradation("x", {"a": Bicubic(2)}, {"b": Bicubic(2)}), r"alterations\.b"),
    ],
)
def test_mistakes_are_told(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_reduces_eightfold(name):
    with initialize_config_dir(str(config_directory().absolute()), version_base="1.3"):
        node = compose(overrides=[f"+degradation={name}", "degradation.seed=3"]).degradation
    degradation = instantiate(OmegaConf.to_container(node), "degradation")
    assert (degradation.name, degradation.factor, degradation.seed) == (name, 8, 3)
    assert degradation(images(dtype=torch.float32), torch.arange(2)).shape == (2, 2, 8, 8)


@pytest.mark.parametrize("name", UNTOLD)
def test_every_untold_config_alters_the_low_resolution_image_alone(name):
    with initialize_config_dir(str(config_directory().absolute()), version_base="1.3"):
        nodes = OmegaConf.to_container(compose(overrides=[f"+untold={name}"]).untold)
    told = Degradation("told", {"reduce": Bicubic(8)})
    seen = as_seen(told, nodes, low=False)
    image, keys = images(dtype=torch.float32), torch.arange(2)
    assert torch.equal(seen.clean(image), told(image))
    assert torch.equal(seen(image, keys), told(image)) == (name == "none")
    assert seen(image, keys).shape == (2, 2, 8, 8)
