import pytest
import torch

from micrographia.data.synthetic.texture_dsprites import TextureDSprites
from micrographia.errors import UserError
from micrographia.models.vae.vae import VAE
from micrographia.pretrained import pretrained_folder, pretrained_names
from micrographia.runs.run import Run
from micrographia.tasks.assembly import load_model
from micrographia.tasks.meaning import name_latents

HOW = {"accelerator": "cpu", "paths": {"runs": "runs", "cache": "cache"}, "progress": False}


def test_the_promised_models_ship():
    assert {"ada_gvae", "ada_gvae_efficientnet_lite0", "beta_vae", "factor_vae"} <= set(pretrained_names())


@pytest.mark.parametrize("name", pretrained_names())
def test_each_is_a_finished_run_that_loads_and_encodes(name):
    run = Run(pretrained_folder(name))
    assert run.weights.stat().st_size <= 5_000_000
    assert run.result["command"].startswith("micrographia train ")
    assert {"score/mig", "score/omes"} <= set(run.metrics)
    model = load_model(run, HOW)
    assert isinstance(model, VAE)
    mean, logvar = model.encode(torch.rand(2, *model.shape))
    assert mean.shape == logvar.shape == (2, model.latents)
    assert torch.isfinite(mean).all()


@pytest.mark.parametrize("name", [name for name in pretrained_names() if "efficientnet" not in name])
def test_the_stated_scores_are_those_of_the_weights(name):
    run = Run(pretrained_folder(name))
    model = load_model(run, HOW)
    found = name_latents(model, TextureDSprites(), samples=1000, strength=run.config["naming"]["strength"])
    assert found.scores["score/omes"] == pytest.approx(run.metrics["score/omes"], abs=0.05)
    assert found.scores["score/mig"] == pytest.approx(run.metrics["score/mig"], abs=0.05)


def test_an_unknown_name_lists_those_that_ship():
    with pytest.raises(UserError, match=r"no such shipped run\. There are: ada_gvae"):
        pretrained_folder("vae")
