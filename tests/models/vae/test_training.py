"""Training through Lightning: a resume is bit-equal, checkpoints are safe to load, a NaN is answered."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch

from micrographia.data.batches import step_generator
from micrographia.data.datamodule import IndexedImages, unit_range
from micrographia.errors import UserError
from micrographia.models.vae.ada_gvae import AdaGVAE
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.factor_vae import FactorVAE
from micrographia.models.vae.networks import ConvNetwork, ReferenceConvNetwork
from micrographia.training.fit import fit

SIDE = 16
HOW = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": 1, "progress": False, "log_every": 2}
adam = partial(torch.optim.Adam, lr=1e-3, fused=True)


class Bars(IndexedImages):
    """Images of one bright row and one bright column; factors: which ones."""

    name = "bars"
    shape = (1, SIDE, SIDE)
    factors = {"Row": SIDE, "Column": SIDE}  # noqa: RUF012

    def images(self, indices):
        images = torch.zeros(len(indices), 1, SIDE, SIDE, dtype=torch.uint8)
        item = torch.arange(len(indices))
        images[item, 0, indices // SIDE] = 255
        images[item, 0, :, indices % SIDE] = 255
        return images

    def indices(self, part):
        everything = torch.arange(SIDE**2)
        residue = everything % 5
        return everything[{"train": residue > 1, "val": residue == 0, "test": residue == 1}[part]]

    def table(self, indices):
        return pd.DataFrame({"Row": indices // SIDE, "Column": indices % SIDE}, index=indices)

    def draw_pairs(self, count, changed, generator):
        values = torch.randint(SIDE, (count, 2), generator=generator)
        redrawn = torch.randint(SIDE, (count, 2), generator=generator)
        mask = torch.rand(count, 2, generator=generator).argsort(1) < changed
        other = torch.where(mask, redrawn, values)
        base = torch.tensor([SIDE, 1])
        return (values * base).sum(1), (other * base).sum(1), mask


def build(method, **keys):
    if method is FactorVAE:
        keys = {"discriminator_optimizer": adam, "discriminator_width": 32, **keys}
    else:
        keys = {"beta": 2.0, "warmup": 20, **keys}
    settings = {"name": "vae", "shape": Bars.shape, "network": ConvNetwork, "latents": 4, "optimizer": adam}
    return method(**{**settings, "seed": 5, **keys})


def train(vae, folder: Path, steps: int, batch_size: int = 8) -> Path:
    """Train to ``steps`` in all, going on from the folder's checkpoint if there is one; returns the last checkpoint."""
    folder.mkdir(exist_ok=True)
    budget = {"steps": steps, "epochs": None, "batch_size": batch_size, "validate_every": 4}
    fit(vae, Bars(), budget, HOW, folder, "test", seed=5)
    return folder / "last.ckpt"


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        (BetaVAE, {}),
        (BetaVAE, {"network": partial(ReferenceConvNetwork, filters=8)}),
        (FactorVAE, {}),
        (AdaGVAE, {"aggregator": "labels"}),
    ],
)
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, method, keys):
    whole = torch.load(train(build(method, **keys), tmp_path / "whole", 12), weights_only=True)
    train(build(method, **keys), tmp_path / "resumed", 8)
    # Other initial weights and another state of the global generator show that all comes from the checkpoint.
    vae = build(method, **{**keys, "seed": 6})
    vae.seed = 5
    torch.manual_seed(99)
    resumed = torch.load(train(vae, tmp_path / "resumed", 12), weights_only=True)

    assert resumed["counters"] == {"batches": 12, "images": 12 * 8 * (2 if method is AdaGVAE else 1)}
    assert resumed["counters"] == whole["counters"]
    for name, weight in whole["state_dict"].items():
        assert torch.equal(weight, resumed["state_dict"][name]), name
    for ours, theirs in zip(whole["optimizer_states"], resumed["optimizer_states"], strict=True):
        for key, state in ours["state"].items():
            assert all(torch.equal(value, theirs["state"][key][name]) for name, value in state.items())


@pytest.mark.parametrize("method", [BetaVAE, FactorVAE, AdaGVAE])
def test_validation_logs_means_over_all_images_with_the_same_noise(tmp_path, method):
    vae = build(method, network=partial(ReferenceConvNetwork, filters=8))
    train(vae, tmp_path, 4)
    logged = {name: value.item() for name, value in vae.trainer.callback_metrics.items()}
    with torch.no_grad():
        images = unit_range(Bars().images(Bars().indices("val")))
        parts = vae.eval().loss({"image": images}, step_generator(vae.seed, 0))
    assert logged == pytest.approx({f"val/{name}": part.item() for name, part in parts.items()}, rel=1e-5)
    assert set(vae.parts) >= set(parts)


def test_training_lowers_the_validation_loss(tmp_path):
    losses = []
    for steps in (4, 160):
        vae = build(BetaVAE, warmup=0)
        train(vae, tmp_path / str(steps), steps, batch_size=32)
        losses.append(vae.trainer.callback_metrics["val/loss"].item())
    assert losses[1] < losses[0] - 20


class Breaks(torch.optim.SGD):
    """Makes all weights NaN at its second step."""

    steps = 0

    def step(self, closure=None):
        super().step(closure)
        self.steps += 1
        if self.steps == 2:
            for group in self.param_groups:
                for weight in group["params"]:
                    weight.data.fill_(float("nan"))


@pytest.mark.parametrize("method", [BetaVAE, FactorVAE, AdaGVAE])
def test_a_nan_loss_is_answered_and_never_saved(tmp_path, method):
    train(build(method, optimizer=partial(torch.optim.SGD, lr=1e-6)), tmp_path, 4)
    with pytest.raises(UserError, match=r"the loss is nan at batch 6\. Lower optimizer\.lr"):
        train(build(method, optimizer=partial(Breaks, lr=1e-6)), tmp_path, 12)
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["counters"]["batches"] == 4
    assert all(weight.isfinite().all() for weight in checkpoint["state_dict"].values())


def test_a_loss_that_is_not_looked_at_each_step_is_looked_at_before_saving():
    vae = build(BetaVAE)
    vae.parts = {"loss": torch.tensor(float("inf"))}
    with pytest.raises(UserError, match="the loss is inf"):
        vae.on_save_checkpoint({})
