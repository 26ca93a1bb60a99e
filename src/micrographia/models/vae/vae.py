"""The variational autoencoder that every method here varies: one step, its counters, its random numbers."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from micrographia.data.batches import Batch
from micrographia.errors import UserError
from micrographia.models.counting import CountingModule, MakeOptimizer, seeded_initialisation
from micrographia.models.vae import objectives
from micrographia.models.vae.networks import Network

Reconstruction = Literal["bernoulli", "gaussian", "mse", "feature_scaled"]


class Pass(NamedTuple):
    """What one pass through encoder and decoder gives to the objective."""

    reconstruction: Tensor
    """Mean over the batch, nats."""
    mean: Tensor
    logvar: Tensor
    codes: Tensor


class VAE(CountingModule):
    """Variational autoencoder: reconstruction plus KL divergence from N(0, 1).

    Noise, warm-up and capacity are functions of (seed, batches).

    Parameters
    ----------
    name
        Label in run folders and tables.
    shape
        Of one item: ``(channels, side, side)`` or ``(features,)``.
    network
        Called with ``shape`` and ``latents``.
    latents
        Size of the code.
    optimizer
        Called with the network's parameters.
    seed
        Of initial weights and noise.
    reconstruction
        ``bernoulli``, ``gaussian``, ``mse`` (sums over the item), on features also ``feature_scaled`` (d times the sum,
        as in the DRL papers). None: ``bernoulli`` on images, ``mse`` on features.
    deviation
        Standard deviation of a pixel or feature, network units (0..1); ``gaussian`` only.

    Attributes
    ----------
    labelled_latents : bool
        Whether training ties latent i to factor i, so that it may bear its name.

    Raises
    ------
    UserError
        If the reconstruction does not fit the network, or the loss is not finite (on a CPU at once; elsewhere within
        100 batches, and before a checkpoint is written).

    References
    ----------
    Kingma & Welling, Auto-encoding variational Bayes, ICLR 2014 (arXiv 1312.6114).
    """

    changed_factors: int | None = None
    labelled: bool = False
    shareable: bool = True
    labelled_latents: bool = False

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
    ):
        super().__init__(name, shape, seed)
        if latents < 1:
            raise UserError(f"model.latents={latents}: expected 1 or more.")
        if deviation <= 0:
            raise UserError(f"model.deviation={deviation}: expected a positive number.")
        self.latents = latents
        self.deviation = deviation
        self.make_optimizer = optimizer
        with seeded_initialisation(seed):
            self.network = network(shape=self.shape, latents=latents)
        self.reconstruction = checked_reconstruction(reconstruction, self.network)
        self.latent_names = [f"z{index}" for index in range(latents)]

    def posterior(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """What to reconstruct, in network units, and the mean and log-variance of its codes."""
        target = self.network.normalise(batch["image"])
        return target, *self.network.encoder(target)

    def forward(self, batch: Batch, generator: torch.Generator) -> Pass:
        """Encode, draw codes, decode."""
        target, mean, logvar = self.posterior(batch)
        codes = objectives.sample(mean, logvar, generator)
        return Pass(self.reconstruction_loss(target, self.network.decoder(codes)), mean, logvar, codes)

    def reconstruction_loss(self, target: Tensor, raw: Tensor) -> Tensor:
        """Nats (squared units for ``mse``), summed over the item, mean over the batch."""
        if self.reconstruction == "bernoulli":
            return objectives.bernoulli(target, raw)
        output = self.network.activate(raw)
        if self.reconstruction == "gaussian":
            return objectives.gaussian(target, output, self.deviation)
        return getattr(objectives, self.reconstruction)(target, output)

    def objective(self, passed: Pass) -> dict[str, Tensor]:
        """The loss and its named terms: here the negative evidence lower bound."""
        kl = objectives.kl_to_standard(passed.mean, passed.logvar).sum(1).mean()
        return {"loss": passed.reconstruction + kl, "reconstruction": passed.reconstruction, "kl": kl}

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Loss of a batch under ``"loss"``, and its named terms."""
        return self.objective(self(batch, generator))

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the codes, each ``(n, latents)``, of images in 0..1 or of features."""
        return self.network.encoder(self.network.normalise(images))

    def decode(self, codes: Tensor) -> Tensor:
        """Images in 0..1, or features in their own units."""
        return self.network.restore(self.network.activate(self.network.decoder(codes)))

    def configure_optimizers(self) -> Any:
        """One optimiser of the network's parameters."""
        return self.make_optimizer(self.network.parameters())


def checked_reconstruction(choice: Reconstruction | None, network: Network) -> Reconstruction:
    """The reconstruction loss to use with a network."""
    if choice is None:
        return "bernoulli" if network.of_images else "mse"
    if choice == "bernoulli" and not network.of_images:
        raise UserError(
            "model.reconstruction=bernoulli needs images in 0..1: on features choose mse, gaussian or feature_scaled."
        )
    if choice == "feature_scaled" and network.of_images:
        raise UserError(
            "model.reconstruction=feature_scaled is for features: on images choose bernoulli, gaussian or mse."
        )
    return choice
