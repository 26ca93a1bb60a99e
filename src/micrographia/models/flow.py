"""A normalising flow over a generator's style codes: which points of W are typical."""

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import torch
import zuko
from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer

from micrographia.config import Between
from micrographia.data.batches import Batch
from micrographia.data.latents import LatentCodes
from micrographia.errors import UserError
from micrographia.models.counting import CountingModule, MakeOptimizer, seeded_initialisation

Space = Literal["w", "lrelu5"]
Positive = Annotated[int, Between(1)]

SLOPE = 5.0  # of the leaky ReLU below 0: undoes the slope .2 at the end of the mapping network
FLOOR = 1e-3  # least standard deviation, as a share of the mean one


class LatentFlow(CountingModule):
    """Flow N from standardised style codes to a standard normal, trained by maximum likelihood.

    ``z(w) = (s(w) - mean) / std``, where s is the identity or a leaky ReLU of slope 5; mean and standard deviation are
    those of the first training codes. Weights are those of the best validation, and the training stops early when
    validations no longer get better; the budget is its upper bound.

    Parameters
    ----------
    name
        Label in run folders and tables.
    shape
        ``(w_dim,)``.
    optimizer
        Called with the parameters.
    seed
        Of initial weights.
    kind
        ``maf``: masked autoregressive, fast in density and slow in sampling (w_dim passes); ``coupling``: affine
        coupling, fast in both; ``spline_coupling``: rational-quadratic splines.
    blocks
        Transformations one after the other.
    hidden
        Units of each of the two hidden layers of a block's network.
    space
        ``w``, or ``lrelu5``: w after a leaky ReLU of slope 5 below 0, which undoes the last one of the mapping network.
    standard_samples
        Training codes that mean and standard deviation are taken from.
    patience
        Validations without a better loss after which the training stops; null: never.

    Raises
    ------
    UserError
        If the data are no codes, or the loss is not finite.

    References
    ----------
    Papamakarios et al., Masked autoregressive flow for density estimation, NeurIPS 2017 (arXiv 1705.07057);
    Dinh et al., Density estimation using Real NVP, ICLR 2017 (arXiv 1605.08803); Durkan et al., Neural spline flows,
    NeurIPS 2019 (arXiv 1906.04032); its use as a prior of W: Gheisari & Genovesio, 2024 (arXiv 2405.19112).
    """

    shareable = True

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        optimizer: MakeOptimizer,
        seed: int,
        kind: Literal["maf", "coupling", "spline_coupling"] = "maf",
        blocks: Positive = 5,
        hidden: Positive = 1024,
        space: Space = "w",
        standard_samples: Annotated[int, Between(2)] = 100_000,
        patience: Positive | None = 10,
    ):
        super().__init__(name, shape, seed)
        if len(self.shape) != 1:
            raise UserError(
                f"model {name}: it learns a generator's codes, the data give items of shape {self.shape}. "
                "Choose data=latents, and set data.generator.run to a run of model=stylegan2."
            )
        with seeded_initialisation(seed):
            self.flow = build_flow(kind, self.shape[0], blocks, hidden)
        self.make_optimizer = optimizer
        self.space: Space = space
        self.standard_samples = standard_samples
        self.patience = patience
        self.best: dict[str, Any] = {"loss": math.inf, "validations_since": 0, "weights": None}
        self.register_buffer("mean", torch.zeros(self.shape))
        self.register_buffer("std", torch.ones(self.shape))

    def lasting_state(self) -> dict[str, Tensor]:
        """Weights that a finished run keeps: not the flow's masks, which follow from its architecture."""
        return {name: value for name, value in super().lasting_state().items() if value.is_floating_point()}

    def standardise(self, w: Tensor) -> Tensor:
        """z(w), ``(n, d)``."""
        return (unfolded(w, self.space) - self.mean) / self.std

    def gaussianise(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """N(z(w)) ``(n, d)`` and log p_N(z(w)) ``(n,)`` in nats, by one pass."""
        base, log_det = self.flow().transform.call_and_ladj(self.standardise(w))
        return base, -0.5 * (base.square() + math.log(2 * math.pi)).sum(1) + log_det

    def to_base(self, w: Tensor) -> Tensor:
        """Gaussianised codes N(z(w)), ``(n, d)``."""
        return self.gaussianise(w)[0]

    def log_prob(self, w: Tensor) -> Tensor:
        """Log-density log p_N(z(w)) ``(n,)`` of the standardised code, in nats, as the search's prior takes it."""
        return self.gaussianise(w)[1]

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw points of W, ``(count, d)``."""
        base = torch.randn(count, *self.shape, generator=generator, device=generator.device).to(self.mean)
        return folded(self.flow().transform.inv(base) * self.std + self.mean, self.space)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step on the negative log-likelihood, nats per code."""
        loss = -self.log_prob(batch["image"]).mean()
        self.count(batch, {"loss": loss, "nats_per_dimension": loss / self.shape[0]})
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log ``val/loss``, nats per held-out code."""
        loss = -self.log_prob(batch["image"]).mean()
        self.log_validation({"loss": loss}, batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        """Keep the weights if they are the best so far."""
        loss = float(self.trainer.callback_metrics["val/loss"])
        if loss < self.best["loss"]:
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self.state_dict().items()}
            self.best = {"loss": loss, "validations_since": 0, "weights": weights}
        else:
            self.best = {**self.best, "validations_since": self.best["validations_since"] + 1}
        self.stop_if_settled()

    def stop_if_settled(self) -> None:
        """Ask the trainer to stop after so many validations without a better loss."""
        if self.patience is not None and self.best["validations_since"] >= self.patience:
            self.trainer.should_stop = True

    def on_train_start(self) -> None:
        """Measure mean and standard deviation at the very beginning; stay stopped where a resumed run had stopped."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, LatentCodes):
            raise UserError(f"model {self.name}: it learns a generator's codes. Choose data=latents.")
        if self.batches == 0:
            self.measure(data.chunks(data.indices("train")[: self.standard_samples]))
        self.stop_if_settled()

    def measure(self, batches: Iterable[Tensor]) -> None:
        """Set mean and standard deviation to those of codes; a dimension that hardly varies gets a floor."""
        codes = torch.cat([unfolded(batch, self.space) for batch in batches]).double()
        std = codes.std(0)
        self.mean.copy_(codes.mean(0))
        self.std.copy_(std.clamp(min=FLOOR * float(std.mean())))

    def on_fit_end(self) -> None:
        """End with the best weights; the checkpoints, written before, hold those to go on training with."""
        if self.best["weights"] is not None:
            self.load_state_dict(self.best["weights"])

    def configure_optimizers(self) -> Optimizer:
        """One optimiser of the flow's parameters."""
        return self.make_optimizer(self.flow.parameters())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the best weights so far."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["best"] = self.best

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them up again."""
        super().on_load_checkpoint(checkpoint)
        self.best = checkpoint["best"]


def build_flow(kind: str, features: int, blocks: int, hidden: int) -> Any:
    """A zuko flow of so many transformations, each by a network of two hidden layers."""
    sizes = {"features": features, "transforms": blocks, "hidden_features": (hidden, hidden)}
    if kind == "maf":
        return zuko.flows.MAF(**sizes)
    if kind == "coupling":
        return zuko.flows.NICE(**sizes)
    return zuko.flows.NSF(passes=2, **sizes)


def unfolded(w: Tensor, space: Space) -> Tensor:
    """s(w): codes in the space that the flow acts on.

    Examples
    --------
    >>> unfolded(torch.tensor([-0.2, 1.0]), "lrelu5")
    tensor([-1.,  1.])
    """
    return functional.leaky_relu(w, SLOPE) if space == "lrelu5" else w


def folded(values: Tensor, space: Space) -> Tensor:
    """W from the space that the flow acts on: the inverse of `unfolded`."""
    return functional.leaky_relu(values, 1 / SLOPE) if space == "lrelu5" else values


@torch.no_grad()
def compared_spaces(z: Tensor, w: Tensor, flow: LatentFlow) -> Mapping[str, Tensor]:
    """The same codes in Z, W, PULSE's space and the flow's base, each ``(n, d)``, for `scores.gaussianisation`.

    W and PULSE's space (w after a leaky ReLU of slope 5) are standardised by these codes' own mean and deviation.
    """

    def standard(codes: Tensor) -> Tensor:
        deviation = codes.std(0)
        return (codes - codes.mean(0)) / deviation.clamp(min=FLOOR * float(deviation.mean()))

    base = torch.cat([flow.to_base(chunk.to(flow.mean)).to(w) for chunk in w.split(8192)])
    return {"Z": z, "W": standard(w), "PULSE": standard(unfolded(w, "lrelu5")), "flow": base}
