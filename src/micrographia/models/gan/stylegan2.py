"""StyleGAN2 as a LightningModule: four phases a batch, two of them lazy, and a running average of the generator."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from micrographia.config import Between
from micrographia.data.batches import Batch, step_generator
from micrographia.devices.collective import gathered, mean_over
from micrographia.devices.shares import drawn, smaller_batch
from micrographia.errors import UserError
from micrographia.models.averaging import update_average
from micrographia.models.counting import CountingModule, MakeOptimizer, seeded_initialisation
from micrographia.models.gan import objectives
from micrographia.models.gan.augmentation import AdaptiveAugmentation
from micrographia.models.gan.discriminator import GROUP, Discriminator
from micrographia.models.gan.generator import Generator
from micrographia.models.gan.modulation import ToImage
from micrographia.models.gan.ticks import Ticks

Positive = Annotated[int, Between(1)]
Weight = Annotated[float, Between(0)]
Share = Annotated[float, Between(0, 1)]
Kimg = Annotated[float, Between(0.001)]

PATH_INTERVAL, R1_INTERVAL = 4, 16  # batches between two steps of the lazy penalties
PATH_SHARE = 2  # path lengths are measured on every so many-th part of a batch
PATH_DECAY = 0.01  # of the running mean of path lengths


class StyleGAN2(CountingModule):
    """Generator and discriminator trained against each other by the non-saturating logistic loss.

    Phases of a batch: Gmain, Greg (path lengths, every 4th batch), Dmain, Dreg (R1, every 16th). The lazy penalties are
    weighted by their interval, and the rate and betas of Adam are set so that its time scale is that of the main steps.

    Parameters
    ----------
    name
        Label in run folders and tables.
    shape
        ``(channels, side, side)`` of the images, the side 32, 64, 128, 256 or 512.
    generator_optimizer, discriminator_optimizer
        Called with the parameters.
    seed
        Of initial weights, codes, noise and augmentation.
    z_dim, w_dim, mapping_layers, mapping_rate, channel_base, channel_max
        See `Generator`.
    r1, path_length
        Weights of the penalties, for images in -1..1; 0 leaves the phase out.
    mixing
        Probability that an image has the style of a second code from a random layer on.
    average_kimg
        Half-life of the running average of the generator's weights, in thousands of images.
    augment, augment_p, augment_target, augment_kimg
        See `AdaptiveAugmentation`.
    w_samples
        Codes mapped for the mean of W.
    tick_kimg
        Thousands of images between two lines on the console.
    sample_kimg
        Thousands of images between two sample grids and Frechet distances; null: at the end only.
    features
        Makes the frozen network whose features the distances compare; null: no distances.
    feature_images
        Images compared, as many generated as real ones at most.
    start
        Generator whose weights training begins with, of images as large or smaller; the discriminator begins anew.
        None draws them.

    Attributes
    ----------
    generator : Generator
        The running average: what samples are drawn from, and what a finished run keeps.
    learner : Generator
        The one that is trained.
    discriminator : Discriminator

    Raises
    ------
    UserError
        If the images are not square or of another size, the precision is one of float16, or a loss is not finite.

    References
    ----------
    Karras et al., Analyzing and improving the image quality of StyleGAN, CVPR 2020 (arXiv 1912.04958); Karras et al.,
    Training generative adversarial networks with limited data, NeurIPS 2020 (arXiv 2006.06676).
    """

    training_only = ("learner.", "discriminator.", "augmentation.", "path_mean", "last_r1")
    shareable = True
    batch_groups = GROUP  # whose deviation the discriminator sees

    path_mean: Tensor
    last_r1: Tensor

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        generator_optimizer: MakeOptimizer,
        discriminator_optimizer: MakeOptimizer,
        seed: int,
        z_dim: Positive = 512,
        w_dim: Positive = 512,
        mapping_layers: Positive = 8,
        mapping_rate: Weight = 0.01,
        channel_base: Positive = 16384,
        channel_max: Positive = 512,
        r1: Weight = 10.0,
        path_length: Weight = 2.0,
        mixing: Share = 0.9,
        average_kimg: Weight = 10.0,
        augment: Literal["adaptive", "fixed", "none"] = "adaptive",
        augment_p: Share = 0.0,
        augment_target: Annotated[float, Between(-1, 1)] = 0.6,
        augment_kimg: Kimg = 500.0,
        w_samples: Positive = 100_000,
        tick_kimg: Kimg = 4.0,
        sample_kimg: Kimg | None = None,
        features: Callable[[], Any] | None = None,
        feature_images: Annotated[int, Between(2)] = 2000,
        start: Generator | None = None,
    ):
        super().__init__(name, shape, seed)
        if len(self.shape) != 3 or self.shape[1] != self.shape[2]:
            raise UserError(f"model {name}: StyleGAN2 makes square images, the data give items of shape {self.shape}.")
        channels, size, _ = self.shape
        widths = {"channel_base": channel_base, "channel_max": channel_max}
        with seeded_initialisation(seed):
            self.learner = Generator(size, channels, z_dim, w_dim, mapping_layers, mapping_rate, **widths)
            self.discriminator = Discriminator(size, channels, **widths)
        if start is not None:
            begin_with(self.learner, start)
        self.generator = copy.deepcopy(self.learner).requires_grad_(False)
        self.augmentation = AdaptiveAugmentation(augment, augment_p, augment_target, augment_kimg)
        self.make_optimizers = generator_optimizer, discriminator_optimizer
        self.r1, self.path_length = r1, path_length
        self.mixing = mixing
        self.average_kimg = average_kimg
        self.w_samples = w_samples
        self.ticks = Ticks(tick_kimg)
        self.sample_kimg = sample_kimg
        self.features = features
        self.feature_images = feature_images
        self.register_buffer("path_mean", torch.tensor(0.0))
        self.register_buffer("last_r1", torch.tensor(0.0))
        self.automatic_optimization = False

    def training_step(self, batch: Batch, batch_idx: int) -> None:  # type: ignore[override]
        """The phases of one batch."""
        real = batch["image"]
        random = self.step_generator()
        generator_optimizer, discriminator_optimizer = self.optimizers()  # type: ignore[attr-defined]

        self.discriminator.requires_grad_(False)
        parts = self.main_generator_phase(generator_optimizer, len(real), random)
        if self.path_length and self.batches % PATH_INTERVAL == 0:
            self.path_length_phase(generator_optimizer, len(real), random)
        self.discriminator.requires_grad_(True)

        parts |= self.main_discriminator_phase(discriminator_optimizer, real, random)
        if self.r1 and self.batches % R1_INTERVAL == 0:
            self.r1_phase(discriminator_optimizer, real, random)

        count = len(real) * self.place.size
        update_average(self.generator, self.learner, count, self.images, self.average_kimg)
        parts["loss"] = parts["generator"] + parts["discriminator"]
        parts |= {"r1": self.last_r1, "path_length": self.path_mean, "augment": self.augmentation.probability}
        timing = self.ticks.note(self.images + count, self.augmentation.probability)
        self.count(batch, {name: part.clone() for name, part in parts.items()} | timing)

    def main_generator_phase(self, optimizer: Any, count: int, random: torch.Generator) -> dict[str, Tensor]:
        """Gmain: generated images are to look real."""
        images = self.learner.synthesis(self.draw_codes(count, random), self.learner.draw_noise(count, random))
        loss = objectives.generator_loss(self.judge(images, random))
        self.take_step(optimizer, loss)
        return {"generator": loss.detach()}

    def path_length_phase(self, optimizer: Any, count: int, random: torch.Generator) -> None:
        """Greg: a step in W changes the image by as much everywhere."""
        count = max(1, count // PATH_SHARE)
        with smaller_batch(random, count):
            w_plus = self.draw_codes(count, random)
            images = self.learner.synthesis(w_plus, self.learner.draw_noise(count, random))
            directions = drawn(torch.randn, images.shape, random)
        lengths = objectives.path_lengths(images, w_plus, directions)
        self.path_mean.lerp_(mean_over(self.place, lengths.detach().mean()).to(self.path_mean), PATH_DECAY)
        penalty = (lengths - self.path_mean).square().mean()
        self.take_step(optimizer, penalty * self.path_length * PATH_INTERVAL)

    def main_discriminator_phase(self, optimizer: Any, real: Tensor, random: torch.Generator) -> dict[str, Tensor]:
        """Dmain: tell real images from generated ones."""
        with torch.no_grad():
            codes = self.draw_codes(len(real), random)
            images = self.learner.synthesis(codes, self.learner.draw_noise(len(real), random))
        of_generated, of_real = self.judge(images, random), self.judge(real, random)
        loss = objectives.discriminator_loss(of_real, of_generated)
        self.take_step(optimizer, loss)
        self.augmentation.adapt(gathered(self.place, of_real.detach()), self.batches)
        return {
            "discriminator": loss.detach(),
            "real": of_real.detach().mean(),
            "generated": of_generated.detach().mean(),
        }

    def r1_phase(self, optimizer: Any, real: Tensor, random: torch.Generator) -> None:
        """Dreg: the discriminator is flat around real images."""
        images = real.detach().clone().requires_grad_()
        penalty = objectives.r1(self.judge(images, random), images)
        self.last_r1.copy_(mean_over(self.place, penalty.detach()))
        self.take_step(optimizer, penalty * (self.r1 / 2 * R1_INTERVAL))

    def judge(self, images: Tensor, random: torch.Generator) -> Tensor:
        """The discriminator's logits ``(n,)`` of augmented images."""
        return self.discriminator(self.augmentation(images, random))

    def draw_codes(self, count: int, random: torch.Generator) -> Tensor:
        """Codes in W+ ``(count, layers, w_dim)``; where styles mix, a second one takes over from a random layer on."""
        layers, device = self.learner.layers, random.device
        z = drawn(torch.randn, (2 * count, self.learner.z_dim), random)
        first = drawn(partial(torch.randint, 1, layers), (count, 1), random)
        mixed = drawn(torch.rand, (count, 1), random) < self.mixing
        second = mixed & (torch.arange(layers, device=device) >= first)
        own, other = self.learner.mapping(z)[:, None].chunk(2)
        return torch.where(second[:, :, None], other, own)

    def on_fit_start(self) -> None:
        """Look at the precision."""
        self.refuse_precision(str(self.trainer.precision))

    def refuse_precision(self, precision: str) -> None:
        """Refuse a precision whose range the penalties leave."""
        if precision.startswith("16"):
            raise UserError(
                f"how.precision={precision}: StyleGAN2's penalties leave the range of float16. "
                "Use how.precision=bf16-mixed on a GPU, or 32-true."
            )

    def on_validation_start(self) -> None:
        """Measure the mean of W, which a finished run keeps; a validation is no training."""
        self.ticks.stop()
        self.generator.measure_mean(self.w_samples, step_generator(self.seed, 0, self.device))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log ``val/real``, the mean logit of held-out images: far below ``train/real`` where it overfits."""
        logits = self.discriminator(batch["image"])
        self.log_validation({"real": logits.mean()}, batch, batch_idx)

    def on_validation_end(self) -> None:
        """Training goes on."""
        self.ticks.go_on()

    def configure_optimizers(self) -> Any:
        """One optimiser of each network, corrected for the steps of its lazy penalty."""
        for_generator, for_discriminator = self.make_optimizers
        return [
            lazily(for_generator(self.learner.parameters()), PATH_INTERVAL if self.path_length else None),
            lazily(for_discriminator(self.discriminator.parameters()), R1_INTERVAL if self.r1 else None),
        ]


def lazily(optimizer: Optimizer, interval: int | None) -> Optimizer:
    """Slow an Adam down for one further step every so many batches: c = k / (k + 1), lr * c, betas ** c.

    Examples
    --------
    >>> adam = lazily(torch.optim.Adam([torch.zeros(1)], lr=0.01, betas=(0.0, 0.99)), 4)
    >>> adam.param_groups[0]["lr"], round(adam.param_groups[0]["betas"][1], 6)
    (0.008, 0.991992)
    """
    if interval is not None:
        correction = interval / (interval + 1)
        for group in optimizer.param_groups:
            group["lr"] *= correction
            group["betas"] = tuple(beta**correction for beta in group["betas"])
    return optimizer


def begin_with(learner: Generator, start: Generator) -> None:
    """Give a generator the weights of a trained one, of images as large or smaller.

    What a larger one has beyond them adds nothing at first: it begins with the other's images, enlarged.

    Raises
    ------
    UserError
        If the start's images are larger, or the two differ in channels or widths.

    References
    ----------
    Karras et al., Progressive growing of GANs for improved quality, stability, and variation, ICLR 2018
    (arXiv 1710.10196); without its blending, since skip connections let the new layers begin at zero.
    """
    own, theirs = learner.state_dict(), start.state_dict()
    unlike = [name for name in theirs if name not in own or own[name].shape != theirs[name].shape]
    added = set(own) - set(theirs)
    if start.size < learner.size:
        added = {name for name in added if not name.startswith("synthesis.")}
    rates = {generator.mapping[0].scale for generator in (learner, start)}
    if unlike or added or len(rates) > 1:
        raise UserError(
            f"model.start.run: its generator makes {start.channels} channels of {start.size} px, this one "
            f"{learner.channels} of {learner.size} px, or their widths or model.mapping_rate differ. Set "
            "data.model_channels, model.channel_max and the like as that run has them, data.size as there or larger."
        )
    learner.load_state_dict(own | theirs)
    for to_image in list(learner.synthesis.to_image)[len(start.synthesis.to_image) :]:
        assert isinstance(to_image, ToImage)
        nn.init.zeros_(to_image.weight)
