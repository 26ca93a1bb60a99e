"""A toy generator, degradation and flow: smooth, small, float64, and without any mixing of images."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from micrographia.inversion.objective import L1, Cross, LogP, PNorm
from micrographia.inversion.problem import Problem
from micrographia.inversion.schedule import Schedule
from micrographia.inversion.search import LatentSearch
from micrographia.inversion.spaces import WPlus
from micrographia.inversion.starts import Start

SIZE, CHANNELS, WIDTH, LAYERS = 16, 2, 6, 4


class ToyGenerator(nn.Module):
    """Each layer's style and noise map add a smooth pattern."""

    size, channels, z_dim, w_dim, layers = SIZE, CHANNELS, WIDTH, WIDTH, LAYERS

    def __init__(self):
        super().__init__()
        draws = torch.Generator().manual_seed(0)
        self.mapped = nn.Linear(WIDTH, WIDTH)
        self.pattern = nn.Parameter(torch.randn(LAYERS, WIDTH, CHANNELS, SIZE, SIZE, generator=draws))
        self.strength = nn.Parameter(torch.full((LAYERS,), 0.05))
        with torch.no_grad():
            self.mapped.weight.copy_(torch.randn(WIDTH, WIDTH, generator=draws))
            self.mapped.bias.copy_(torch.randn(WIDTH, generator=draws))
        for layer in range(LAYERS):
            self.register_buffer(f"level{layer}_fixed_noise", torch.randn(1, 1, SIZE, SIZE, generator=draws))

    def mapping(self, z):
        return functional.leaky_relu(self.mapped(z), 0.2)

    def synthesis(self, w_plus, noise=None):
        noise = [getattr(self, f"level{layer}_fixed_noise") for layer in range(LAYERS)] if noise is None else noise
        field = torch.einsum("nld,ldcyx->ncyx", torch.tanh(w_plus / 2), self.pattern) / 4
        for layer, level in enumerate(noise):
            field = field + self.strength[layer] * level
        return torch.sigmoid(field)


class Pooling(nn.Module):
    """Means over squares."""

    def __init__(self, factor=4):
        super().__init__()
        self.factor = factor

    def clean(self, images):
        return functional.avg_pool2d(images, self.factor)


class ToyFlow(nn.Module):
    """A normal distribution of diagonal covariance, as a flow."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def gaussianise(self, w):
        return (w - self.mean) / self.std, self.log_prob(w)

    def log_prob(self, w):
        return torch.distributions.Normal(self.mean, self.std).log_prob(w).sum(1)


def toy_problem(**parts):
    generator = ToyGenerator().double()
    w = generator.mapping(torch.randn(4000, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    flow = ToyFlow(w.mean(0).detach(), w.std(0).detach())
    return Problem(generator, Pooling(), **{"flow": flow, "samples": 4000, **parts})


@pytest.fixture
def toy():
    """Build a problem from the toys, with other parts as given."""
    return toy_problem


@pytest.fixture
def problem():
    return toy_problem()


@pytest.fixture
def truth(problem):
    """Eight generated images, and their low-resolution versions."""
    w = torch.cat(list(problem.sample_w(8, 99, 7)))
    images = problem.synthesis(w[:, None]).detach()
    return images, problem.degrade(images)


def search(**changes):
    """RLS for the toy problem, changed as given."""
    terms = {"data": L1(10.0), "log_p": LogP(0.002), "p_norm": PNorm(0.004), "cross": Cross(0.05)}
    keys = {"terms": terms, "schedule": Schedule(60), "start": Start(), "space": WPlus(), "lr": 0.3, "seed": 0}
    return LatentSearch(**{"name": "rls", **keys, **changes})


@pytest.fixture
def build_search():
    """Build RLS for the toy problem, changed as given."""
    return search
