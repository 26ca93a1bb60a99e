"""The supervised network: what it learns, and that it trains through `fit` and resumes bit-equal."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from micrographia.data.batches import step_generator
from micrographia.data.datamodule import IndexedImages
from micrographia.errors import UserError
from micrographia.models.super_resolver import SuperResolver
from micrographia.training.fit import fit

SIDE = 32
HOW = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": 1, "progress": False, "log_every": 2}
adam = partial(torch.optim.Adam, lr=2e-3, fused=True)


class NoisyPooling(nn.Module):
    """Means over squares, and a noise that is a function of the key."""

    factor = 4

    def clean(self, images):
        return functional.avg_pool2d(images, self.factor)

    def forward(self, images, keys=None):
        low = self.clean(images)
        return low if keys is None else low + 0.002 * (keys % 7 - 3).view(-1, 1, 1, 1)


class Discs(IndexedImages):
    """Smooth discs at many places, two channels."""

    name = "discs"
    shape = (2, SIDE, SIDE)

    def images(self, indices):
        place = torch.arange(SIDE)
        x, y = (indices * 7 % 19 + 6).view(-1, 1, 1), (indices * 3 % 17 + 7).view(-1, 1, 1)
        distance = ((place - x) ** 2 + (place[:, None] - y) ** 2).sqrt()
        disc = torch.sigmoid(5 - distance)
        return torch.stack([disc, 0.5 * disc.flip(-1)], 1).half()

    def indices(self, part):
        everything = torch.arange(300)
        return everything[
            {"train": everything >= 60, "val": everything < 30, "test": (everything - 45).abs() < 15}[part]
        ]


def resolver(**keys):
    return SuperResolver(
        **{"name": "sr", "shape": Discs.shape, "optimizer": adam, "seed": 1, "degradation": NoisyPooling(), **keys},
        filters=8,
        blocks=1,
    )


def train(model, folder, steps):
    folder.mkdir(exist_ok=True)
    budget = {"steps": steps, "epochs": None, "batch_size": 8, "validate_every": 4}
    fit(model, Discs(), budget, HOW, folder, "test", 5)
    return model


def test_training_begins_at_bicubic_and_beats_it(tmp_path):
    data = Discs()
    truth = data.images(data.indices("test")).float()
    low = NoisyPooling().clean(truth)
    bicubic = functional.interpolate(low, (SIDE, SIDE), mode="bicubic", antialias=True)
    torch.testing.assert_close(resolver()(low), bicubic)
    model = train(resolver(), tmp_path, 120)
    with torch.no_grad():
        assert (model(low) - truth).abs().mean() < 0.9 * (bicubic - truth).abs().mean()


def test_an_interrupted_training_ends_bit_equal(tmp_path):
    whole = train(resolver(), tmp_path / "whole", 8)
    train(resolver(), tmp_path / "parts", 4)
    resumed = train(resolver(), tmp_path / "parts", 8)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert resumed.images == 64


def test_gradients_reach_every_parameter_of_the_network():
    model = resolver()
    nn.init.normal_(model.network[-1].weight, std=0.1)
    batch = {"image": Discs().images(torch.arange(4)).float()}
    model.loss(batch, step_generator(0, 0))["loss"].backward()
    for name, parameter in model.network.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_only_the_network_is_kept():
    assert {name.split(".")[0] for name in resolver().lasting_state()} == {"network"}


def test_what_does_not_fit_is_answered():
    odd = NoisyPooling()
    odd.factor = 3
    with pytest.raises(UserError, match=r"degradation\.steps\.reduce\.factor=3 of 32 px"):
        resolver(degradation=odd)
    with pytest.raises(UserError, match="set backbone=none"):
        resolver(shape=(768,))
