import math

import pytest
import torch

from micrographia.models.gan import objectives


def test_losses_at_an_undecided_discriminator():
    undecided = torch.zeros(5)
    assert objectives.generator_loss(undecided).item() == pytest.approx(math.log(2))
    assert objectives.discriminator_loss(undecided, undecided).item() == pytest.approx(2 * math.log(2))
    assert objectives.generator_loss(torch.full((5,), 9.0)) < 1e-3
    assert objectives.discriminator_loss(torch.full((5,), 9.0), torch.full((5,), -9.0)) < 1e-3


def test_r1_of_a_linear_discriminator_is_the_squared_length_of_its_weights():
    weights = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    images = torch.rand(3, 2, 4, 4, requires_grad=True)
    published = 2 * images - 1  # the penalty is that of images in -1..1
    penalty = objectives.r1((published * weights).sum((1, 2, 3)), images)
    torch.testing.assert_close(penalty, weights.square().sum())
    penalty.backward()
    torch.testing.assert_close(weights.grad, 2 * weights.detach())


def test_path_lengths_of_a_linear_generator():
    """For images A w in -1..1, J'y = A'y: the mean squared length over w_dim and layers is known for any y."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(1 * 4 * 4, 3 * 5, generator=generator, dtype=torch.float64)
    w_plus = torch.randn(2, 3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    images = ((w_plus.flatten(1) @ matrix.T).view(2, 1, 4, 4) + 1) / 2
    directions = torch.randn(2, 1, 4, 4, generator=generator, dtype=torch.float64)
    gradient = ((directions / 4).flatten(1) @ matrix).view(2, 3, 5)
    expected = gradient.square().sum(2).mean(1).sqrt()
    torch.testing.assert_close(objectives.path_lengths(images, w_plus, directions), expected)
