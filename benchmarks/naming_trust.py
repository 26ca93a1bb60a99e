"""When a latent may be called after a hand-made feature: the names that features suggest, beside the true factors.

    python benchmarks/naming_trust.py [--images 1000] [--models ada_gvae beta_vae factor_vae]

Shipped source models encode Texture-dSprites, on which they were trained, and synthetic blood cells, which they have
not seen; of both every factor is known. Latents are named after measured features one to one, as ``micrographia
transfer`` does it, from a rank correlation of .3 on. A name is right if the factor that the latent tells most of
(normalised mutual information above chance) is one that the feature measures, by the mappings below. Right names of
latents that tell less than `LEAST` of it are counted apart.
"""

import argparse
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest

from micrographia.data.datamodule import IndexedImages, spread
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.data.synthetic.texture_dsprites import TextureDSprites
from micrographia.interpretation.measured import periods_of
from micrographia.measure.features import hand_made_features
from micrographia.pretrained import pretrained_folder
from micrographia.runs.run import Run
from micrographia.scores.association import association_above_chance
from micrographia.scores.correlation import Correlations, suggested_names
from micrographia.tasks.assembly import encode, load_vae

MODELS = ("ada_gvae", "beta_vae", "factor_vae")
HOW = {"accelerator": "cpu", "paths": {"runs": "runs", "cache": "cache"}, "progress": False}
BINS = (0.3, 0.5, 0.7, 1.0)
LEAST = 0.05  # share of a factor's entropy, below which a latent tells little of it
COLOUR = ("mean_red", "mean_green", "mean_blue", "hue")
TEXTURE = ("spread_", "haralick_", "lbp_", "granularity_")
# Features, by how their names begin, and the factors that they measure.
SPRITES: dict[tuple[str, ...], set[str]] = {
    ("area", "perimeter"): {"Scale"},
    ("roundness", "solidity", "eccentricity", "elongation"): {"Shape"},
    ("orientation",): {"Orientation"},
    ("position_x",): {"PosX"},
    ("position_y",): {"PosY"},
    COLOUR: {"Color"},
    TEXTURE: {"Texture"},
}
CELLS: dict[tuple[str, ...], set[str]] = {
    ("area", "perimeter"): {"diameter", "nucleus_size"},
    ("roundness", "solidity", "eccentricity", "elongation"): {"lobes", "indentation", "elongation"},
    ("orientation",): {"orientation"},
    ("position_x",): {"shift_x"},
    ("position_y",): {"shift_y"},
    COLOUR: {"basophilia", "granule_basophilia", "stain", "illumination"},
    TEXTURE: {"chromatin", "granularity", "granule_size", "blur", "noise"},
}


def measured(data: IndexedImages, count: int) -> tuple[torch.Tensor, pd.DataFrame, pd.DataFrame]:
    """Indices of test images, their features and their factors."""
    indices = spread(data.indices("test"), count)
    features = hand_made_features(torch.cat(list(data.chunks(indices))).numpy().astype(np.float64))
    features.index = pd.Index(indices.tolist(), name="item")
    factors = data.table(indices).select_dtypes("number").set_axis(features.index)
    return indices, features, factors


def meant(feature: str, mapping: dict[tuple[str, ...], set[str]]) -> set[str]:
    """Factors that a feature measures."""
    return next(factors for names, factors in mapping.items() if feature.startswith(names))


def names_of(codes: pd.DataFrame, features: pd.DataFrame, factors: pd.DataFrame, mapping: dict) -> pd.DataFrame:
    """Named latents: feature, strength, the factor that they tell most of, and whether the feature measures it."""
    found = Correlations(resamples=100).table(codes, features, periods_of(features))
    names = suggested_names(found, BINS[0])
    names = names[names["named"]].rename(columns={"factor": "feature"}).set_index("latent")
    told = association_above_chance(codes, factors).loc[names.index]
    names["factor"], names["share"] = told.idxmax(axis=1), told.max(axis=1)
    right = [row.factor in meant(row.feature, mapping) for row in names.itertuples()]
    return names.assign(right=np.array(right, bool)).reset_index()


def print_mapping(features: pd.DataFrame, factors: pd.DataFrame, mapping: dict[tuple[str, ...], set[str]]) -> None:
    """Which features stand for which factors, and how much the best of them tells of one, which limits every name."""
    told = association_above_chance(features.fillna(features.median()), factors)
    for names, measures in mapping.items():
        rows = [name for name in features if name.startswith(names)]
        best = told.loc[rows, sorted(measures)].stack()
        feature, factor = best.idxmax()
        print(f"  {', '.join(names)}: {', '.join(sorted(measures))}; at best {feature} of {factor}, {best.max():.2f}")


def print_names(names: pd.DataFrame) -> None:
    """Every name, strongest first."""
    for row in names.sort_values("strength", ascending=False).itertuples():
        told = f"{row.factor} ({row.share:.2f})"
        mark = "right" if row.right else "WRONG"
        print(f"  {row.model:11}{row.latent:12}{row.feature:24}{row.strength:6.2f}   tells of {told:28}{mark}")


def print_agreement(names: pd.DataFrame) -> None:
    """How many names are right, by strength."""
    print(f"  {'strength':12}{'names':>6}{'right':>7}{'weakly':>8}{'share':>8}   95 %")
    for low, high in pairwise(BINS):
        chosen = names[(names["strength"] >= low) & (names["strength"] < high + (high == 1))]
        right, weak = int(chosen["right"].sum()), int((chosen["right"] & (chosen["share"] < LEAST)).sum())
        if not len(chosen):
            print(f"  {low:.1f} to {high:.1f}{0:9}")
            continue
        ends = binomtest(right, len(chosen)).proportion_ci(method="wilson")
        interval = f"{ends.low:.2f} to {ends.high:.2f}"
        print(f"  {low:.1f} to {high:.1f}{len(chosen):9}{right:7}{weak:8}{right / len(chosen):8.2f}   {interval}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--models", nargs="+", default=MODELS)
    given = parser.parse_args()
    sets = {"Texture-dSprites (source)": (TextureDSprites(), SPRITES), "synthetic cells (target)": (None, CELLS)}
    everything = []
    for title, (data, mapping) in sets.items():
        data = data or SyntheticCells("cells", size=64)
        data.setup("fit")
        indices, features, factors = measured(data, given.images)
        print(f"{title}: {len(indices)} test images", flush=True)
        print_mapping(features, factors, mapping)
        tables = []
        for name in given.models:
            model = load_vae(Run(pretrained_folder(name)), HOW, "models")
            codes = encode(model, data, indices, model.latent_names)
            tables.append(names_of(codes, features, factors, mapping).assign(model=name))
        table = pd.concat(tables, ignore_index=True)
        print_names(table)
        print_agreement(table)
        everything.append(table)
    print("both sets")
    print_agreement(pd.concat(everything, ignore_index=True))


if __name__ == "__main__":
    main()
