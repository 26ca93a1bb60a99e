import pytest
import torch

from micrographia.cli import command
from micrographia.data.synthetic.texture_dsprites import TextureDSprites
from micrographia.errors import UserError
from micrographia.models.vae.vae import VAE
from micrographia.pretrained import pretrained_folder, pretrained_names, shipped_folder
from micrographia.pretrained.__main__ import ship
from micrographia.runs.address import composed, digest
from micrographia.runs.environment import words_of
from micrographia.runs.run import Run
from micrographia.tasks.assembly import build_data, load_model
from micrographia.tasks.meaning import name_latents

HOW = {"accelerator": "cpu", "paths": {"runs": "runs", "cache": "cache"}, "progress": False}


def test_the_promised_models_ship():
    assert {"ada_gvae", "ada_gvae_efficientnet_lite0", "beta_vae", "factor_vae"} <= set(pretrained_names())


def test_generators_and_flows_stay_small_together():
    runs = [
        Run(pretrained_folder(name)) for name in pretrained_names() if name.startswith(("stylegan2", "latent_flow"))
    ]
    assert sum(run.weights.stat().st_size for run in runs) <= 8_000_000


VAES = [name for name in pretrained_names() if "vae" in name]


def what_of(command):
    """What a command would run."""
    _, verb, *overrides = words_of(command)
    return composed(verb, overrides)[0]


@pytest.mark.parametrize("name", pretrained_names())
def test_each_is_a_finished_run_that_loads(name):
    run = Run(pretrained_folder(name))
    assert run.weights.stat().st_size <= 5_000_000
    assert all(torch.isfinite(value).all() for value in load_model(run, HOW).lasting_state().values())


@pytest.mark.parametrize("name", pretrained_names())
def test_each_is_found_by_the_command_that_made_it(name):
    run = Run(pretrained_folder(name))
    assert run.result["command"].startswith("micrographia train ")
    address = digest(what_of(run.result["command"]))
    assert address == digest(run.config) == run.result["digest"], "mend it: python -m micrographia.pretrained --renew"
    assert shipped_folder(address) == run.folder


@pytest.mark.parametrize("name", VAES)
def test_each_vae_encodes(name):
    run = Run(pretrained_folder(name))
    assert {"score/mig", "score/omes"} <= set(run.metrics)
    model = load_model(run, HOW)
    assert isinstance(model, VAE)
    mean, logvar = model.encode(torch.rand(2, *model.shape))
    assert mean.shape == logvar.shape == (2, model.latents)
    assert torch.isfinite(mean).all()


@pytest.mark.parametrize("name", [name for name in pretrained_names() if name.startswith("stylegan2")])
def test_each_generator_states_how_real_it_looks_and_what_it_has_learned(name):
    run = Run(pretrained_folder(name))
    assert {"frechet/efficientnet_lite0", "kernel/efficientnet_lite0"} <= set(run.metrics)
    assert run.config["model"]["feature_images"] == 2000  # with so many at 96 px, as a training measures
    assert (
        run.record("model")["data"]["limits"]
        == build_data(run.config, HOW | {"threads": 1}, None, {}).record()["limits"]
    )


@pytest.mark.parametrize("name", [name for name in VAES if "efficientnet" not in name])
def test_the_stated_scores_are_those_of_the_weights(name):
    run = Run(pretrained_folder(name))
    model = load_model(run, HOW)
    found = name_latents(model, TextureDSprites(), samples=1000, strength=run.config["naming"]["strength"])
    assert found.scores["score/omes"] == pytest.approx(run.metrics["score/omes"], abs=0.05)
    assert found.scores["score/mig"] == pytest.approx(run.metrics["score/mig"], abs=0.05)


@pytest.mark.parametrize(
    ("overrides", "assay"),
    [
        ([], "translocation"),
        (["data.size=64"], "translocation"),
        (["seed=1"], "translocation"),
        (["experiment=rls/demo"], "translocation"),
        (["experiment=rls/golgi"], "golgi"),
        (["experiment=rls/golgi", "seed=1"], "golgi"),
    ],
)
def test_super_resolution_of_a_simulated_assay_trains_nothing(overrides, assay):
    what = what_of(" ".join(["micrographia superresolve", *overrides]))
    assert shipped_folder(digest(what["generator"])).name == f"stylegan2_{assay}"
    assert shipped_folder(digest(what["flow"])).name == f"latent_flow_{assay}"


@pytest.mark.parametrize("assay", ["translocation", "golgi"])
def test_a_generator_that_is_named_brings_the_flow_that_ships(assay):
    what = what_of(f"micrographia superresolve data=synthetic/{assay} generator=pretrained/{assay}")
    assert shipped_folder(digest(what["flow"])).name == f"latent_flow_{assay}"


def test_another_training_does_not_ship():
    what = what_of("micrographia superresolve generator.seed=1")
    assert shipped_folder(digest(what["generator"])) is None
    assert shipped_folder(digest(what["flow"])) is None


def test_an_unknown_name_lists_those_that_ship():
    with pytest.raises(UserError, match=r"no such shipped run\. There are: ada_gvae"):
        pretrained_folder("vae")


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A tiny finished training."""
    monkeypatch.chdir(tmp_path)
    tiny = ("budget.steps=2", "budget.batch_size=8", "budget.validate_every=2", "naming.samples=200")
    data = ("data.samples={train: 32, val: 16, test: 16}",)
    assert command(["train", *tiny, *data, "how.progress=false"]) == 0
    return Run(next((tmp_path / "runs" / "train").glob("*-*")))


@pytest.mark.parametrize("half", [False, True])
def test_what_ships_is_the_run_with_its_command(trained, half, tmp_path):
    shipped = Run(ship(trained, "mine", half, into=tmp_path / "shipped"))
    assert shipped.metrics == trained.metrics
    assert shipped.result["digest"] == trained.result["digest"]
    assert shipped.result["command"].startswith("micrographia train budget.steps=2")
    assert "how." not in shipped.result["command"]
    assert "seconds" not in shipped.result
    assert shipped.weights.stat().st_size < (0.6 if half else 1.1) * trained.weights.stat().st_size
    images = torch.rand(2, *load_model(trained, HOW).shape)
    there, here = (load_model(run, HOW).encode(images)[0] for run in (shipped, trained))
    assert there.dtype == torch.float32
    torch.testing.assert_close(there, here, atol=2e-3 if half else 0, rtol=1e-2 if half else 0)


def test_what_is_not_finished_does_not_ship(tmp_path):
    with pytest.raises(UserError, match="not a finished run"):
        ship(Run(tmp_path), "mine", into=tmp_path)
