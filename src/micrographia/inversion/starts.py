"""Where a search begins: a pure function of (seed, image key, solution)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from micrographia.config import Between
from micrographia.errors import UserError
from micrographia.inversion.problem import Problem

Latent, Noise = 0, 1  # what is drawn: each has a stream of its own


@dataclass(frozen=True)
class Start:
    """First styles of an image: a base, and further solutions moved from it towards mapped samples.

    ``base + t (f(z) - w_mean)``, with t 0 for the first solution and uniform in a range for every further one.

    Parameters
    ----------
    kind
        ``mean``: the base is the mean of W; ``encoder``: what the problem's encoder says; ``random``: the mean of W,
        and t is 1 for every solution, so that the search begins at a mapped sample.
    least, most
        Range of t.
    per_layer
        Draw a z for each layer, instead of one for all of them.
    """

    kind: Literal["mean", "random", "encoder"] = "mean"
    least: Annotated[float, Between(0)] = 0.2
    most: Annotated[float, Between(0)] = 0.4
    per_layer: bool = False

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise UserError(f"inversion.start: least={self.least:g} is above most={self.most:g}.")

    def styles(
        self, problem: Problem, low: Tensor, keys: Sequence[int], solutions: Sequence[int], seed: int, layers: int
    ) -> Tensor:
        """First styles ``(n, layers, d)``.

        Parameters
        ----------
        low
            Low-resolution images ``(n, channels, s, s)``.
        keys, solutions
            Which image, and its how-manieth solution from 0 on; n of each.
        layers
            Of the problem, or 1.
        """
        base = problem.w_mean.expand(len(keys), layers, -1)
        if self.kind == "encoder":
            with torch.no_grad():
                base = problem.encoder(low)
            base = base if layers > 1 else base.mean(1, keepdim=True)
        shares, latents = [], []
        for key, solution in zip(keys, solutions, strict=True):
            draws = keyed_draws(seed, key, solution, Latent)
            share = draws.uniform(self.least, self.most)
            shares.append(1.0 if self.kind == "random" else share if solution else 0.0)
            latents.append(draws.standard_normal((layers if self.per_layer else 1, problem.generator.z_dim)))
        with torch.no_grad():
            z = torch.as_tensor(np.stack(latents)).to(base)
            mapped = problem.generator.mapping(z.flatten(0, 1)).view(*z.shape[:2], -1)
        return base + torch.as_tensor(shares).to(base)[:, None, None] * (mapped - problem.w_mean)


def keyed_draws(seed: int, key: int, solution: int, stream: int) -> np.random.Generator:
    """Random numbers of one solution of one image, whatever else is searched.

    Examples
    --------
    >>> first, again = (keyed_draws(0, 7, 1, Latent).standard_normal() for _ in range(2))
    >>> first == again, first == keyed_draws(0, 7, 2, Latent).standard_normal()
    (True, False)
    """
    return np.random.default_rng([seed, key, solution, stream])


def keyed_noise(shape: tuple[int, ...], keys: Sequence[int], solutions: Sequence[int], seed: int, level: int) -> Tensor:
    """Standard normal maps ``(n, *shape)`` of one layer, float64."""
    pairs = zip(keys, solutions, strict=True)
    maps = [keyed_draws(seed, key, solution, Noise + level).standard_normal(shape) for key, solution in pairs]
    return torch.as_tensor(np.stack(maps))
