"""A training by two processes is the training by one."""

import shutil
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from pytorch_lightning import Callback

from micrographia.data.datamodule import IndexedImages
from micrographia.data.latents import LatentCodes
from micrographia.degradations import Bicubic, Degradation, GaussianNoise
from micrographia.devices.crew import assembled
from micrographia.errors import UserError
from micrographia.inversion.latent_encoder import LatentEncoder
from micrographia.inversion.objective import L1, LogP
from micrographia.models.classifier import CNN, TransferClassifier
from micrographia.models.flow import LatentFlow
from micrographia.models.gan.generator import Generator
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.models.super_resolver import SuperResolver
from micrographia.models.vae.ada_gvae import AdaGVAE
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.factor_vae import FactorVAE
from micrographia.models.vae.networks import ConvNetwork, ReferenceConvNetwork
from micrographia.training.curves import CurveLogger
from micrographia.training.fit import fit

HOW = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": 1, "progress": False, "log_every": 1}
TWO = {**HOW, "trainer": {"devices": 2, "nodes": 1, "backend": None, "timeout": 120}}
BUDGET = {"steps": 8, "epochs": None, "batch_size": 8, "validate_every": 4}
ADAM = partial(torch.optim.Adam, lr=1e-3)
# Where gradients are rounding alone, as those of biases before a batch norm, Adam would make whole steps of them.
SGD = partial(torch.optim.SGD, lr=1e-4)
VAE = {"shape": (1, 16, 16), "latents": 4, "optimizer": ADAM, "seed": 0}


class Blobs(IndexedImages):
    """Blobs of two sizes whose place follows the index, with classes and pairs."""

    name = "blobs"
    classes = ("large", "small")

    def __init__(self, side=16):
        super().__init__()
        self.shape = (1, side, side)

    def images(self, indices):
        side = self.shape[1]
        places = torch.arange(side)
        x, y = (indices * 5 % side)[:, None, None], (indices * 3 % side)[:, None, None]
        squared = (places - x) ** 2 + (places[:, None] - y) ** 2
        return torch.exp(-squared / (8.0 + 24 * (indices % 2))[:, None, None])[:, None]

    def indices(self, part):
        everything = torch.arange(63)
        return everything[{"train": everything % 3 > 0, "val": everything % 9 == 0, "test": everything % 9 == 3}[part]]

    def table(self, indices):
        return pd.DataFrame({"class": [self.classes[index % 2] for index in indices.tolist()]})

    def draw_pairs(self, count, changed, generator):
        first, second = torch.randint(63, (2, count), generator=generator)
        return first, second, torch.ones(count, 2, dtype=torch.bool)


def beta_vae():
    keys = {**VAE, "optimizer": SGD, "beta": 4.0, "capacity": 2.0, "capacity_steps": 9}
    return BetaVAE("beta_vae", network=ReferenceConvNetwork, **keys)


def ada_gvae():
    return AdaGVAE("ada_gvae", network=ConvNetwork, threshold="batch", **VAE)


def factor_vae():
    return FactorVAE("f", network=ConvNetwork, discriminator_optimizer=ADAM, discriminator_width=16, **VAE)


def cnn():
    return CNN("cnn", (1, 32, 32), ("large", "small"), SGD, seed=0, filters=4)


def stylegan2():
    small = {"z_dim": 8, "w_dim": 8, "mapping_layers": 2, "channel_max": 4, "w_samples": 50}
    return StyleGAN2(
        "gan", (1, 32, 32), partial(with_betas, SGD), partial(with_betas, SGD), seed=0, augment_p=0.5, **small
    )


def transfer_classifier():
    return TransferClassifier("t", (1, 16, 16), ("large", "small"), SGD, 0, beta_vae(), hidden=[8])


def generator():
    torch.manual_seed(5)
    return Generator(32, 1, z_dim=6, w_dim=4, mapping_layers=2, channel_max=4)


def degradation():
    return Degradation("4x", {"reduce": Bicubic(4)}, {"noise": GaussianNoise(0.02)})


def latent_flow():
    return LatentFlow("flow", (4,), ADAM, seed=0, blocks=2, hidden=8, standard_samples=500)


def super_resolver():
    return SuperResolver("s", (1, 32, 32), ADAM, 0, degradation(), filters=4, blocks=1)


def latent_encoder():
    terms = {"data": L1(10.0), "log_p": LogP(0.001)}
    given = {"flow": latent_flow(), "terms": terms, "filters": 4, "blocks": 1, "generated": 0.5}
    return LatentEncoder("e", (1, 32, 32), ADAM, 0, generator(), degradation(), **given)


def latent_codes():
    return LatentCodes(SimpleNamespace(generator=generator()), count=200, held_out=20)


def with_betas(make, parameters):
    """An optimiser with betas, which lazy steps correct."""
    optimizer = make(parameters)
    for group in optimizer.param_groups:
        group["betas"] = (0.0, 0.99)
    return optimizer


@pytest.fixture(scope="module")
def crew():
    """Two processes for all tests, as for all trainings of a run."""
    before = list(sys.path)
    sys.path.append(str(Path(__file__).parents[2]))  # where others find this module
    try:
        with assembled(TWO) as crew:
            yield crew
    finally:
        sys.path[:] = before


def train(module, data, folder, budget=BUDGET, how=HOW, callbacks=()):
    folder.mkdir(exist_ok=True)
    fit(module, data, budget, how, folder, "test", 0, [CurveLogger(str(folder))], callbacks)
    return module


def compare(one, two, folders):
    """Weights to 1e-5; the curves alike; nothing written but by the first process."""
    for (name, ours), theirs in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5, msg=lambda said, name=name: f"{name}: {said}")
    assert (two.batches, two.images) == (one.batches, one.images)
    curves = [
        pd.read_csv(folder / "curves.csv").query("name != 'val/real'") for folder in folders
    ]  # groups differ there
    keys = ["batches", "images", "name"]
    pd.testing.assert_frame_equal(curves[0][keys], curves[1][keys])
    np.testing.assert_allclose(curves[0]["value"], curves[1]["value"], rtol=2e-3, atol=2e-5)
    names = [sorted(file.name for file in folder.rglob("*")) for folder in folders]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("build", "data"),
    [
        *((build, Blobs) for build in (beta_vae, ada_gvae, factor_vae, transfer_classifier)),
        *((build, partial(Blobs, 32)) for build in (cnn, stylegan2, super_resolver, latent_encoder)),
        (latent_flow, latent_codes),
    ],
)
def test_two_processes_train_as_one(build, data, crew, tmp_path):
    folders = tmp_path / "one", tmp_path / "two"
    one = train(build(), data(), folders[0])
    two = train(build(), data(), folders[1], how=TWO)
    assert crew.processes
    compare(one, two, folders)


def test_a_training_goes_on_with_another_number_of_processes(crew, tmp_path):
    whole = train(beta_vae(), Blobs(), tmp_path / "whole")
    for name, first, then in (("fewer", TWO, HOW), ("more", HOW, TWO)):
        train(beta_vae(), Blobs(), tmp_path / "first", {**BUDGET, "steps": 4}, first)
        (tmp_path / name).mkdir()
        shutil.move(tmp_path / "first" / "last.ckpt", tmp_path / name)
        shutil.rmtree(tmp_path / "first")
        resumed = train(beta_vae(), Blobs(), tmp_path / name, how=then)
        assert resumed.batches == 8
        torch.testing.assert_close(next(resumed.parameters()), next(whole.parameters()), rtol=0, atol=1e-5)


class Killing(Callback):
    """Kills the other process at the sixth batch."""

    def __init__(self, crew):
        self.crew = crew

    def on_train_batch_end(self, trainer, module, *args):
        if module.batches == 6:
            self.crew.processes[1].kill()


@pytest.mark.slow
def test_a_killed_process_ends_the_training_which_can_go_on(crew, tmp_path):
    with pytest.raises(UserError, match=r"process 1 of 2 has ended .*\(signal 9\).* start the same command again"):
        train(beta_vae(), Blobs(), tmp_path / "run", how=TWO, callbacks=[Killing(crew)])
    assert not crew.processes
    assert not (tmp_path / "run" / "weights.safetensors").exists()
    resumed = train(beta_vae(), Blobs(), tmp_path / "run", how=TWO)
    whole = train(beta_vae(), Blobs(), tmp_path / "whole")
    torch.testing.assert_close(next(resumed.parameters()), next(whole.parameters()), rtol=0, atol=1e-5)


def test_a_batch_that_cannot_be_divided_is_answered(tmp_path):
    with pytest.raises(UserError, match=r"batch_size=7 \(budget\.batch_size.* among 2 processes .* multiple of 2"):
        train(beta_vae(), Blobs(), tmp_path / "run", {**BUDGET, "batch_size": 7}, TWO)
    with pytest.raises(UserError, match=r"batch_size=12 .* 2 processes \(how\.trainer\) in groups of 4.* of 8"):
        train(stylegan2(), Blobs(32), tmp_path / "run", {**BUDGET, "batch_size": 12}, TWO)


class Unknown(BetaVAE):
    """Does not say whether its batches can be shared."""

    shareable = False


def test_a_model_that_does_not_say_so_is_not_trained_by_several(tmp_path):
    module = beta_vae()
    module.__class__ = Unknown
    with pytest.raises(UserError, match=r"an? Unknown is not trained by several processes\. Set how/trainer=single"):
        train(module, Blobs(), tmp_path / "run", how=TWO)
