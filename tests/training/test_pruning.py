from functools import partial

import pandas as pd
import pytest
import torch

from micrographia.errors import UserError
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.networks import ConvNetwork
from micrographia.training.curves import CurveLogger
from micrographia.training.fit import fit
from micrographia.training.pruning import StoppedError, Watch, values_of, watched

HOW = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": None, "progress": False, "log_every": 2}
HOW["score_every"] = None
BUDGET = {"steps": 10, "epochs": None, "batch_size": 8, "validate_every": 2}
ADDRESS = "0123456789"


def train(data, folder):
    folder.mkdir(exist_ok=True)
    optimizer = partial(torch.optim.Adam, lr=1e-3)
    model = BetaVAE(name="b", shape=(1, 16, 16), network=ConvNetwork, latents=3, optimizer=optimizer, seed=0)
    fit(model, data, BUDGET, HOW, folder, "test", seed=0, loggers=[CurveLogger(str(folder))])
    return model


@pytest.fixture
def heard():
    return []


@pytest.fixture
def watch(heard):
    """Watch a value, and stop after so many validations."""

    def make(name="val/loss", most=99):
        def report(values):
            heard.append(values)
            return len(values) >= most

        return watched(Watch(name, ADDRESS, report))

    return make


def test_every_validation_is_reported_as_the_curves_have_it(squares, tmp_path, watch, heard):
    folder = tmp_path / f"run-{ADDRESS}"
    with watch():
        train(squares, folder)
    losses = pd.read_csv(folder / "curves.csv").query("name == 'val/loss'")["value"].tolist()
    assert heard == [losses[:count] for count in range(1, 6)]
    assert values_of(folder, "val/loss") == losses


def test_a_stopped_training_is_not_finished_and_goes_on_bit_equal(squares, tmp_path, watch):
    whole = train(squares, tmp_path / "whole")
    folder = tmp_path / f"run-{ADDRESS}"
    with watch(most=2), pytest.raises(StoppedError, match="stopped after 2 of 5 validations"):
        train(squares, folder)
    assert (folder / "last.ckpt").exists()
    assert not (folder / "weights.safetensors").exists()
    resumed = train(squares, folder)
    assert (folder / "weights.safetensors").read_bytes() == (tmp_path / "whole" / "weights.safetensors").read_bytes()
    assert resumed.batches == whole.batches


def test_a_resumed_training_reports_what_was_before_too(squares, tmp_path, watch, heard):
    folder = tmp_path / f"run-{ADDRESS}"
    with watch(most=2), pytest.raises(StoppedError):
        train(squares, folder)
    with watch():
        train(squares, folder)
    assert [len(values) for values in heard] == [1, 2, 3, 4, 5]


def test_the_last_validation_stops_nothing(squares, tmp_path, watch):
    with watch(most=5):
        assert train(squares, tmp_path / f"run-{ADDRESS}").batches == 10


def test_other_trainings_are_not_watched(squares, tmp_path, watch, heard):
    with watch(most=1):
        train(squares, tmp_path / "source-9876543210")
    train(squares, tmp_path / f"run-{ADDRESS}")
    assert heard == []


def test_a_value_that_is_not_logged_is_answered(squares, tmp_path, watch):
    with watch("val/los"), pytest.raises(UserError, match=r"how\.sweep\.intermediate=val/los: .*it logs: .*val/loss"):
        train(squares, tmp_path / f"run-{ADDRESS}")
