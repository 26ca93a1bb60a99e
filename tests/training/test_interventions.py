import numpy as np
import pytest
import torch

from micrographia.config import instantiate
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.data.synthetic.texture_dsprites import TextureDSprites
from micrographia.data.synthetic.translocation import TranslocationAssay
from micrographia.runs.address import composed
from micrographia.scores.disentanglement import omes
from micrographia.tasks.assembly import model_from
from micrographia.training import interventions
from micrographia.training.interventions import EncodedImages


@pytest.fixture
def model():
    what, how = composed("train", ["model.latents=3"])
    return model_from(what, how, (3, 64, 64), ()).eval()


def test_a_closed_grid_is_encoded_once_with_the_same_codes(model, monkeypatch):
    fixed = {"Texture": 0, "Color": 0, "Orientation": 0, "PosX": 3, "PosY": 3}
    data = TextureDSprites("sprites", fixed=fixed, samples={"train": 8, "val": 4, "test": 4})
    seen = []
    world = EncodedImages(model, data, seen.append)
    assert world.closed
    drawn = world.draw(50, np.random.default_rng(0))
    assert drawn.columns.tolist() == ["Shape", "Scale"]
    codes = world.encode(drawn)
    world.encode(drawn)
    assert sum(seen) == len(data) == 18
    monkeypatch.setattr(interventions, "CLOSED", 0)
    one_by_one = EncodedImages(model, data).encode(drawn)
    assert np.allclose(codes, one_by_one, atol=1e-5)
    assert codes.index.equals(drawn.index)


@pytest.mark.parametrize("data", [TextureDSprites("sprites"), SyntheticCells("cells")], ids=["sprites", "cells"])
def test_an_intervention_changes_the_codes_of_that_specimen(data, model):
    world = EncodedImages(model, data)
    drawn = world.draw(4, np.random.default_rng(0))
    assert np.allclose(world.encode(drawn), world.encode(drawn.iloc[::-1]).iloc[::-1], atol=1e-5)
    factor = "Scale" if "Scale" in drawn else "diameter"
    changed = drawn.assign(**{factor: drawn[factor].to_numpy()[::-1]})
    assert not np.allclose(world.encode(drawn), world.encode(changed), atol=1e-4)


def test_a_simulated_assay_can_be_scored_by_interventions():
    what, how = composed("train", ["model.latents=3", "data=synthetic/translocation", "data.size=64"])
    data = instantiate(what["data"], "data")
    assert isinstance(data, TranslocationAssay)
    world = EncodedImages(model_from(what, how, data.shape, data.classes).eval(), data)
    with torch.no_grad():
        result = omes(world, samples=12, active_deviation=0.0)
    assert "nuclear_fraction" in result.per_factor.index
    assert 0 <= result.score <= 1
