"""An encoder from low-resolution images to a generator's styles: where a short search begins."""

import copy
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from micrographia.config import Between
from micrographia.data.batches import Batch
from micrographia.devices.collective import mean_over
from micrographia.devices.shares import drawn
from micrographia.errors import UserError
from micrographia.inversion.objective import Candidate, Term, weighted
from micrographia.inversion.problem import Problem
from micrographia.models.averaging import decay, update_average
from micrographia.models.counting import CountingModule, MakeOptimizer, seeded_initialisation
from micrographia.models.super_resolver import KEYS, Residual

SAMPLES = 10_000
"""Mapped samples from which mean and spread of W are taken."""
CHUNK = 32
"""Images that are made at once where no gradient is kept, as in validations of hundreds."""

Positive = Annotated[int, Between(1)]
Weight = Annotated[float, Between(0)]
Share = Annotated[float, Between(0, 1)]


class LatentEncoder(CountingModule):
    """A residual network from a low-resolution image to a style per layer, which begins at the mean of W.

    It learns to do in one pass what a search does in many steps: its loss is the search's own, of the styles that it
    predicts, averaged over images, most of them the data's and some generated. Codes that explain an image and that the
    generator does not have are no good start, since a short search spends its steps on the way back.

    Parameters
    ----------
    name
        Label in run folders and tables.
    shape
        Of a high-resolution image, ``(channels, side, side)``.
    optimizer
        Called with the encoder's parameters.
    seed
        Of initial weights, generated images and noise.
    generator
        Whose styles to find; it is frozen, and not kept with the finished run.
    degradation
        ``forward(images, keys)``, ``clean(images)`` and ``factor``.
    terms
        Of the loss, by name, as a search has them; none where a finished run is only to encode.
    flow
        Of the generator's latents, for terms that need it; None: no term may.
    filters
        Channels of the feature maps.
    blocks
        Residual blocks.
    generated
        Share of the data's images that are exchanged for generated ones, of which there are always new ones: more where
        the data are few.
    average_kimg
        Half-life of the running average of the network's weights, in thousands of images; 0: no average.

    Attributes
    ----------
    network : Module
        The running average: what images are encoded by, and what a finished run keeps.
    learner : Module
        The network that is trained.
    gradients : Tensor
        Running second moments of the loss's gradients in the styles of each layer, ``(layers, d, d)``, of mean diagonal
        1; 0 before it has learned.

    Raises
    ------
    UserError
        If data and generator have different shapes, a term needs a flow that is not there, or none is left in a fit.
    """

    training_only = ("problem.", "learner.")
    shareable = True

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        optimizer: MakeOptimizer,
        seed: int,
        generator: nn.Module,
        degradation: nn.Module,
        terms: Mapping[str, Term | None],
        flow: nn.Module | None = None,
        filters: Positive = 64,
        blocks: Positive = 4,
        generated: Share = 0.1,
        average_kimg: Weight = 5.0,
    ):
        super().__init__(name, shape, seed)
        source: Any = generator
        if self.shape != (source.channels, source.size, source.size):
            raise UserError(
                f"model {name}: the data give images of shape {self.shape}, the generator makes "
                f"{(source.channels, source.size, source.size)}: choose the data that it was trained on."
            )
        self.make_optimizer = optimizer
        self.problem = Problem(generator, degradation, flow, samples=SAMPLES).requires_grad_(False).eval()
        self.terms = {name: term for name, term in terms.items() if term is not None and term.weight}
        for name, term in self.terms.items():
            if "flow" in term.needs and flow is None:
                raise UserError(
                    f"model.terms.{name}: needs a flow over the generator's latents. Set model.flow.run to its run, or "
                    f"model.terms.{name}.weight=0."
                )
            for part in vars(term).values():
                if isinstance(part, nn.Module):
                    part.requires_grad_(False).eval()
        self.layers, self.width = source.layers, source.w_dim
        channels, side, _ = self.problem.low_shape
        with seeded_initialisation(seed):
            self.network = nn.Sequential(
                nn.Conv2d(channels, filters, 3, padding=1),
                *[Residual(filters) for _ in range(blocks)],
                nn.Flatten(),
                nn.Linear(filters * side**2, 4 * self.width),
                nn.ReLU(inplace=True),
                nn.Linear(4 * self.width, self.layers * self.width),
            )
        nn.init.zeros_(self.network[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.network[-1].bias)  # type: ignore[arg-type]
        self.learner = copy.deepcopy(self.network)
        self.network.requires_grad_(False)
        self.generated = generated
        self.average_kimg = average_kimg
        self.register_buffer("w_mean", self.problem.w_mean.clone())
        self.register_buffer("w_scale", self.problem.w_spread / self.width**0.5)
        self.register_buffer("gradients", torch.zeros(self.layers, self.width, self.width))
        self.predicted: Tensor | None = None

    w_mean: Tensor
    w_scale: Tensor
    gradients: Tensor

    @property
    def generator(self) -> Any:
        """Whose styles it finds."""
        return self.problem.generator

    @property
    def degradation(self) -> Any:
        """What it undoes."""
        return self.problem.degradation

    def forward(self, low: Tensor) -> Tensor:
        """Styles ``(n, layers, d)`` of low-resolution images in 0..1; in training those of the learner."""
        network = self.learner if self.training else self.network
        return self.w_mean + self.w_scale * network(low).unflatten(1, (self.layers, self.width))

    def axes(self, layers: int) -> Tensor:
        """Principal axes of the loss's gradients, for searches of the same loss: columns of ``(layers, d, d)``.

        Parameters
        ----------
        layers
            The encoder's, or 1 for a style that all of them share: axes of the mean of their moments.

        Raises
        ------
        UserError
            If the encoder has met no gradient.
        """
        if not self.gradients.any():
            raise UserError(f"encoder {self.name}: it has learned nothing, and so knows no axes. Train one.")
        moments = self.gradients if layers == self.layers else self.gradients.mean(0, keepdim=True)
        # In float64 on the CPU, so that they are the same wherever the search runs.
        return torch.linalg.eigh(moments.cpu().double()).eigenvectors

    def on_fit_start(self) -> None:
        """Look whether there is anything to learn from."""
        if not self.terms:
            raise UserError(f"model {self.name}: no term is left to learn from. Set a weight above 0 in model.terms.")

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The search's loss and its terms, means over the batch; some images are exchanged for generated ones."""
        images = batch["image"].clone()
        count, device = len(images), images.device
        keys = drawn(partial(torch.randint, KEYS), (count,), generator).to(device)
        z = drawn(torch.randn, (count, self.generator.z_dim), generator).to(images)
        exchanged = drawn(torch.rand, (count,), generator).to(device) < self.generated
        # Residuals are of the size of bfloat16's steps: in mixed precision the network alone has it.
        with torch.autocast(device.type, enabled=False), torch.no_grad():
            images[exchanged] = self.synthesis(self.generator.mapping(z[exchanged])[:, None])
            low = self.degradation(images, keys)
        styles = self(low).float()
        if styles.requires_grad:
            styles.retain_grad()
            self.predicted = styles
        with torch.autocast(device.type, enabled=False):
            candidate = Candidate(self.problem, styles, styles, self.synthesis(styles), low)
            terms = {name: term.mean() for name, term in weighted(self.terms, candidate).items()}
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def synthesis(self, styles: Tensor) -> Tensor:
        """Images of styles, a chunk at a time."""
        return torch.cat([self.problem.synthesis(chunk) for chunk in styles.split(CHUNK)])

    def train(self, mode: bool = True) -> "LatentEncoder":
        """Set the mode of the encoder; what it learns from stays in evaluation mode."""
        super().train(mode)
        self.problem.eval()
        return self

    def configure_optimizers(self) -> Any:
        """One optimiser of the learner's parameters."""
        return self.make_optimizer(self.learner.parameters())

    def optimizer_step(self, *args: Any, **keys: Any) -> None:
        """Step, and draw the average towards the learner, and the gradients' moments towards those of the batch."""
        before = self.images
        super().optimizer_step(*args, **keys)
        count = self.images - before
        update_average(self.network, self.learner, count, before, self.average_kimg)
        self.observe(decay(count, before))

    @torch.no_grad()
    def observe(self, kept: float) -> None:
        """Take up the batch's gradients, of which only the directions count: mixed precision scales the loss."""
        assert self.predicted is not None
        gradient = self.predicted.grad
        assert gradient is not None
        moments = mean_over(self.place, torch.einsum("nld,nle->lde", gradient, gradient))
        moments *= self.layers * self.width / moments.diagonal(dim1=1, dim2=2).sum()
        # A batch that overflows in mixed precision is left out, here as by the optimiser; no device waits for a look.
        self.gradients.lerp_(torch.where(moments.isfinite().all(), moments, self.gradients), 1 - kept)
        self.predicted = None
