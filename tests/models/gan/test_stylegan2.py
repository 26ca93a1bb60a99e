"""Training: phases on their intervals, a running average by images, a resume that is bit-equal."""

import copy
import logging
from pathlib import Path

import pandas as pd
import pytest
import torch

from micrographia.data.batches import step_generator
from micrographia.data.datamodule import IndexedImages
from micrographia.errors import UserError
from micrographia.models.gan.stylegan2 import PATH_INTERVAL, R1_INTERVAL
from micrographia.training.checkpoints import load_weights
from micrographia.training.curves import CurveLogger
from micrographia.training.fit import fit

HOW = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": 1, "progress": False, "log_every": 2}


class Discs(IndexedImages):
    """A disc in the first channel and its brighter half in the second; the radius follows the index."""

    name = "discs"
    shape = (2, 32, 32)

    def images(self, indices):
        rows, columns = torch.meshgrid(torch.arange(32) - 15.5, torch.arange(32) - 15.5, indexing="ij")
        disc = (rows.hypot(columns) < 4 + indices[:, None, None] % 9).float()
        return torch.stack([disc * 0.5, disc * (columns > 0)], 1)

    def indices(self, part):
        everything = torch.arange(60)
        return everything[{"train": everything % 6 > 1, "val": everything % 6 == 0, "test": everything % 6 == 1}[part]]

    def table(self, indices):
        return pd.DataFrame(index=indices)


def train(gan, folder: Path, steps: int, loggers=(), precision="32-true") -> Path:
    folder.mkdir(exist_ok=True)
    budget = {"steps": steps, "epochs": None, "kimg": None, "batch_size": 4, "validate_every": 9}
    fit(gan, Discs(), budget, {**HOW, "precision": precision}, folder, "test", 0, loggers)
    return folder / "last.ckpt"


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, make_gan):
    keys = {"augment_p": 0.3, "augment_kimg": 1.0}
    whole = torch.load(train(make_gan(**keys), tmp_path / "whole", 20), weights_only=True)
    train(make_gan(**keys), tmp_path / "resumed", 9)
    # Other initial weights and another state of the global generator show that all comes from the checkpoint.
    gan = make_gan(**{**keys, "seed": 6, "augment_p": 0.9})
    gan.seed = 0
    torch.manual_seed(99)
    resumed = torch.load(train(gan, tmp_path / "resumed", 20), weights_only=True)

    assert resumed["counters"] == whole["counters"] == {"batches": 20, "images": 80}
    assert whole["state_dict"]["augmentation.probability"] not in (0.3, 0.9)
    for name, weight in whole["state_dict"].items():
        assert torch.equal(weight, resumed["state_dict"][name]), name
    for ours, theirs in zip(whole["optimizer_states"], resumed["optimizer_states"], strict=True):
        for key, state in ours["state"].items():
            assert all(torch.equal(value, theirs["state"][key][name]) for name, value in state.items())


def test_phases_come_on_their_intervals(make_gan):
    gan = make_gan()
    called = {"path_length_phase": [], "r1_phase": [], "main_generator_phase": [], "main_discriminator_phase": []}
    for name, batches in called.items():
        phase = getattr(gan, name)
        setattr(gan, name, lambda *given, phase=phase, seen=batches: (seen.append(gan.batches), phase(*given))[1])
    run_steps(gan, 18)
    assert called["path_length_phase"] == list(range(0, 18, PATH_INTERVAL))
    assert called["r1_phase"] == list(range(0, 18, R1_INTERVAL))
    assert called["main_generator_phase"] == called["main_discriminator_phase"] == list(range(18))


def run_steps(gan, steps):
    optimizers = gan.configure_optimizers()
    gan.optimizers = lambda: optimizers
    gan.manual_backward = lambda loss: loss.backward()
    for step in range(steps):
        gan.training_step({"image": Discs().images(torch.arange(4) + 4 * step)}, step)
    return gan


def test_each_phase_moves_its_own_network_only(make_gan):
    gan = make_gan()
    optimizers = gan.configure_optimizers()
    gan.manual_backward = lambda loss: loss.backward()
    real = Discs().images(torch.arange(4))
    moves = {
        "learner": [
            lambda: gan.main_generator_phase(optimizers[0], 4, step_generator(0, 1)),
            lambda: gan.path_length_phase(optimizers[0], 4, step_generator(0, 2)),
        ],
        "discriminator": [
            lambda: gan.main_discriminator_phase(optimizers[1], real, step_generator(0, 3)),
            lambda: gan.r1_phase(optimizers[1], real, step_generator(0, 4)),
        ],
    }
    for network, phases in moves.items():
        for phase in phases:
            before = copy.deepcopy(gan.state_dict())
            gan.discriminator.requires_grad_(network == "discriminator")
            phase()
            moved = {name.split(".")[0] for name, value in gan.state_dict().items() if not value.equal(before[name])}
            assert moved - {"path_mean", "last_r1", "augmentation"} == {network}


def test_gradients_of_the_main_phases_reach_every_parameter(make_gan):
    gan = run_steps(make_gan(path_length=0.0, r1=0.0), 2)  # after a step the noise's strength is not 0
    for network in (gan.learner, gan.discriminator):
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.abs().max() > 0, name


def test_styles_mix_from_a_random_layer_on(make_gan):
    codes = make_gan(mixing=1.0).draw_codes(50, step_generator(0, 0))
    changes = (codes[:, 1:] != codes[:, :-1]).any(2)
    assert (changes.sum(1) == 1).all()
    assert set(changes.int().argmax(1).tolist()) == set(range(7))
    alone = make_gan(mixing=0.0).draw_codes(50, step_generator(0, 0))
    assert torch.equal(alone, alone[:, :1].expand_as(alone))


def test_adam_is_corrected_for_the_lazy_steps(make_gan):
    generator, discriminator = (optimizer.param_groups[0] for optimizer in make_gan().configure_optimizers())
    assert generator["lr"] == pytest.approx(2e-3 * 4 / 5)
    assert generator["betas"] == pytest.approx((0.0, 0.99 ** (4 / 5)))
    assert discriminator["lr"] == pytest.approx(2e-3 * 16 / 17)
    assert discriminator["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    plain, _ = make_gan(path_length=0.0).configure_optimizers()
    assert plain.param_groups[0]["lr"] == 2e-3


def test_a_finished_run_keeps_the_average_and_the_mean_of_w(tmp_path, make_gan, caplog):
    caplog.set_level(logging.INFO)
    gan = make_gan(tick_kimg=0.02, augment_p=0.5)
    train(gan, tmp_path, 12, [CurveLogger(str(tmp_path))])
    kept = gan.lasting_state()
    assert {name.split(".")[0] for name in kept} == {"generator"}
    restored = make_gan(seed=7)
    load_weights(restored, tmp_path / "weights.safetensors")
    z = torch.randn(2, 8, generator=step_generator(0, 0))
    assert torch.equal(restored.generator(z, truncation=0.7), gan.generator(z, truncation=0.7))
    assert kept["generator.w_mean"].abs().max() > 0
    # half precision, as a shipped run may have, loads as well
    restored.load_state_dict({name: value.half() for name, value in kept.items()}, strict=False)
    assert restored.generator(z).sub(gan.generator(z)).abs().max() < 0.01

    curves = pd.read_csv(tmp_path / "curves.csv")
    logged = curves[curves["batches"] == 12].set_index("name")["value"]
    assert logged["train/kimg"] == pytest.approx(0.048)
    assert logged["train/tick"] == 2
    assert {"train/seconds_per_kimg", "train/augment", "train/path_length", "train/r1", "val/real"} <= set(logged.index)
    ticks = [record.getMessage() for record in caplog.records if record.getMessage().startswith("tick")]
    assert len(ticks) == 2
    assert "s/kimg" in ticks[0]
    assert "augment 0.500" in ticks[0]


def test_a_loss_that_is_not_finite_is_answered(tmp_path, make_gan):
    gan = make_gan()
    torch.nn.init.constant_(gan.discriminator.logit.weight, float("nan"))
    with pytest.raises(UserError, match=r"the loss is nan at batch 0"):
        train(gan, tmp_path, 2)


def test_what_it_cannot_be_trained_on_is_answered(tmp_path, make_gan):
    with pytest.raises(UserError, match=r"square images, the data give items of shape \(10,\)"):
        make_gan(shape=(10,))
    with pytest.raises(UserError, match=r"how\.precision=16-mixed.*bf16-mixed"):
        make_gan().refuse_precision("16-mixed")


def test_mixed_precision_trains_and_keeps_weights_in_full_precision(tmp_path, make_gan):
    """On the CPU here; on a GPU the same code runs in bfloat16."""
    gan = make_gan()
    train(gan, tmp_path, 2, precision="bf16-mixed")
    assert gan.batches == 2
    assert {weight.dtype for weight in gan.parameters()} == {torch.float32}
    with torch.autocast("cpu", torch.bfloat16):
        images = gan.generator(torch.randn(2, 8, generator=step_generator(0, 0)))
    assert images.dtype == torch.float32
    torch.testing.assert_close(
        images, gan.generator(torch.randn(2, 8, generator=step_generator(0, 0))), atol=0.1, rtol=0
    )


@pytest.mark.slow
def test_training_brings_the_generator_to_the_data(tmp_path, make_gan):
    gan = make_gan(channel_max=16, average_kimg=0.5, r1=1.0)
    train(gan, tmp_path, 400)
    z = torch.randn(64, 8, generator=step_generator(1, 0))
    real, made = Discs().images(Discs().indices("train")), gan.generator(z)
    before = make_gan(channel_max=16).generator(z)
    assert (made.mean(0) - real.mean(0)).abs().mean() < 0.5 * (before.mean(0) - real.mean(0)).abs().mean()


def test_training_may_begin_with_the_weights_of_another_generator(make_gan):
    source = make_gan(seed=5).generator
    gan = make_gan(seed=0, start=source)
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    for generator in (gan.learner, gan.generator):
        assert torch.equal(generator(z), source(z))
    assert not torch.equal(make_gan(seed=0).generator(z), source(z))
    run_steps(gan, 2)
    assert not torch.equal(gan.learner(z), source(z))
    assert torch.equal(source(z), make_gan(seed=5).generator(z))
    with pytest.raises(UserError, match=r"its generator makes 2 channels of 32 px, this one 3 of 32 px"):
        make_gan(shape=(3, 32, 32), start=source)
    with pytest.raises(UserError, match=r"or their widths or model\.mapping_rate differ"):
        make_gan(mapping_rate=1.0, start=source)


def test_a_generator_of_smaller_images_is_grown(make_gan):
    source = make_gan(seed=5).generator
    gan = make_gan(seed=0, shape=(2, 64, 64), start=source)
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    enlarged = 2 * source(z) - 1
    assert torch.allclose(2 * gan.generator(z) - 1, gan.generator.synthesis.doubled(enlarged), atol=1e-5)
    gradients = torch.autograd.grad(gan.learner(z).square().sum(), gan.learner.synthesis.to_image[-1].weight)
    assert gradients[0].abs().min() > 0
    with pytest.raises(UserError, match=r"its generator makes 2 channels of 64 px, this one 2 of 32 px"):
        make_gan(start=gan.generator)
    with pytest.raises(UserError, match=r"or their widths"):
        make_gan(shape=(2, 64, 64), mapping_layers=5, start=source)
