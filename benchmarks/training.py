"""Training speed beside the speed of its data pipeline, and Lightning beside a bare loop: images per second.

    python benchmarks/training.py [--threads 2] [--steps 60] [--repeats 3] [--clock wall]

Each model is trained by `micrographia.training.fit` on Texture-dSprites at 64 px (the network of the reference at 224
px, the classifiers on synthetic cells, the VAE of features on stored ones, as many numbers as a backbone gives).
``pipeline`` draws the same batches and does nothing with them. ``bare loop`` takes the same steps with nothing around
them. The three take turns; the table shows the best of the repeats. Overhead is bare loop over training, less one.
On a busy machine ``--threads 1 --clock cpu`` counts only the seconds that the process itself ran.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.data.features import FeatureData
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.data.synthetic.texture_dsprites import TextureDSprites
from micrographia.models.classifier import CNN, TransferClassifier
from micrographia.models.counting import CountingModule
from micrographia.models.vae.ada_gvae import AdaGVAE
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.factor_vae import FactorVAE
from micrographia.models.vae.networks import ConvNetwork, FeatureNetwork, ReferenceConvNetwork
from micrographia.training.curves import CurveLogger
from micrographia.training.fit import fit, prepare_threads

Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}
BATCH = 64
ADAM = partial(torch.optim.Adam, lr=1e-4, fused=True)
VAE_OPTIONS = {"shape": (3, 64, 64), "network": ConvNetwork, "latents": 10, "optimizer": ADAM, "seed": 0}


@dataclass(frozen=True)
class Case:
    """A model, the data it is timed on, and how much of it a batch of 64 holds."""

    make: Callable[[], CountingModule]
    data: IndexedImages
    images: int = 1  # per item: a pair is two
    share: float = 1.0  # of the steps, for what takes long


def cases(folder: Path) -> dict[str, Case]:
    """All models, each with data to its taste."""
    sprites = TextureDSprites(samples={"train": 64, "val": 64, "test": 64})
    large = TextureDSprites(size=224, samples={"train": 64, "val": 64, "test": 64})
    centred = TextureDSprites(
        size=64, fixed={"PosX": 16, "PosY": 16, "Orientation": 0}, samples={"train": 64, "val": 64, "test": 64}
    )
    features = FeatureData(centred, RandomProjection(), folder, "centred sprites")
    cells = SyntheticCells("cells", size=64, count=600)
    vector = {**VAE_OPTIONS, "shape": (RandomProjection.features,), "network": FeatureNetwork}

    def on_features() -> AdaGVAE:
        model = AdaGVAE(name="ada_gvae", **vector)
        model.network.set_range(features.chunks(torch.arange(len(features))))
        return model

    def on_source() -> TransferClassifier:
        source = BetaVAE(name="source", **VAE_OPTIONS)
        return TransferClassifier("transfer_classifier", (3, 64, 64), cells.classes, ADAM, 0, source, tune="all")

    discriminator = {"discriminator_optimizer": ADAM}
    large_options = {**VAE_OPTIONS, "shape": (3, 224, 224), "network": ReferenceConvNetwork}
    return {
        "beta_vae": Case(lambda: BetaVAE(name="beta_vae", **VAE_OPTIONS), sprites),
        "factor_vae": Case(lambda: FactorVAE(name="factor_vae", **discriminator, **VAE_OPTIONS), sprites),
        "ada_gvae": Case(lambda: AdaGVAE(name="ada_gvae", **VAE_OPTIONS), sprites, images=2),
        "ada_gvae, features": Case(on_features, features, images=2),
        "beta_vae, 224 px": Case(lambda: BetaVAE(name="beta_vae", **large_options), large, share=0.1),
        "transfer_classifier": Case(on_source, cells),
        "cnn": Case(lambda: CNN("cnn", (3, 64, 64), cells.classes, ADAM, 0), cells),
    }


class RandomProjection:
    """A backbone that costs nothing: features as long as EfficientNet-Lite0's, whose training is timed, not they."""

    name = identity = "random_projection"
    size = 64
    features = 1280

    def __init__(self) -> None:
        self.matrix = torch.randn(3 * 16 * 16, self.features, generator=torch.Generator().manual_seed(0))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Features of images."""
        return torch.nn.functional.avg_pool2d(images, 4).flatten(1) @ self.matrix

    def to(self, device: torch.device) -> "RandomProjection":
        """It is on the CPU."""
        return self


def prepare(model: CountingModule, data: IndexedImages, steps: int) -> IndexedImages:
    """Fix how batches are drawn."""
    options = {"changed_factors": model.changed_factors, "labelled": model.labelled}
    data.trainer = None  # of the measurement before
    return data.fit(0, BATCH, steps, interval=steps, **options)


def pipeline(model: CountingModule, data: IndexedImages, steps: int, clock: Clock) -> float:
    """Seconds to draw all batches and scale them."""
    loader = prepare(model, data, steps).train_dataloader()
    started = clock()
    for batch in loader:
        data.on_after_batch_transfer(batch, 0)
    return clock() - started


def bare_loop(model: CountingModule, data: IndexedImages, steps: int, clock: Clock) -> float:
    """Seconds of the same steps without Lightning."""
    loader = prepare(model, data, steps).train_dataloader()
    model.train()
    optimizers = model.configure_optimizers()
    if isinstance(model, FactorVAE):
        model.optimizers = lambda: optimizers  # type: ignore[method-assign]
        model.manual_backward = lambda loss: loss.backward()  # type: ignore[method-assign]
    started = clock()
    for number, batch in enumerate(loader):
        loss = model.training_step(data.on_after_batch_transfer(batch, 0), number)
        if loss is not None:
            optimizers.zero_grad()
            loss.backward()
            optimizers.step()
    return clock() - started


def training(model: CountingModule, data: IndexedImages, steps: int, clock: Clock) -> float:
    """Seconds of the steps under `fit`, between the first and the last batch; validation and checkpoint come after."""
    times: list[float] = []
    step = model.training_step

    def timed(*arguments):
        times.append(clock())
        return step(*arguments)

    model.training_step = timed  # type: ignore[method-assign]
    how = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": None, "progress": False}
    budget = {"steps": steps, "epochs": None, "batch_size": BATCH, "validate_every": steps}
    with tempfile.TemporaryDirectory() as folder:
        fit(model, data, budget, {**how, "log_every": 50}, Path(folder), "", 0, [CurveLogger(folder)])
    return (times[-1] - times[0]) * steps / (steps - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--only", nargs="+", help="names of models; all by default")
    options = parser.parse_args()
    prepare_threads({"threads": options.threads})
    clock = CLOCKS[options.clock]
    print(f"{options.threads} threads, batch {BATCH}, 64 px; images per second (a pair is two)")
    print(f"{'model':<22}{'pipeline':>12}{'bare loop':>12}{'training':>12}{'overhead':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name, case in cases(Path(folder)).items():
            if options.only and name not in options.only:
                continue
            case.data.images(torch.arange(len(case.data)) if case.data.shape == (1280,) else case.data.indices("train"))
            steps = max(2, round(options.steps * case.share))
            best = dict.fromkeys((pipeline, bare_loop, training), 0.0)
            for _ in range(options.repeats):
                for measure in best:
                    rate = BATCH * case.images * steps / measure(case.make(), case.data, steps, clock)
                    best[measure] = max(best[measure], rate)
            overhead = best[bare_loop] / best[training] - 1
            print(f"{name:<22}" + "".join(f"{rate:>12,.0f}" for rate in best.values()) + f"{overhead:>10.1%}")


if __name__ == "__main__":
    main()
