"""The encoder: that it learns the search's loss, is trained through `fit`, and makes short searches end lower."""

from functools import partial

import pytest
import torch
from torch import nn

from micrographia.data.batches import step_generator
from micrographia.data.datamodule import IndexedImages
from micrographia.degradations import Degradation, GaussianNoise
from micrographia.errors import UserError
from micrographia.filters import AveragePooling
from micrographia.inversion.latent_encoder import LatentEncoder
from micrographia.inversion.objective import L1, Candidate, Cross, LogP, PNorm, weighted
from micrographia.inversion.problem import Problem
from micrographia.inversion.schedule import Schedule
from micrographia.inversion.starts import Start
from micrographia.training.fit import fit

HOW = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": 1, "progress": False, "log_every": 2}
TERMS = {"data": L1(10.0), "log_p": LogP(0.002), "p_norm": PNorm(0.004), "cross": Cross(0.05)}
adam = partial(torch.optim.Adam, lr=2e-3, fused=True)


def pooling(**noise):
    return Degradation("pooling", {"reduce": AveragePooling(4)}, noise)


class Generated(IndexedImages):
    """What the toy generator makes, of other codes than the tests'."""

    name = "generated"

    def __init__(self, problem):
        super().__init__()
        w = torch.cat(list(problem.sample_w(300, 5, 8)))
        self.all = problem.synthesis(w[:, None]).detach().float()
        self.shape = tuple(self.all.shape[1:])

    def images(self, indices):
        return self.all[indices]

    def indices(self, part):
        everything = torch.arange(300)
        return everything[{"train": everything >= 60, "val": everything < 30, "test": everything < 60}[part]]


@pytest.fixture
def build(toy):
    """Build an encoder for the toy generator, changed as given."""

    def make(**keys):
        parts = toy().float()
        given = {
            "generator": parts.generator,
            "flow": parts.flow,
            "degradation": pooling(noise=GaussianNoise(0.004)),
            "terms": TERMS,
        }
        given |= {"shape": parts.shape, "optimizer": adam}
        return LatentEncoder(name="encoder", seed=1, **{"filters": 16, "blocks": 1, **given, **keys})

    return make


@pytest.fixture
def data(toy):
    return Generated(toy())


def train(model, data, folder, steps, batch_size=8):
    folder.mkdir(exist_ok=True)
    budget = {"steps": steps, "epochs": None, "batch_size": batch_size, "validate_every": 4 if steps < 100 else 200}
    fit(model, data, budget, HOW, folder, "test", 5)
    return model


def test_small_residuals_survive_mixed_precision(build, data):
    model = build(generated=0.5)
    batch = {"image": data.images(torch.arange(32))}
    exact = model.loss(batch, step_generator(0, 0))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model.loss(batch, step_generator(0, 0))
    assert float(mixed["data"].detach()) == pytest.approx(float(exact["data"].detach()), rel=1e-4)


def test_it_begins_at_the_mean_of_w(build, data):
    model = build()
    low = pooling().clean(data.images(torch.arange(3)))
    torch.testing.assert_close(model(low), model.problem.w_mean.expand(3, model.layers, -1))


def test_its_loss_is_the_searchs(build, data, build_search):
    model = build(degradation=pooling(), generated=0.0).eval()
    nn.init.normal_(model.network[-1].weight, std=0.1)
    images = data.images(torch.arange(4))
    parts = model.loss({"image": images}, step_generator(0, 0))
    assert parts.keys() == {"loss", *TERMS}
    assert float(parts["loss"].detach()) == pytest.approx(sum(float(parts[name].detach()) for name in TERMS))
    one = build_search(schedule=Schedule(1), start=Start("encoder"), terms=TERMS)
    problem = Problem(model.generator, pooling(), model.problem.flow, model, samples=4000)
    found = one.solve(problem, problem.degrade(images), range(4)).table
    assert float(parts["loss"].detach()) == pytest.approx(found["loss"].mean(), rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_as_many_images_as_asked_are_exchanged_for_generated_ones(build, share):
    model = build(degradation=pooling(), generated=share).eval()
    seen = []
    model.network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    black = {"image": torch.zeros(400, *model.shape)}
    model.loss(black, step_generator(0, 0))
    (low,) = seen
    exchanged = (low.flatten(1) > 0).any(1).float().mean()
    assert exchanged == pytest.approx(share, abs=0.06)
    assert (black["image"] == 0).all()


def test_a_short_search_from_it_ends_below_a_long_one_from_the_mean(build, data, build_search, tmp_path):
    model = build()
    before = {name: value.clone() for name, value in model.problem.state_dict().items()}
    train(model, data, tmp_path, 400, 32)
    low = pooling().clean(data.images(data.indices("test")))
    problem = Problem(model.generator, pooling(), model.problem.flow, model.eval(), samples=4000)

    def loss(kind, steps, lr):
        search = build_search(schedule=Schedule(steps), start=Start(kind), terms=TERMS, lr=lr)
        return search.solve(problem, low, range(len(low))).table["loss"].mean()

    assert loss("encoder", 1, 0.3) < loss("mean", 10, 0.3)
    assert loss("encoder", 10, 0.05) < min(loss("mean", 10, lr) for lr in (0.05, 0.3))
    for name, value in model.problem.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_what_is_kept_is_the_average_of_what_is_trained(build, data, tmp_path):
    followed = train(build(average_kimg=0), data, tmp_path / "without", 4)
    model = train(build(average_kimg=0.2), data, tmp_path / "with", 4)
    for average, last, learner in zip(*map(parameters, (model.network, followed.network, model.learner)), strict=True):
        assert torch.equal(last, learner)
        assert not torch.equal(average, learner)
    low = pooling().clean(data.images(torch.arange(3)))
    assert not torch.equal(model.eval()(low), model.train()(low))


def parameters(network):
    return [parameter.detach() for parameter in network.parameters()]


def test_an_interrupted_training_ends_bit_equal(build, data, tmp_path):
    whole = train(build(), data, tmp_path / "whole", 8)
    train(build(), data, tmp_path / "parts", 4)
    resumed = train(build(), data, tmp_path / "parts", 8)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert resumed.images == 64


def test_gradients_reach_every_parameter_of_the_network(build, data):
    model = build()
    nn.init.normal_(model.learner[-1].weight, std=0.1)
    model.train().loss({"image": data.images(torch.arange(4))}, step_generator(0, 0))["loss"].backward()
    for name, parameter in model.learner.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
    assert all(parameter.grad is None for parameter in [*model.problem.parameters(), *model.network.parameters()])


def test_axes_are_those_of_the_gradients_that_it_has_met(build, data, tmp_path):
    model = build()
    with pytest.raises(UserError, match=r"encoder encoder: it has learned nothing.* Train one"):
        model.axes(4)
    seen = []
    model.learner.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    train(model, data, tmp_path / "one", 1)
    (low,) = seen
    styles = model.w_mean.expand(len(low), model.layers, -1).clone().requires_grad_()
    terms = weighted(TERMS, Candidate(model.problem, styles, styles, model.synthesis(styles), low))
    (gradient,) = torch.autograd.grad(sum(terms.values()).sum(), styles)
    moments = torch.einsum("nld,nle->lde", gradient, gradient)
    moments *= moments.shape[0] * moments.shape[1] / moments.diagonal(dim1=1, dim2=2).sum()
    torch.testing.assert_close(model.gradients, moments, rtol=1e-3, atol=1e-4)
    for layers, known in ((4, moments), (1, moments.mean(0, keepdim=True))):
        axes = model.axes(layers).float()
        torch.testing.assert_close(axes.mT @ axes, torch.eye(6).expand(layers, 6, 6), atol=1e-5, rtol=0)
        along = axes.mT @ known @ axes
        torch.testing.assert_close(along, torch.diag_embed(along.diagonal(dim1=1, dim2=2)), atol=1e-3, rtol=0)


def observe(model, gradient, kept):
    model.predicted = torch.zeros(2, 4, 6)
    model.predicted.grad = gradient.expand(2, 4, 6).clone()
    model.observe(kept)


def test_gradients_are_averaged_whatever_their_size(build):
    model = build()
    observe(model, torch.ones(6), 0.0)
    torch.testing.assert_close(model.gradients, torch.ones(4, 6, 6))
    observe(model, 100 * torch.eye(6)[0], 0.75)
    first = torch.zeros(6, 6)
    first[0, 0] = 6
    torch.testing.assert_close(model.gradients, (0.75 + 0.25 * first).expand(4, 6, 6))


def test_a_batch_that_overflows_leaves_the_gradients_as_they_are(build):
    model = build()
    for value in (1.0, torch.inf):
        observe(model, torch.full((6,), value), 0.0)
        torch.testing.assert_close(model.gradients, torch.ones(4, 6, 6))


def test_only_the_network_and_the_axes_are_kept(build):
    assert {name.split(".")[0] for name in build().lasting_state()} == {"network", "w_mean", "w_scale", "gradients"}


def test_what_does_not_fit_is_answered(build):
    with pytest.raises(UserError, match=r"shape \(3, 16, 16\), the generator makes \(2, 16, 16\)"):
        build(shape=(3, 16, 16))
    with pytest.raises(UserError, match=r"model\.terms\.log_p: needs a flow over the generator's latents"):
        build(flow=None)
    with pytest.raises(UserError, match=r"model encoder: no term is left"):
        build(terms={"data": L1(0.0), "log_p": None}).on_fit_start()
    without = {"data": L1(10.0), "log_p": LogP(0.0), "p_norm": None}
    assert build(flow=None, terms=without).terms.keys() == {"data"}
