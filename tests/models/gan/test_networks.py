import pytest
import torch

from micrographia.errors import UserError
from micrographia.models.gan.discriminator import Discriminator
from micrographia.models.gan.generator import Generator

TINY = {"z_dim": 6, "w_dim": 5, "mapping_layers": 2, "channel_max": 4}


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return Generator(size=32, channels=2, **TINY)


def codes(count, seed=0, length=6):
    return torch.randn(count, length, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("size", "channels", "layers"), [(32, 1, 8), (64, 3, 10), (128, 2, 12), (512, 4, 16)])
def test_sizes_channels_and_layers(size, channels, layers):
    generator = Generator(size=size, channels=channels, **TINY)
    discriminator = Discriminator(size, channels, channel_max=4)
    with torch.no_grad():
        images = generator(codes(2))
        assert images.shape == (2, channels, size, size)
        assert discriminator(images).shape == (2,)
    assert generator.layers == layers
    assert len(generator.noise_shapes) == layers - 1
    assert generator.noise_shapes[0] == (1, 4, 4)
    assert generator.noise_shapes[-1] == (1, size, size)


@pytest.mark.parametrize("size", [16, 48, 100, 1024])
def test_a_size_that_cannot_be_made_is_answered(size):
    with pytest.raises(UserError, match=rf"data\.size={size}: StyleGAN2 makes images of 32, 64"):
        Generator(size=size, channels=1)


def test_widths_follow_base_and_maximum():
    generator = Generator(size=64, channels=1, channel_base=512, channel_max=32, z_dim=4, w_dim=4)
    widths = [convolution.weight.shape[0] for convolution in generator.synthesis.convolutions]
    assert widths == [32, 32, 32, 32, 32, 16, 16, 8, 8]


def test_the_length_of_z_has_no_effect(generator):
    torch.testing.assert_close(generator.mapping(codes(3)), generator.mapping(7 * codes(3)))


def test_an_image_does_not_depend_on_who_shares_its_batch(generator):
    generator = generator.double().requires_grad_(False)
    w_plus = generator.tile(generator.mapping(codes(4).double())).clone().requires_grad_()
    images = generator.synthesis(w_plus)
    torch.testing.assert_close(images[2:3], generator.synthesis(w_plus[2:3]), rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(images[2].square().sum(), w_plus)
    assert gradient[2].abs().amax(1).min() > 0
    assert gradient[[0, 1, 3]].abs().max() == 0


def test_noise_given_takes_the_place_of_the_fixed_one(generator):
    for convolution in generator.synthesis.convolutions:
        torch.nn.init.ones_(convolution.strength)
    w_plus = generator.tile(generator.mapping(codes(2)))
    fixed = [convolution.fixed_noise for convolution in generator.synthesis.convolutions]
    assert torch.equal(generator.synthesis(w_plus), generator.synthesis(w_plus, fixed))
    drawn = generator.draw_noise(2, torch.Generator().manual_seed(3))
    assert [tuple(noise.shape[1:]) for noise in drawn] == list(generator.noise_shapes)
    assert (generator.synthesis(w_plus, drawn) - generator.synthesis(w_plus)).abs().max() > 0.01


def test_truncation_draws_images_to_that_of_the_mean(generator):
    generator.measure_mean(5000, torch.Generator().manual_seed(0))
    mean = generator.mapping(codes(5000, seed=1)).mean(0)
    torch.testing.assert_close(generator.w_mean, mean, atol=0.15, rtol=0)
    assert generator.w_mean.abs().max() > 0.5
    images = generator(codes(2), truncation=0.0)
    torch.testing.assert_close(images[0], images[1])
    torch.testing.assert_close(images[:1], generator.synthesis(generator.tile(generator.w_mean[None])))


def test_the_gradient_reaches_every_parameter(generator):
    for convolution in generator.synthesis.convolutions:
        torch.nn.init.constant_(convolution.strength, 0.1)
    discriminator = Discriminator(32, 2, channel_max=4)
    discriminator(generator(codes(4))).square().sum().backward()
    for network in (generator, discriminator):
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.abs().max() > 0, name


def test_activations_and_images_start_with_a_moderate_variance():
    torch.manual_seed(0)
    generator = Generator(size=64, channels=3, z_dim=64, w_dim=64, channel_max=32)
    with torch.no_grad():
        images = generator(codes(64, length=64))
        logits = Discriminator(64, 3, channel_max=32)(torch.rand(16, 3, 64, 64))
    assert 0.2 < images.std() < 3
    assert images.mean() == pytest.approx(0.5, abs=0.5)
    assert logits.abs().max() < 10


@pytest.mark.parametrize("count", [1, 2, 3, 6, 8])
def test_the_discriminator_takes_any_number_of_images(count):
    assert Discriminator(32, 1, channel_max=4)(torch.rand(count, 1, 32, 32)).shape == (count,)
