"""Does the measured variance gap, which needs no label, rank codes as the truth does? Where every factor is known.

    python benchmarks/measured_variance.py [--data synthetic/texture_dsprites] [--images 16] [--steps 7]
                                           [--measured 300]
                                           [--sources pretrained/ada_gvae pretrained/beta_vae pretrained/factor_vae]
    python benchmarks/measured_variance.py --data synthetic/plankton data.invert=true data.nuisance=0

Beside the models stand codes that are the factors themselves, the same rotated so that every latent holds some of every
factor, and a network without any training. MIG and OMES compare codes with the factors; the measured variance gap sees
neither: it measures what latents move in decoded images. A source may be a transfer: its fine-tuned model is scored.
"""

import argparse

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import ortho_group

from micrographia.data.datamodule import IndexedImages, unit_range
from micrographia.interpretation.measured import Measured, measure_images
from micrographia.interpretation.traversals import moved_features
from micrographia.models.vae.vae import VAE
from micrographia.runs.address import composed
from micrographia.runs.run import Run
from micrographia.scores.disentanglement import mig, mvg, omes
from micrographia.tasks.assembly import build_data, build_model, encode
from micrographia.tasks.evaluated import latent_names, load_phases, training_of
from micrographia.training.interventions import EncodedImages
from micrographia.training.progress import WorkProgress

HOW = {"accelerator": "cpu", "threads": 1, "paths": {"runs": "runs", "cache": "cache"}, "progress": False}
SAMPLES = 2000
PAIRS = 500  # per factor, behind OMES


class FactorCodes:
    """Codes that are the factors, standardised and turned by a rotation; decoded as images of one specimen."""

    device = torch.device("cpu")

    def __init__(self, data: IndexedImages, rotation: NDArray | None = None):
        self.data = data
        drawn = data.draw_factors(SAMPLES, np.random.default_rng(0))
        self.specimen, self.names = int(drawn.index[0]), list(drawn)
        values = drawn.to_numpy(float)
        self.mean, self.deviation = values.mean(0), values.std(0)
        self.low, self.high = values.min(0), values.max(0)
        self.whole = (values == values.round()).all(0)
        self.rotation = np.eye(len(self.names)) if rotation is None else rotation

    def draw(self, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """Factors, independent of each other."""
        return self.data.draw_factors(count, generator)

    def encode(self, factors: pd.DataFrame) -> pd.DataFrame:
        """Codes of some factors."""
        codes = (factors[self.names].to_numpy(float) - self.mean) / self.deviation @ self.rotation
        return pd.DataFrame(codes, columns=[f"z{latent}" for latent in range(codes.shape[1])], index=factors.index)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Images of the nearest factors that there are."""
        values = codes.double().numpy() @ self.rotation.T * self.deviation + self.mean
        values = np.where(self.whole, values.round(), values).clip(self.low, self.high)
        factors = pd.DataFrame(values, columns=self.names, index=[self.specimen] * len(values))
        return unit_range(self.data.of_factors(factors))


def scores(world: object, decoder: object, known: pd.DataFrame, measured: Measured, given: argparse.Namespace) -> dict:
    """MIG and OMES of a sampler of codes; the measured variance gap and mean specificity of what its decoder draws."""
    factors = world.draw(SAMPLES, np.random.default_rng(1))  # type: ignore[attr-defined]
    codes = world.encode(factors)  # type: ignore[attr-defined]
    moved = moved_features(decoder, known, measured, given.images, given.steps, WorkProgress("", False))  # type: ignore[arg-type]
    found = mvg(moved, measured.table, measured.periods, n_bootstrap=50)
    low, high = found.intervals.loc["score"] if found.intervals is not None else (np.nan, np.nan)
    return {
        "MIG": mig(codes.reset_index(drop=True), factors.reset_index(drop=True)).score,
        "OMES": omes(world, samples=PAIRS).score,  # type: ignore[arg-type]
        "MVG": found.score,
        "low": low,
        "high": high,
        "specificity": found.per_latent.mean(),
    }


def of_model(model: VAE, data: IndexedImages, measured: Measured, given: argparse.Namespace) -> dict[str, float]:
    """Scores of a VAE."""
    model.latent_names = [f"z{latent}" for latent in range(model.latents)]
    known = encode(model, data, torch.tensor(measured.table.index.to_list()), model.latent_names)
    return scores(EncodedImages(model, data), model, known, measured, given)


def of_factors(rotation: NDArray | None, data: IndexedImages, measured: Measured, given: argparse.Namespace) -> dict:
    """Scores of codes that are the factors, turned."""
    world = FactorCodes(data, rotation)
    items = torch.tensor(measured.table.index.to_list())
    known = world.encode(data.table(items)[world.names].set_axis(items.tolist()))
    return scores(world, world, known, measured, given)


def last_model(name: str) -> VAE:
    """The model of a finished training, or of a transfer after fine-tuning."""
    run = Run.named(name, "sources")
    return list(load_phases(run, latent_names(run, training_of(run, HOW)), HOW).values())[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="of the data set, as data.nuisance=0")
    parser.add_argument("--data", default="synthetic/texture_dsprites", help="a set whose factors are known")
    parser.add_argument("--images", type=int, default=16, help="whose latents are moved")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--measured", type=int, default=300, help="real images")
    parser.add_argument(
        "--sources", nargs="*", default=["pretrained/ada_gvae", "pretrained/beta_vae", "pretrained/factor_vae"]
    )
    given = parser.parse_args()
    what, _ = composed("train", [f"data={given.data}", *given.overrides])
    data = build_data(what, HOW)
    measured = measure_images(data, given.measured, HOW)
    assert measured is not None
    rows = {"the factors": of_factors(None, data, measured, given)}
    count = len(data.draw_factors(1, np.random.default_rng(0)).columns)
    rows["the factors, rotated"] = of_factors(ortho_group.rvs(count, random_state=0), data, measured, given)
    for name in given.sources:
        rows[name] = of_model(last_model(name), data, measured, given)
    untrained = build_model(Run.named("pretrained/ada_gvae").config, HOW, data)
    rows["without training"] = of_model(untrained.eval(), data, measured, given)
    print(pd.DataFrame(rows).T.to_string(float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
