"""What a search knows: a generator, a degradation, a flow, and how the generator's latents are spread."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from micrographia.errors import UserError
from micrographia.inversion.terms import leaky

CHUNK = 4096
"""Latents mapped at a time."""
TYPICAL = (0.005, 0.995)
"""Quantiles between which the central 99 % of the generator's own samples lie."""
LEAST_DEVIATION = 1e-6
"""Below this share of the largest deviation, a direction of W counts as one in which samples do not vary."""
STATISTICS, HELD_OUT = 0, 1  # streams of latents: nothing measured on the one is judged on the same


class Problem(nn.Module):
    """The generator whose latents are searched, the degradation that is undone, and what is typical of the latents.

    Its modules move with it between devices and precisions; none of their weights is changed.

    Parameters
    ----------
    generator
        With ``size``, ``channels``, ``z_dim``, ``w_dim``, ``layers``, ``mapping``, ``synthesis``; its own noise maps
        are the buffers called ``fixed_noise``, in the order of the layers.
    degradation
        With ``clean(images)``, differentiable, which the search uses, and ``factor``.
    flow
        With ``gaussianise(w)``, base and log density of points of W, and ``log_prob(w)``; None: no term may ask for it,
        and typicality is unknown.
    encoder
        From low-resolution images to styles ``(n, layers, d)``, with ``axes(layers)``; None: no search may ask for it.
    samples
        Mapped samples from which mean and spread of W are taken, and as many again for what is typical.
    seed
        Of these samples.

    Attributes
    ----------
    w_mean : Tensor
        Mean of W, ``(d,)``.
    w_spread : Tensor
        Root mean squared distance of samples from it, one number.
    v_mean, v_std : Tensor
        Of LReLU_5 of the samples, ``(d,)``.
    v_whitening : Tensor
        ``(d, d)``: ``(v - v_mean) @ v_whitening`` has unit covariance in the directions in which samples vary.
    typical : Tensor
        Central 99 % range of log p of held-out samples, ``(2,)``, nats; NaN without a flow.
    """

    def __init__(
        self,
        generator: nn.Module,
        degradation: nn.Module,
        flow: nn.Module | None = None,
        encoder: nn.Module | None = None,
        samples: int = 50_000,
        seed: int = 0,
    ):
        super().__init__()
        if flow is not None and any(parameter.isnan().any() for parameter in flow.parameters()):
            raise UserError("flow: its weights hold NaN. Train it anew.")
        self.generator: Any = generator
        self.degradation: Any = degradation
        self.flow: Any = flow
        self.encoder: Any = encoder
        for name, value in spread_of(self.sample_w(samples, seed, STATISTICS)).items():
            self.register_buffer(name, value.to(self.like))
        self.register_buffer("typical", self.typical_range(samples, seed))
        self.low_shape = tuple(self.low_of_nothing().shape[1:])

    w_mean: Tensor
    w_spread: Tensor
    v_mean: Tensor
    v_std: Tensor
    v_whitening: Tensor
    typical: Tensor

    @property
    def like(self) -> Tensor:
        """A tensor on the device and in the precision of the search."""
        return next(self.generator.parameters())

    @property
    def layers(self) -> int:
        """Styles of one image."""
        return self.generator.layers

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a generated image."""
        return self.generator.channels, self.generator.size, self.generator.size

    def synthesis(
        self, styles: Tensor, noise: Sequence[Tensor] | None = None, weights: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Images of styles ``(n, layers or 1, d)``.

        Parameters
        ----------
        noise
            One map ``(n, 1, s, s)`` for each of the first layers; the others keep the generator's own. None: all do.
        weights
            Weights by name, ``(n, ...)``, a copy per image; those of the generator stand for the names left out.
        """
        styles = styles.expand(-1, self.layers, -1)
        maps = None if noise is None else [*noise, *self.noise()[len(noise) :]]
        if weights is None:
            return self.generator.synthesis(styles, maps)
        synthesis = Synthesis(self.generator)
        images = []
        for row in range(len(styles)):
            own = {f"generator.{name}": value[row] for name, value in weights.items()}
            own_maps = None if maps is None else [level[row : row + 1] if len(level) > 1 else level for level in maps]
            images.append(functional_call(synthesis, own, (styles[row : row + 1], own_maps)))
        return torch.cat(images)

    def noise(self) -> list[Tensor]:
        """The generator's own noise maps, each ``(1, 1, s, s)``."""
        return [level for name, level in self.generator.named_buffers() if name.endswith("fixed_noise")]

    def degrade(self, images: Tensor) -> Tensor:
        """Low-resolution images, without noise."""
        return self.degradation.clean(images)

    def interpolated(self, low: Tensor) -> Tensor:
        """Low-resolution images at full size, by Keys' bicubic kernel of a = -.5, renormalised at the border."""
        # With antialiasing torch's kernel is that of a = -.5, without it that of a = -.75, which bends a ramp.
        return functional.interpolate(low, self.shape[1:], mode="bicubic", antialias=True)

    def gaussianise(self, styles: Tensor) -> tuple[Tensor, Tensor]:
        """Base of the flow ``(n, l, d)`` and log density ``(n, l)`` of styles ``(n, l, d)``."""
        base, log_p = self.flow.gaussianise(styles.flatten(0, 1))
        return base.view(styles.shape), log_p.view(styles.shape[:2])

    def require(self, part: str, what: str) -> None:
        """Raise unless a part that may be missing is there, which ``what`` cannot do without."""
        if getattr(self, part) is None:
            raise UserError(f"{what} needs {PARTS[part]}.")

    @torch.no_grad()
    def sample_w(self, count: int, seed: int, stream: int) -> Iterator[Tensor]:
        """Mapped samples in chunks; streams have nothing in common."""
        draws = np.random.default_rng([seed, stream])
        for start in range(0, count, CHUNK):
            z = draws.standard_normal((min(CHUNK, count - start), self.generator.z_dim))
            yield self.generator.mapping(torch.as_tensor(z).to(self.like))

    @torch.no_grad()
    def typical_range(self, samples: int, seed: int) -> Tensor:
        """Central 99 % range of log p of samples that nothing else has used."""
        if self.flow is None:
            return torch.full((2,), torch.nan).to(self.like)
        log_p = torch.cat([self.flow.log_prob(w).cpu() for w in self.sample_w(samples, seed, HELD_OUT)])
        return torch.as_tensor(np.quantile(log_p.double().numpy(), TYPICAL)).to(self.like)

    @torch.no_grad()
    def low_of_nothing(self) -> Tensor:
        """What the degradation makes of one black image."""
        return self.degrade(torch.zeros(1, *self.shape).to(self.like))


class Synthesis(nn.Module):
    """A generator's synthesis as a module's forward pass, for which weights can be put in."""

    def __init__(self, generator: nn.Module):
        super().__init__()
        self.generator: Any = generator

    def forward(self, styles: Tensor, noise: Sequence[Tensor] | None) -> Tensor:
        """Images of styles."""
        return self.generator.synthesis(styles, noise)


def spread_of(chunks: Iterator[Tensor]) -> dict[str, Tensor]:
    """Mean and spread of mapped samples and of their LReLU_5, summed in float64 a chunk at a time."""
    count, total, squares, v_total, v_outer = 0, *[torch.zeros((), dtype=torch.float64)] * 4
    for chunk in chunks:
        w = chunk.cpu().double()
        v = leaky(w)
        count += len(w)
        total, squares = total + w.sum(0), squares + w.square().sum()
        v_total, v_outer = v_total + v.sum(0), v_outer + v.T @ v
    w_mean, v_mean = total / count, v_total / count
    covariance = v_outer / count - v_mean[:, None] * v_mean
    variances, directions = torch.linalg.eigh(covariance)
    least = (LEAST_DEVIATION**2) * variances[-1]
    whitening = directions * variances.clamp(min=least).rsqrt()
    return {
        "w_mean": w_mean,
        "w_spread": (squares / count - w_mean.square().sum()).clamp(min=0).sqrt(),
        "v_mean": v_mean,
        "v_std": covariance.diag().clamp(min=least).sqrt(),
        "v_whitening": whitening,
    }


PARTS = {
    "flow": "a flow over the generator's latents: choose flow=..., or set its weights to 0",
    "encoder": "an encoder: choose encoder=trained or encoder=RUN, or start.kind=mean and axes=styles",
}


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients of weights; afterwards all is as before."""
    flags = {parameter: parameter.requires_grad for parameter in module.parameters()}
    modes = {child: child.training for child in module.modules()}
    module.eval().requires_grad_(False)
    try:
        yield
    finally:
        for parameter, flag in flags.items():
            parameter.requires_grad_(flag)
        for child, mode in modes.items():
            child.training = mode
