from functools import partial

import pandas as pd
import pytest
import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.runs.run import Run
from micrographia.training.curves import CurveLogger
from micrographia.training.fit import fit
from micrographia.training.samples import Samples

HOW = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": 1, "progress": False, "log_every": 9}
ADAM = partial(torch.optim.Adam, lr=2e-3, betas=(0.0, 0.99))


class Noise(IndexedImages):
    """Random images, a function of their index."""

    name = "noise"
    shape = (1, 32, 32)

    def images(self, indices):
        draw = [torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(index)) for index in indices.tolist()]
        return torch.stack(draw)

    def indices(self, part):
        start = {"train": 0, "val": 12, "test": 16}[part]
        return torch.arange(start, {"train": 12, "val": 16, "test": 20}[part])

    def table(self, indices):
        return pd.DataFrame(index=indices)


class Corners(torch.nn.Module):
    """Features: brightness of the four quarters."""

    name, size, features = "corners", 8, 4

    def forward(self, images):
        return torch.nn.functional.adaptive_avg_pool2d(images[:, :1], 2).flatten(1)


@pytest.fixture
def train(tmp_path):
    def run(steps, **keys):
        gan = StyleGAN2(
            *("gan", (1, 32, 32), ADAM, ADAM, 0),
            **{"z_dim": 8, "w_dim": 8, "mapping_layers": 2, "channel_max": 4, "w_samples": 10, **keys},
        )
        data = Noise()
        samples = Samples(gan, data, Run(tmp_path))
        budget = {"steps": steps, "epochs": None, "batch_size": 4, "validate_every": 3}
        fit(gan, data, budget, HOW, tmp_path, "test", 0, [CurveLogger(str(tmp_path))], [samples])
        return samples

    return run


def test_sheets_and_distances_come_every_so_many_images(tmp_path, train):
    train(6, sample_kimg=0.01, features=Corners, feature_images=10)
    sheets = sorted(path.name for path in (tmp_path / "figures" / "samples").glob("*.png"))
    assert sheets == ["000000012.png", "000000020.png"]
    curves = pd.read_csv(tmp_path / "curves.csv")
    assert curves.query("name == 'frechet/corners'")["images"].tolist() == [12, 20]
    assert curves.query("name == 'kernel/corners'")["images"].tolist() == [12, 20]


def test_neither_sheets_nor_validations_count_as_training(train, monkeypatch):
    halts = []
    monkeypatch.setattr("micrographia.models.gan.ticks.Ticks.stop", lambda ticks: halts.append("stop"))
    monkeypatch.setattr("micrographia.models.gan.ticks.Ticks.go_on", lambda ticks: halts.append("go on"))
    train(6, sample_kimg=0.01)
    assert halts == ["stop", "go on"] * (2 + 2)  # sheets and validations


def test_the_codes_are_the_same_every_time(train):
    samples = train(2)
    first, again = (torch.cat(list(samples.generated(5))) for _ in range(2))
    assert torch.equal(first, again)
    torch.testing.assert_close(first, torch.cat(list(samples.generated(40)))[:5])


def test_nothing_is_measured_where_no_features_are_named(tmp_path, train):
    samples = train(4)
    assert samples.measure() == {}
    assert not (tmp_path / "figures").exists()
