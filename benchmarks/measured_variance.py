"""Does the measured variance gap, which needs no label, rank codes as the truth does? On sprites, whose truth is known.

    python benchmarks/measured_variance.py [--images 16] [--steps 7] [--measured 300]
                                           [--sources pretrained/ada_gvae pretrained/beta_vae pretrained/factor_vae]

Beside the shipped sources stand codes that are the factors themselves, the same rotated so that every latent holds some
of every factor, and a network without any training. MIG and OMES compare codes with the factors; the measured variance
gap sees neither: it measures what latents move in decoded images.
"""

import argparse

import numpy as np
import pandas as pd
import torch
from scipy.stats import ortho_group

from micrographia.data.datamodule import IndexedImages, unit_range
from micrographia.interpretation.measured import Measured, measure_images
from micrographia.interpretation.traversals import moved_features
from micrographia.models.vae.vae import VAE
from micrographia.runs.run import Run
from micrographia.scores.disentanglement import mig, mvg, omes
from micrographia.tasks.assembly import build_data, build_model, encode, load_vae
from micrographia.tasks.meaning import interventions
from micrographia.training.progress import WorkProgress

HOW = {"accelerator": "cpu", "threads": 1, "paths": {"runs": "runs", "cache": "cache"}, "progress": False}
SAMPLES = 2000


class FactorDecoder:
    """Images of codes that are the factors, standardised and turned by a rotation."""

    device = torch.device("cpu")

    def __init__(self, data: IndexedImages, rotation: np.ndarray):
        self.data, self.rotation = data, rotation
        self.counts = np.array(list(data.factors.values()))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Codes of the factors' values, ``(n, factors)``."""
        return (values / (self.counts - 1) - 0.5) * np.sqrt(12) @ self.rotation

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Images of the nearest values."""
        values = (codes.double().numpy() @ self.rotation.T / np.sqrt(12) + 0.5) * (self.counts - 1)
        values = values.round().clip(0, self.counts - 1).astype(np.int64)
        return unit_range(self.data.images(self.data.index_of(torch.as_tensor(values))))


def gap(decoder: object, codes: pd.DataFrame, measured: Measured, given: argparse.Namespace) -> dict[str, float]:
    """Measured variance gap, and the mean specificity of the latents."""
    quiet = WorkProgress("", False)
    moved = moved_features(decoder, codes, measured, given.images, given.steps, quiet)  # type: ignore[arg-type]
    found = mvg(moved, measured.table, measured.periods, n_bootstrap=50)
    low, high = found.intervals.loc["score"] if found.intervals is not None else (np.nan, np.nan)
    return {"MVG": found.score, "low": low, "high": high, "specificity": found.per_latent.mean()}


def of_model(model: VAE, data: IndexedImages, measured: Measured, given: argparse.Namespace) -> dict[str, float]:
    """Scores of a VAE."""
    names = [f"z{latent}" for latent in range(model.latents)]
    indices = data.draw_indices(SAMPLES, 0, 0)
    with torch.no_grad():
        codes = encode(model, data, indices, names)
        known = encode(model, data, torch.tensor(measured.table.index.to_list()), names)
        scores = {
            "MIG": mig(codes, data.table(indices)[list(data.factors)].set_index(codes.index)).score,
            "OMES": omes(interventions(model, data, indices, codes)).score,
        }
    every = pd.concat([codes, known])
    return scores | gap(model, every[~every.index.duplicated()], measured, given)


def of_factors(rotation: np.ndarray, data: IndexedImages, measured: Measured, given: argparse.Namespace) -> dict:
    """Scores of codes that are the factors, turned."""
    decoder = FactorDecoder(data, rotation)
    indices = data.draw_indices(SAMPLES, 0, 0)
    values = data.factor_values(indices).numpy()
    names = [f"z{latent}" for latent in range(values.shape[1])]
    codes = pd.DataFrame(decoder.encode(values), columns=names, index=indices.tolist())
    known = torch.tensor(measured.table.index.to_list())
    own = pd.DataFrame(decoder.encode(data.factor_values(known).numpy()), columns=names, index=known.tolist())
    pairs, generator = {}, np.random.default_rng(0)
    for column, count in enumerate(data.factors.values()):
        changed = values.copy()
        changed[:, column] = generator.integers(0, count, len(values))
        pairs[list(data.factors)[column]] = (codes, pd.DataFrame(decoder.encode(changed), columns=names))
    scores = {"MIG": mig(codes.to_numpy(), values).score, "OMES": omes(pairs).score}
    every = pd.concat([codes, own])
    return scores | gap(decoder, every[~every.index.duplicated()], measured, given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=16, help="whose latents are moved")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--measured", type=int, default=300, help="real images")
    parser.add_argument(
        "--sources", nargs="*", default=["pretrained/ada_gvae", "pretrained/beta_vae", "pretrained/factor_vae"]
    )
    given = parser.parse_args()
    first = Run.named("pretrained/ada_gvae", "sources")
    data = build_data(first.config, HOW)
    measured = measure_images(data, given.measured, HOW)
    assert measured is not None
    factors = len(data.factors)
    rows = {"the factors": of_factors(np.eye(factors), data, measured, given)}
    rows["the factors, rotated"] = of_factors(ortho_group.rvs(factors, random_state=0), data, measured, given)
    for name in given.sources:
        rows[name] = of_model(load_vae(Run.named(name, "sources"), HOW, "sources"), data, measured, given)
    rows["without training"] = of_model(build_model(first.config, HOW, data).eval(), data, measured, given)
    print(pd.DataFrame(rows).T.to_string(float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
