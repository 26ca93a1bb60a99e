"""FactorVAE: a VAE with a penalty on total correlation, estimated by a discriminator that is trained beside it."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from micrographia.data.batches import Batch
from micrographia.devices.collective import gathered, own_part
from micrographia.errors import UserError
from micrographia.models.counting import MakeOptimizer, seeded_initialisation
from micrographia.models.vae import objectives
from micrographia.models.vae.networks import Network
from micrographia.models.vae.vae import VAE, Pass, Reconstruction


def discriminator(latents: int, width: int = 1000) -> nn.Sequential:
    """Six layers with LeakyReLU(.2); one logit of "codes of the posterior" against "permuted codes".

    Kim & Mnih's softmax of two logits is the sigmoid of their difference, which is this logit.
    """
    sizes = [latents] + [width] * 6
    layers = [
        nn.Sequential(nn.Linear(before, after), nn.LeakyReLU(0.2, inplace=True)) for before, after in pairwise(sizes)
    ]
    return nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0))


class FactorVAE(VAE):
    """VAE with reconstruction + KL + gamma * total correlation.

    The discriminator learns from the same batch, its codes against those codes permuted, as in disentanglement_lib (the
    paper's algorithm draws a second batch).

    Parameters
    ----------
    name, shape, network, latents, optimizer, seed, reconstruction, deviation
        See `VAE`.
    gamma
        Weight of the total correlation.
    discriminator_width
        Units per layer of the discriminator.
    discriminator_optimizer
        Called with the discriminator's parameters.

    References
    ----------
    Kim & Mnih, Disentangling by factorising, ICML 2018 (arXiv 1802.05983), algorithm 2 and appendix A.
    """

    training_only = ("discriminator.",)

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        network: Callable[..., Network],
        latents: int,
        optimizer: MakeOptimizer,
        discriminator_optimizer: MakeOptimizer,
        seed: int,
        reconstruction: Reconstruction | None = None,
        deviation: float = 1.0,
        gamma: float = 10.0,
        discriminator_width: int = 1000,
    ):
        super().__init__(name, shape, network, latents, optimizer, seed, reconstruction, deviation)
        if gamma < 0:
            raise UserError(f"model.gamma={gamma}: expected 0 or more.")
        self.gamma = gamma
        with seeded_initialisation(seed):
            self.discriminator = discriminator(latents, discriminator_width)
        self.make_discriminator_optimizer = discriminator_optimizer
        self.automatic_optimization = False

    def objective(self, passed: Pass) -> dict[str, Tensor]:
        """The VAE's terms and the total correlation."""
        parts = super().objective(passed)
        total_correlation = objectives.total_correlation(self.discriminator(passed.codes))
        parts["loss"] = parts["loss"] + self.gamma * total_correlation
        return {**parts, "total_correlation": total_correlation}

    def discriminator_loss(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Cross-entropy of the discriminator on codes and on their permutation; codes get no gradient."""
        codes = codes.detach()
        permuted = own_part(self.place, objectives.permute_codes(gathered(self.place, codes), generator))
        logits = self.discriminator(torch.cat([codes, permuted]))
        return objectives.discriminator_loss(*logits.chunk(2))

    def training_step(self, batch: Batch, batch_idx: int) -> None:  # type: ignore[override]
        """A step of the VAE, then one of the discriminator on the same codes."""
        generator = self.step_generator()
        vae_optimizer, discriminator_optimizer = self.optimizers()  # type: ignore[attr-defined]

        # The VAE's step needs the discriminator's gradient to the codes, not to its weights.
        self.discriminator.requires_grad_(False)
        passed = self(batch, generator)
        parts = self.objective(passed)
        self.take_step(vae_optimizer, parts["loss"])
        self.discriminator.requires_grad_(True)

        parts["discriminator"] = self.discriminator_loss(passed.codes, generator)
        self.take_step(discriminator_optimizer, parts["discriminator"])
        self.count(batch, parts)

    def configure_optimizers(self) -> Any:
        """One optimiser of the VAE's parameters and one of the discriminator's."""
        return [
            self.make_optimizer(self.network.parameters()),
            self.make_discriminator_optimizer(self.discriminator.parameters()),
        ]
