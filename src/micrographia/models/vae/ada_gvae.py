"""Ada-GVAE: a beta-VAE on pairs whose posteriors are averaged in the latents that the pair shares."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from micrographia.data.batches import Batch
from micrographia.devices.collective import gathered, own_part
from micrographia.errors import UserError
from micrographia.models.counting import MakeOptimizer
from micrographia.models.vae import objectives
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.networks import Network
from micrographia.models.vae.vae import Reconstruction


class AdaGVAE(BetaVAE):
    """beta-VAE on pairs of images that differ in a few factors; the loss is the mean over both images.

    Which latents a pair shares follows from its posteriors (``adaptive``) or from the known changed factors
    (``labels``, stronger supervision, by which latent i encodes factor i). Both images go through the networks in one
    pass, so that batch statistics are those of all. Batches without partners, as in validation, count as a beta-VAE's.

    Parameters
    ----------
    name, shape, network, latents, optimizer, seed, reconstruction, deviation, beta, warmup, capacity, capacity_steps
        See `BetaVAE`.
    changed_factors
        k, the number of factors by which a pair differs.
    aggregator
        ``adaptive``: latents share where the divergence of the two posteriors is small; ``labels``: all share but
        those with the index of a changed factor.
    threshold
        ``pair``: small means at most the midpoint of the pair's lowest and highest; ``batch``: of the whole batch's,
        as in the DRL papers' code. Has no effect on ``labels``.

    Raises
    ------
    UserError
        If ``labels`` is to tie more factors than there are latents.

    References
    ----------
    Locatello et al., Weakly-supervised disentanglement without compromises, ICML 2020 (arXiv 2002.02886); ``labels``:
    disentanglement_lib.
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
        changed_factors: int = 1,
        aggregator: Literal["adaptive", "labels"] = "adaptive",
        threshold: Literal["pair", "batch"] = "pair",
    ):
        super().__init__(
            *(name, shape, network, latents, optimizer, seed, reconstruction, deviation),
            *(beta, warmup, capacity, capacity_steps),
        )
        if changed_factors < 1:
            raise UserError(f"model.changed_factors={changed_factors}: expected 1 or more.")
        self.changed_factors = changed_factors
        self.aggregator = aggregator
        self.threshold = threshold
        self.labelled_latents = aggregator == "labels"

    def posterior(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Both images of each pair, first ones first, and their posteriors, averaged where shared."""
        if "partner" not in batch:
            return super().posterior(batch)
        target = self.network.normalise(torch.cat([batch["image"], batch["partner"]]))
        mean, logvar = self.network.encoder(target)
        return target, *objectives.average_shared(mean, logvar, self.shared(batch, mean, logvar))

    def shared(self, batch: Batch, mean: Tensor, logvar: Tensor) -> Tensor:
        """Bool ``(pairs, latents)``: where the posteriors of a pair are averaged."""
        if self.aggregator == "labels":
            changed = batch["changed"]
            if changed.shape[1] > self.latents:
                raise UserError(
                    f"model.aggregator=labels ties one latent to each of {changed.shape[1]} factors: "
                    f"model.latents={self.latents} is too few."
                )
            return objectives.all_but_changed(changed, self.latents)
        first, second = zip(mean.detach().chunk(2), logvar.detach().chunk(2), strict=True)
        delta = objectives.symmetric_kl(*first, *second)
        if self.threshold == "batch":
            return own_part(self.place, objectives.below_midpoint(gathered(self.place, delta), "batch"))
        return objectives.below_midpoint(delta, "pair")
