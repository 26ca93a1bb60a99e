from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.interpretation.phenotype import phenotype
from micrographia.scores.differences import Differences
from micrographia.scores.wells import Comparison


class Bright(IndexedImages):
    """Images of one channel, each as bright as its number says."""

    name, shape = "bright", (1, 4, 4)

    def images(self, indices):
        return (indices.float() / 100)[:, None, None, None].expand(-1, *self.shape).clone()

    def record(self):
        return {}


def drawn(of_images):
    """Figure and agreement of 80 cells in 8 wells, whose latent z0 is moved by 3 deviations and z1 is not."""
    generator = np.random.default_rng(0)
    known = pd.DataFrame({"condition": ["control"] * 40 + ["treated"] * 40, "well": np.repeat(range(8), 10)})
    codes = pd.DataFrame(generator.normal(size=(80, 2)), columns=["z0", "z1"])
    codes.loc[40:, "z0"] += 3
    table = Differences(2, permutations=99).table(codes, known)

    def decode(values):
        if not of_images:
            pytest.fail("features cannot be looked at")
        return (0.4 + values[:, :1, None, None] / 10).expand(-1, 1, 4, 4)

    model = SimpleNamespace(network=SimpleNamespace(of_images=of_images), decode=decode, device="cpu")
    figure, agreement = phenotype(model, codes, table, known, Comparison(), ("control", "treated"), Bright())
    tiles = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    return codes, figure, agreement, tiles


def test_real_images_stand_in_where_features_are_decoded():
    codes, figure, agreement, tiles = drawn(of_images=False)
    assert np.isnan(agreement)
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert "z0, real images\nalike in the others" in "\n".join(labels[2].split("\n")[:2])
    # Two real pairs, their means with a map of change, and a pair for the one latent that differs.
    pair = [round(100 * float(tile[0, 0, 0])) for tile in tiles[5:7]]
    assert abs(codes["z0"][pair[1]] - codes["z0"][pair[0]] - 3) < 0.6
    assert len([tile for tile in tiles if tile.ndim == 2]) == 1  # the change of the means


def test_decoded_images_are_compared_with_the_real_change():
    _, figure, agreement, _ = drawn(of_images=True)
    assert np.isnan(agreement) or -1 <= agreement <= 1
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels[2].startswith("decoded mean code")
    assert labels[3].startswith("z0 alone")


def test_two_changes_that_are_alike_agree():
    from micrographia.interpretation.phenotype import change_agreement

    pair = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    assert change_agreement(pair, 0.5 * pair) == pytest.approx(1)
    assert change_agreement(pair, pair.flip(0)) == pytest.approx(-1)
