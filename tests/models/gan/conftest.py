from functools import partial

import pytest
import torch

from micrographia.models.gan.stylegan2 import StyleGAN2

ADAM = partial(torch.optim.Adam, lr=2e-3, betas=(0.0, 0.99), fused=True)


@pytest.fixture
def make_gan():
    """A tiny StyleGAN2 for 2-channel images of 32 px, any argument changed."""

    def make(**keys):
        small = {"z_dim": 8, "w_dim": 8, "mapping_layers": 2, "channel_max": 4, "w_samples": 100}
        given = {"name": "gan", "shape": (2, 32, 32), "generator_optimizer": ADAM, "discriminator_optimizer": ADAM}
        return StyleGAN2(**{**given, "seed": 0, **small, **keys})

    return make
