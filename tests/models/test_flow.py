"""The flow over style codes: densities, samples, standardisation, early stopping, exact resume."""

import math
from functools import partial
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from micrographia.data.latents import LatentCodes
from micrographia.errors import UserError
from micrographia.models.flow import LatentFlow, compared_spaces
from micrographia.models.gan.generator import Generator
from micrographia.scores.gaussianisation import gaussianisation
from micrographia.training.checkpoints import load_weights
from micrographia.training.curves import CurveLogger
from micrographia.training.fit import fit

HOW = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": 1, "progress": False, "log_every": 5}
KINDS = ["maf", "coupling", "spline_coupling"]
D = 4


def flow(rate=5e-3, **keys):
    small = {"blocks": 3, "hidden": 16, "standard_samples": 2000}
    adam = partial(torch.optim.Adam, lr=rate)
    return LatentFlow(**{"name": "flow", "shape": (D,), "optimizer": adam, "seed": 0, **small, **keys})


@pytest.fixture
def codes():
    torch.manual_seed(3)
    generator = Generator(32, 1, z_dim=6, w_dim=D, mapping_layers=3, channel_max=2)
    return LatentCodes(SimpleNamespace(generator=generator), count=5000, held_out=1000)


def train(module, data, folder, steps, validate_every=20, batch_size=128):
    folder.mkdir(exist_ok=True)
    budget = {"steps": steps, "epochs": None, "batch_size": batch_size, "validate_every": validate_every}
    fit(module, data, budget, HOW, folder, "test", 0, [CurveLogger(str(folder))])
    return module


def standardised(module, seed=0):
    """The module with a mean and deviation that are not 0 and 1."""
    with torch.no_grad():
        module.mean.copy_(torch.tensor([1.0, -2.0, 0.0, 0.5]))
        module.std.copy_(torch.tensor([0.5, 2.0, 1.0, 0.1]))
    return module


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("space", ["w", "lrelu5"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_and_densities_belong_together(kind, space, dtype):
    module = standardised(flow(kind=kind, space=space)).to(dtype)
    w = module.sample(200, torch.Generator().manual_seed(0))
    assert w.shape == (200, D)
    assert w.dtype == dtype
    base = torch.randn(200, D, generator=torch.Generator().manual_seed(0)).to(dtype)
    torch.testing.assert_close(module.to_base(w), base, atol=1e-3, rtol=1e-3)
    distribution = module.flow()
    torch.testing.assert_close(module.log_prob(w), distribution.log_prob(module.standardise(w)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_integrates_to_one(kind):
    module = LatentFlow("flow", (2,), partial(torch.optim.Adam), 0, kind, blocks=2, hidden=8).double()
    axis = torch.linspace(-8, 8, 321, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    assert module.log_prob(grid).exp().sum().item() * 0.05**2 == pytest.approx(1, abs=0.01)


def test_the_space_undoes_the_last_leaky_relu():
    w = torch.tensor([[-0.2, 1.0, -1.0, 0.0]])
    assert flow(space="lrelu5").standardise(w).tolist() == [[-1.0, 1.0, -5.0, 0.0]]
    assert torch.equal(flow(space="w").standardise(w), w)


def test_mean_and_floored_deviation_are_those_of_the_codes():
    module = flow()
    batches = [torch.randn(500, D, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
    batches = [batch * torch.tensor([1.0, 2.0, 3.0, 0.0]) + 5 for batch in batches]
    module.measure(batches)
    assert module.mean.tolist() == pytest.approx([5.0] * 4, abs=0.3)
    assert module.std[:3].tolist() == pytest.approx([1.0, 2.0, 3.0], rel=0.1)
    assert module.std[3].item() == pytest.approx(1e-3 * 6 / 4, rel=0.1)
    assert module.log_prob(batches[0]).isfinite().all()


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, codes):
    whole = train(flow(), codes, tmp_path / "whole", 60)
    train(flow(), codes, tmp_path / "resumed", 40)
    other = flow(seed=9)
    other.seed = 0
    torch.manual_seed(99)
    resumed = train(other, codes, tmp_path / "resumed", 60)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    ours, theirs = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["optimizer_states"][0]["state"]
        for name in ("whole", "resumed")
    )
    for key, state in ours.items():
        assert all(torch.equal(value, theirs[key][name]) for name, value in state.items())


def test_training_gaussianises_the_codes(tmp_path, codes):
    module = train(flow(), codes, tmp_path, 400, validate_every=100)
    test = codes.indices("test")
    w = codes.images(test)
    table = gaussianisation(compared_spaces(codes.draw(test), w, module)).set_index("space")
    assert table.index.tolist() == ["Z", "W", "PULSE", "flow"]
    assert table.loc["Z", "ks"] < 0.06
    assert table.loc["flow", "ks"] < 0.5 * table.loc["W", "ks"]
    restored = flow(seed=5)
    load_weights(restored, tmp_path / "weights.safetensors")
    assert torch.equal(restored.log_prob(w), module.log_prob(w))


def test_training_stops_when_validations_get_no_better_and_ends_with_the_best(tmp_path, codes):
    module = train(flow(rate=0.3, patience=2), codes, tmp_path / "run", 2000, validate_every=10)
    losses = pd.read_csv(tmp_path / "run" / "curves.csv").query("name == 'val/loss'")["value"]
    assert module.batches == 10 * len(losses) < 2000
    best = losses.idxmin()
    assert losses.index.get_loc(best) == len(losses) - 3
    with torch.no_grad():
        loss = -module.log_prob(codes.images(codes.indices("val"))).mean().item()
    assert loss == pytest.approx(losses.min(), rel=1e-4)
    again = train(flow(rate=0.3, patience=2), codes, tmp_path / "run", 2000, validate_every=10)
    assert again.batches == module.batches  # a run resumed after its stop does not go on
    assert torch.equal(again.mean, module.mean)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_reaches_every_parameter(kind):
    module = flow(kind=kind)
    (-module.log_prob(torch.randn(256, D)).mean()).backward()
    for name, weight in module.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name


def test_images_are_refused():
    with pytest.raises(UserError, match=r"codes, the data give items of shape \(3, 32, 32\).*\n?.*data=latents"):
        flow(shape=(3, 32, 32))


def test_the_norms_of_a_normal_follow_chi_squared():
    normal = torch.randn(5000, 64, generator=torch.Generator().manual_seed(0))
    table = gaussianisation({"normal": normal, "wide": 1.2 * normal, "shell": normal / normal.norm(dim=1)[:, None] * 8})
    assert table["mean"].tolist() == pytest.approx([64, 64 * 1.44, 64], rel=0.02)
    assert table["expected_deviation"].tolist() == pytest.approx([math.sqrt(128)] * 3)
    assert table["ks"][0] < 0.03
    assert table["ks"][1] > 0.5
    assert table["ks"][2] == pytest.approx(0.5, abs=0.05)
