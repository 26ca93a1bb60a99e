"""Trainings of a generator and of a flow over its codes, by their commands."""

import pandas as pd
import pytest
import torch

from micrographia.tasks.assembly import load_model

GAN = (
    *("model=stylegan2", "model.channel_max=4", "model.z_dim=8", "model.w_dim=6", "model.mapping_layers=2"),
    *("model.w_samples=100", "model.sample_kimg=0.02", "model.tick_kimg=0.02", "data=synthetic/cells", "data.size=32"),
    *("data.count=60", "budget.steps=null", "budget.kimg=0.048", "budget.batch_size=8", "budget.validate_every=4"),
    "how.log_every=2",
)
FLOW = (
    *("model=latent_flow", "model.hidden=8", "model.standard_samples=500", "data=latents", "data.count=1000"),
    *("data.held_out=200", "budget.steps=6", "budget.batch_size=32", "budget.validate_every=3"),
)
HOW = {"accelerator": "cpu", "paths": {"runs": "runs", "cache": "cache"}, "progress": False, "threads": 1}


def test_a_generator_and_its_flow(micrographia):
    gan = micrographia("train", *GAN)
    assert gan.metrics["gan/kimg"] == pytest.approx(0.048)
    assert (gan.folder / "figures" / "samples.png").stat().st_size > 1000
    assert len(list((gan.folder / "figures" / "samples").glob("*.png"))) == 2
    assert {"train/augment", "train/kimg", "val/real"} <= set(pd.read_csv(gan.folder / "curves.csv")["name"])

    flow = micrographia("train", *FLOW, f"data.generator.run={gan.folder}")
    assert flow.table("gaussianisation")["space"].tolist() == ["Z", "W", "PULSE", "flow"]
    assert set(flow.metrics) >= {"gaussianisation/W/ks", "gaussianisation/flow/ks", "flow/nats_per_dimension"}

    generator, prior = load_model(gan, HOW).generator, load_model(flow, HOW)
    w = generator.mapping(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)))
    assert generator.synthesis(generator.tile(w)).shape == (5, 3, 32, 32)
    assert prior.log_prob(w).shape == (5,)
    assert generator.w_mean.abs().max() > 0


@pytest.mark.usefixtures("undrawn")
def test_a_generator_begins_with_the_weights_of_another(micrographia, capsys):
    first = micrographia("train", *GAN)
    start = f"model.start.run={first.folder}"
    short = ("seed=3", "budget.kimg=0.008", "budget.validate_every=1")
    second = micrographia("train", *GAN, start, *short)
    z = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    drawn = micrographia("train", *GAN, *short)
    images = {run: load_model(run, HOW).generator(z) for run in (first, second, drawn)}
    assert (images[second] - images[first]).abs().mean() < 0.3 * (images[drawn] - images[first]).abs().mean()
    micrographia("train", *GAN, start, "model.channel_max=8", status=2)
    assert "model.start.run: its generator makes 3 channels of 32 px" in capsys.readouterr().err
    micrographia("train", *GAN, "model.start.run=nowhere", status=2)
    assert "model.start.run: nowhere is no run's folder" in capsys.readouterr().err


def test_a_flow_over_images_is_answered(micrographia, capsys):
    micrographia("train", "model=latent_flow", "data=synthetic/cells", "data.size=32", "data.count=60", status=2)
    assert "Choose data=latents" in capsys.readouterr().err
