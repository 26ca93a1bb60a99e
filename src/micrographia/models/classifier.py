"""Classifiers: on the encoder of a source model, and end to end from scratch as the black-box reference."""

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torchmetrics.classification import MulticlassConfusionMatrix

from micrographia.config import Between
from micrographia.data.batches import Batch
from micrographia.devices.collective import mean_over
from micrographia.errors import UserError
from micrographia.models.augmentation import flip_and_turn
from micrographia.models.counting import CountingModule, MakeOptimizer, seeded_initialisation
from micrographia.models.residual import ResidualEncoder
from micrographia.models.vae.vae import VAE

Labels = Annotated[int, Between(1)] | None


class Classifier(CountingModule):
    """An encoder and a perceptron on what it gives, trained by cross entropy.

    A subclass says what the encoder is (`embed`) and which of its parameters learn (`encoder_parameters`). Random
    numbers are functions of (seed, batches), and counters and the best weights so far travel in the checkpoint: a
    resumed training is bit-equal to one that was not interrupted.

    Parameters
    ----------
    name
        Label in run folders and tables.
    shape
        Of one item: ``(channels, side, side)`` or ``(features,)``.
    classes
        Class names in the order of the integer targets.
    optimizer
        Called with groups of parameters: the head's, and the encoder's that learn.
    seed
        Of initial weights and augmentation.
    width
        Length of what `embed` gives.
    hidden
        Units of the head's hidden layers; empty: a linear classifier.
    augment
        Whether each training image is flipped and turned by quarters at random; without effect on features.
    class_weights
        ``balanced``: each class weighs the same, whatever its number of training images; ``none``: each image does.
    select
        Weights to end with: ``best`` on the validation part by balanced accuracy (the earliest of equals), or ``last``.
    encoder_lr_factor
        Learning rate of the encoder, as a part of the head's.
    labels
        Labelled images per class that it is to be trained on, and to select weights by; None: all. The task draws them.

    Attributes
    ----------
    batches, images : int
        Trained on so far: the budget and the x axis of the loggers.
    parts : dict of str to Tensor
        Loss and accuracy of the last training batch.
    latent_names : list of str
        Of the codes that the head sees; empty where they have no names.

    Raises
    ------
    UserError
        If the loss is not finite (on a CPU at once; elsewhere within 100 batches, and before a checkpoint is written).
    """

    labelled: bool = True
    shareable: bool = True

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        classes: Sequence[str],
        optimizer: MakeOptimizer,
        seed: int,
        width: int,
        hidden: Sequence[int],
        augment: bool,
        class_weights: Literal["none", "balanced"],
        select: Literal["best", "last"],
        encoder_lr_factor: float = 1.0,
        labels: Labels = None,
    ):
        super().__init__(name, shape, seed)
        if len(classes) < 2:
            raise UserError(
                f"model {name}: a classifier needs data with two classes or more, these have {len(classes)}."
            )
        if any(units < 1 for units in hidden):
            raise UserError(f"model.hidden={list(hidden)}: expected whole numbers from 1 on.")
        if encoder_lr_factor <= 0:
            raise UserError(f"model.encoder_lr_factor={encoder_lr_factor}: expected a positive number.")
        self.classes = tuple(classes)
        self.make_optimizer = optimizer
        self.augment = augment and len(self.shape) == 3
        self.balanced = class_weights == "balanced"
        self.select = select
        self.encoder_lr_factor = encoder_lr_factor
        self.labels = labels
        self.head = perceptron([width, *hidden, len(self.classes)])
        self.register_buffer("class_weights", torch.ones(len(self.classes)))
        self.confusion = MulticlassConfusionMatrix(len(self.classes))
        self.best: dict[str, Any] | None = None

    class_weights: Tensor

    def embed(self, images: Tensor) -> Tensor:
        """What the head sees of images in 0..1 or of features: ``(n, width)``."""
        raise NotImplementedError

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters of the encoder that learn."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(n, classes)`` of images in 0..1 or of features."""
        return self.head(self.embed(images))

    @torch.no_grad()
    def predict_proba(self, images: Tensor) -> Tensor:
        """Probabilities ``(n, classes)``, in evaluation mode whatever the current one."""
        training = self.training
        self.eval()
        try:
            return self(images).softmax(1)
        finally:
            self.train(training)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; leaves loss and accuracy in `parts`."""
        images, target = batch["image"], batch["target"]
        if self.augment:
            images = flip_and_turn(images, self.step_generator())
        logits = self(images)
        loss = functional.cross_entropy(logits, target, self.class_weights)
        if self.place.size > 1:  # the whole batch's loss is divided by the sum of all its images' weights
            weight = self.class_weights[target].sum()
            loss = loss * weight / mean_over(self.place, weight)
        accuracy = (logits.argmax(1) == target).float().mean()
        self.count(batch, {"loss": loss, "accuracy": accuracy})
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the validation part's loss and confusion matrix."""
        logits = self(batch["image"])
        loss = functional.cross_entropy(logits, batch["target"])
        self.log_validation({"loss": loss}, batch, batch_idx)
        self.confusion.update(logits, batch["target"])

    def on_validation_epoch_end(self) -> None:
        """Log accuracy and balanced accuracy of the validation part; keep the weights if they are its best so far."""
        confusion = self.confusion.compute().cpu()
        self.confusion.reset()
        score = balanced_accuracy(confusion)
        self.log("val/accuracy", float(confusion.trace() / confusion.sum()), logger=False)
        self.log("val/balanced_accuracy", score, logger=False)
        better = self.best is None or score > self.best["score"]
        if self.select == "best" and better and not self.trainer.sanity_checking:
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self.state_dict().items()}
            self.best = {"score": score, "batches": self.batches, "weights": weights}

    def on_fit_start(self) -> None:
        """Weigh the classes by the training part, if asked to, and if they are not drawn equally often already."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.balanced and data.sampling == "uniform":
            counts = data.targets(data.indices("train")).bincount(minlength=len(self.classes))
            weights = counts.sum() / (len(self.classes) * counts.clamp(min=1))
            self.class_weights.copy_(weights)

    def on_fit_end(self) -> None:
        """End with the selected weights; the checkpoints, written before, hold those to go on training with."""
        if self.best is not None:
            self.load_state_dict(self.best["weights"])

    def configure_optimizers(self) -> Optimizer:
        """One optimiser: the head at its own learning rate, the encoder's part that learns at a lower one."""
        groups = [{"params": list(self.head.parameters())}]
        if encoder := self.encoder_parameters():
            groups.append({"params": encoder})
        optimizer = self.make_optimizer(groups)
        for group in optimizer.param_groups[1:]:
            group["lr"] *= self.encoder_lr_factor
        return optimizer

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the best weights so far."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["best"] = self.best

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them up again."""
        super().on_load_checkpoint(checkpoint)
        self.best = checkpoint["best"]


class TransferClassifier(Classifier):
    """A classifier on the codes (posterior means) of a source model, which stays as it is or learns in part or whole.

    What stays as it is stays in evaluation mode too, so that batch norms keep the source's statistics.

    Parameters
    ----------
    source_model
        VAE whose encoder to use; it is copied, and its decoder left out.
    tune
        What learns beside the head: ``none``; ``last``, the encoder's last two layers with weights; or ``all`` of it.
    name, shape, classes, optimizer, seed, hidden, augment, class_weights, select, encoder_lr_factor, labels
        See `Classifier`.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        classes: Sequence[str],
        optimizer: MakeOptimizer,
        seed: int,
        source_model: VAE,
        tune: Literal["none", "last", "all"] = "none",
        encoder_lr_factor: float = 0.1,
        hidden: Sequence[int] = (256, 256),
        augment: bool = False,
        class_weights: Literal["none", "balanced"] = "balanced",
        select: Literal["best", "last"] = "best",
        labels: Labels = None,
    ):
        if tuple(shape) != tuple(source_model.shape):
            raise UserError(
                f"model.source takes items of shape {tuple(source_model.shape)}, the data give {tuple(shape)}: "
                "set data.size, or the backbone, to those of the source."
            )
        width = source_model.latents
        with seeded_initialisation(seed):
            super().__init__(
                *(name, shape, classes, optimizer, seed, width, hidden, augment, class_weights, select),
                encoder_lr_factor=encoder_lr_factor,
                labels=labels,
            )
        self.latent_names = list(source_model.latent_names)
        self.tune = tune
        self.network = copy.deepcopy(source_model.network).requires_grad_(False)
        self.network.decoder = nn.Identity()
        layers = layers_of_mean(self.network.encoder)
        self.tuned = {"none": [], "last": layers[-2:], "all": layers}[tune]
        for layer in self.tuned:
            layer.requires_grad_(True)
        self.train(self.training)

    def embed(self, images: Tensor) -> Tensor:
        """Means of the codes."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.tune != "none"):
            return self.network.encoder(self.network.normalise(images))[0]

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Those of the layers that learn."""
        return [parameter for layer in self.tuned for parameter in layer.parameters(recurse=False)]

    def train(self, mode: bool = True) -> "TransferClassifier":
        """Set the mode of all that learns; the rest stays in evaluation mode."""
        super().train(mode)
        for module in self.network.modules():
            learns = [parameter.requires_grad for parameter in module.parameters()]
            if learns and not any(learns):
                module.eval()
        return self


class CNN(Classifier):
    """A small residual network, end to end from scratch: what can be reached where nothing has to be explained.

    Parameters
    ----------
    filters
        Channels of the first of its four stages, doubled at each further one.
    blocks
        Residual blocks per stage.
    name, shape, classes, optimizer, seed, hidden, augment, class_weights, select, labels
        See `Classifier`.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        classes: Sequence[str],
        optimizer: MakeOptimizer,
        seed: int,
        filters: int = 32,
        blocks: int = 1,
        hidden: Sequence[int] = (),
        augment: bool = True,
        class_weights: Literal["none", "balanced"] = "balanced",
        select: Literal["best", "last"] = "best",
        labels: Labels = None,
    ):
        with seeded_initialisation(seed):
            encoder = ResidualEncoder(shape, filters, blocks)
            super().__init__(
                *(name, shape, classes, optimizer, seed, encoder.width, hidden, augment, class_weights, select),
                labels=labels,
            )
        self.encoder = encoder

    def embed(self, images: Tensor) -> Tensor:
        """Average of the last feature map."""
        return self.encoder(images)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """All of them."""
        return list(self.encoder.parameters())


def perceptron(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers of the given widths with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def layers_of_mean(encoder: Any) -> list[nn.Module]:
    """Layers with weights on the way from an image to the mean of its code, in order: the log-variance's is not."""
    aside = set(encoder[-1].logvar.modules())
    return [layer for layer in encoder.modules() if layer not in aside and has_weights(layer)]


def has_weights(module: nn.Module) -> bool:
    """Whether a module has parameters of its own."""
    return any(True for _ in module.parameters(recurse=False))


def balanced_accuracy(confusion: Tensor) -> float:
    """Mean over the classes that occur of the share that is recognised, of a confusion matrix with truth in its rows.

    Examples
    --------
    >>> balanced_accuracy(torch.tensor([[9, 1, 0], [2, 2, 0], [0, 0, 0]]))
    0.7
    """
    totals = confusion.sum(1).double()
    occurs = totals > 0
    return float((confusion.diag()[occurs] / totals[occurs]).mean())
