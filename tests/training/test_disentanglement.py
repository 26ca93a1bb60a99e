import numpy as np
import pandas as pd
import pytest
import torch

from micrographia.training.disentanglement import DisentanglementScores

NAMES = {"mig", "sap", "modularity", "active_units", "omes"}


class Decoded(torch.nn.Module):
    """Stands in for a model: its codes are where the light of an image is, and how much there is."""

    device = torch.device("cpu")
    latent_names = ("light", "x", "y")

    def encode(self, images):
        light = images.sum((1, 2, 3))
        places = torch.arange(16.0)
        x, y = ((images.sum(axes) * places).sum(1) / light for axes in ((1, 2), (1, 3)))
        codes = torch.stack([light, x, y], 1)
        return codes, torch.zeros_like(codes)


def test_codes_that_tell_the_factors_score_high(squares):
    values = DisentanglementScores(Decoded(), squares, every=1, samples=500).look()
    assert set(values) == NAMES
    assert values["active_units"] == 3
    assert values["mig"] > 0.5
    assert values["omes"] > 0.8


def test_a_look_leaves_the_training_as_it_was(squares):
    watched = Decoded().train()
    callback = DisentanglementScores(watched, squares, every=1, samples=50)
    state = torch.get_rng_state()
    first = callback.look()
    assert torch.equal(torch.get_rng_state(), state)
    assert watched.training
    assert callback.look() == first  # the same specimens at every look


def test_a_changed_model_is_looked_at_anew(squares):
    watched = Decoded()
    callback = DisentanglementScores(watched, squares, every=1, samples=200)
    first = callback.look()
    watched.encode = lambda images: (torch.zeros(len(images), 3), None)
    second = callback.look()
    assert second["active_units"] == 0
    assert second["mig"] < first["mig"]


def test_a_model_that_diverged_is_not_scored(squares):
    watched = Decoded().train()
    watched.encode = lambda images: (torch.full((len(images), 3), torch.nan), None)
    with pytest.raises(ValueError, match="infinite or missing"):
        DisentanglementScores(watched, squares, every=1, samples=50).look()
    assert watched.training


@pytest.mark.parametrize(("every", "looks"), [(1, [2, 4, 6]), (2, [4])])
def test_scores_go_to_the_curves_when_they_are_due(every, looks, tmp_path, monkeypatch):
    from micrographia.cli import command

    monkeypatch.chdir(tmp_path)
    tiny = ("budget.steps=6", "budget.batch_size=4", "budget.validate_every=2", "naming.samples=50")
    sprites = ("+data.fixed={Orientation: 0, PosX: 0, PosY: 0}", "data.samples={train: 8, val: 4, test: 4}")
    assert command(["train", *tiny, *sprites, f"how.score_every={every}", "how.progress=false"]) == 0
    (folder,) = (tmp_path / "runs" / "train").glob("beta_vae-*")
    curves = pd.read_csv(folder / "curves.csv")
    scores = curves[curves["name"].isin([f"val/{name}" for name in NAMES])]
    assert scores.groupby("name")["batches"].apply(list).tolist() == [looks] * len(NAMES)
    assert np.isfinite(scores["value"]).all()
