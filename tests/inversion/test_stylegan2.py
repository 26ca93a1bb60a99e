"""The search with the package's own generator, flow and degradation: what the toys promise holds there too."""

from functools import partial

import pytest
import torch

from micrographia.degradations import Bicubic, Degradation
from micrographia.inversion.problem import Problem
from micrographia.inversion.schedule import Schedule
from micrographia.inversion.tuning import Tuning
from micrographia.models.flow import LatentFlow
from micrographia.models.gan.generator import Generator

KEYS = [5, 3, 8]


@pytest.fixture
def real():
    torch.manual_seed(0)
    generator = Generator(32, 2, z_dim=8, w_dim=8, mapping_layers=2, channel_base=256, channel_max=8)
    for convolution in generator.synthesis.convolutions:
        torch.nn.init.constant_(convolution.strength, 0.1)
    flow = LatentFlow("flow", (8,), partial(torch.optim.Adam, lr=1e-3), 0, blocks=2, hidden=16)
    flow.measure([generator.mapping(torch.randn(500, 8)).detach()])
    degradation = Degradation("8x", {"reduce": Bicubic(8)})
    return Problem(generator.double(), degradation, flow.double(), samples=1000)


@pytest.fixture
def low(real):
    styles = torch.cat(list(real.sample_w(3, 9, 9)))[:, None]
    return real.degrade(real.synthesis(styles)).detach()


@pytest.mark.parametrize("tuning", [None, Tuning(steps=4)], ids=["rls", "rls_plus"])
def test_alone_or_in_a_batch_an_image_has_the_same_result(real, low, build_search, tuning):
    before = {name: value.clone() for name, value in real.state_dict().items()}
    search = build_search(schedule=Schedule(20), tuning=tuning)
    together, alone = search.solve(real, low, KEYS), search.solve(real, low[1:2], KEYS[1:2])
    torch.testing.assert_close(together.codes[1], alone.codes[0], rtol=0, atol=1e-8)
    torch.testing.assert_close(together.images[1], alone.images[0], rtol=0, atol=1e-8)
    for name, value in real.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_gradient_of_an_image_is_exactly_zero_in_every_other_code(real, low, build_search):
    search = build_search(trainable_noise=5)
    values = {name: item.start.clone().requires_grad_() for name, item in search.variables(real, low, KEYS).items()}
    losses = sum(search.evaluation(real, low)(values, torch.arange(3)).values())
    for image in range(3):
        for gradient in torch.autograd.grad(losses[image], list(values.values()), retain_graph=True):
            assert gradient[image].abs().sum() > 0
            assert (gradient[torch.arange(3) != image] == 0).all()


def test_explains_the_low_resolution_images(real, low, build_search):
    table = build_search(schedule=Schedule(60)).solve(real, low, KEYS).table
    mean = (real.degrade(real.synthesis(real.w_mean.expand(3, 1, -1))) - low).abs().mean((1, 2, 3))
    assert (table["lr_residual"].to_numpy() < 0.25 * mean.detach().numpy()).all()
    assert table["log_p"].notna().all()
