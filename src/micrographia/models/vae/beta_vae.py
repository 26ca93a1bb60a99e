"""beta-VAE: the KL term weighted, warmed up, or held at a rising capacity."""

from collections.abc import Callable

from torch import Tensor

from micrographia.devices.collective import mean_over
from micrographia.errors import UserError
from micrographia.models.counting import MakeOptimizer
from micrographia.models.vae import objectives
from micrographia.models.vae.networks import Network
from micrographia.models.vae.vae import VAE, Pass, Reconstruction


class BetaVAE(VAE):
    """VAE with reconstruction + beta * KL, or reconstruction + beta * |KL - C| with a capacity C that rises.

    In evaluation mode the warm-up and the rise of the capacity count as over, so that ``val/loss`` of different times
    compare.

    Parameters
    ----------
    name, shape, network, latents, optimizer, seed, reconstruction, deviation
        See `VAE`.
    beta
        Weight of the KL term.
    warmup
        Batches over which the weight rises linearly from 0; 0: none.
    capacity
        C at the end of its rise, nats; None: the plain form. With a capacity, beta is Burgess et al.'s gamma (1,000
        there).
    capacity_steps
        Batches over which C rises linearly from 0.

    References
    ----------
    Higgins et al., beta-VAE, ICLR 2017; Burgess et al., Understanding disentangling in beta-VAE, 2018
    (arXiv 1804.03599).
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        network: Callable[..., Network],
        latents: int,
        optimizer: MakeOptimizer,
        seed: int,
        reconstruction: Reconstruction | None = None,
        deviation: float = 1.0,
        beta: float = 1.0,
        warmup: int = 0,
        capacity: float | None = None,
        capacity_steps: int = 100_000,
    ):
        super().__init__(name, shape, network, latents, optimizer, seed, reconstruction, deviation)
        for key, value in {"beta": beta, "warmup": warmup, "capacity": capacity or 0}.items():
            if value < 0:
                raise UserError(f"model.{key}={value}: expected 0 or more.")
        self.beta = beta
        self.warmup = warmup
        self.capacity = capacity
        self.capacity_steps = capacity_steps

    def objective(self, passed: Pass) -> dict[str, Tensor]:
        """Reconstruction, KL, and their weighted sum."""
        kl = objectives.kl_to_standard(passed.mean, passed.logvar).sum(1).mean()
        step = self.batches if self.training else float("inf")
        beta = self.beta * objectives.linear_warmup(step, self.warmup)
        if self.capacity is None:
            penalty = beta * kl
        else:
            whole = mean_over(self.place, kl)  # a distance of the batch's KL, not a mean of distances
            penalty = objectives.capacity_term(whole, step, self.capacity, self.capacity_steps, beta)
        return {"loss": passed.reconstruction + penalty, "reconstruction": passed.reconstruction, "kl": kl}
