"""How much the weights of RLS's three priors matter on simulated assays: random points on cells of the validation part.

    python benchmarks/prior_weights.py [--assays translocation golgi] [--points 20] [--images 8] [--steps 250]
                                       [--factor 8] [--least 0.003] [--most 3] [--runs runs]
                                       [--grid log_p=0.0002,0.0004 p_norm=0.0004,0.0018 cross=0.005,0.015]

Each of log p, p-norm and cross is drawn log-uniformly from ``--least`` to ``--most`` times its published weight, which
is for faces; ``--grid`` takes all combinations of the given weights instead. The published weights and the package's
own are points too. Every point is a run of its own, so that a
killed sweep goes on where it stopped. The tables are sorted by the error of the measurement; the last lines say how
flat the optimum is.
"""

import argparse
import itertools

import numpy as np
import pandas as pd

from micrographia.runs.address import composed
from micrographia.tasks.superresolve import superresolve

PUBLISHED = {"log_p": 0.002, "p_norm": 0.004, "cross": 0.5}
DEFAULT = {"log_p": 0.0005, "p_norm": 0.002, "cross": 0.005}  # conf/objective/rls.yaml
SCORES = {
    "error": "assay_all/mae/rls",
    "r": "assay_all/correlation/rls",
    "AUC": "assay_all/auc/rls",
    "PSNR": "image_all/psnr/rls",
    "SSIM": "image_all/ssim/rls",
    "LR diff": "image_all/lr_residual/rls",
    "flagged": "flagged/rls",
}


def points(given: argparse.Namespace) -> pd.DataFrame:
    """The published weights and the package's, then random ones or those of the grid."""
    if given.grid:
        values = {name: [float(value) for value in text.split(",")] for name, text in map(split_at_sign, given.grid)}
        others = pd.DataFrame(itertools.product(*(values[name] for name in PUBLISHED)), columns=list(PUBLISHED))
    else:
        ends = np.log(given.least), np.log(given.most)
        draws = np.random.default_rng(0).uniform(*ends, (given.points, len(PUBLISHED)))
        others = pd.DataFrame(np.array(list(PUBLISHED.values())) * np.exp(draws), columns=list(PUBLISHED))
    names = ["published", "default", *map(str, range(1, len(others) + 1))]
    return pd.concat([pd.DataFrame([PUBLISHED, DEFAULT]), others]).set_axis(names)


def split_at_sign(text: str) -> tuple[str, str]:
    """Name and values of an axis of the grid."""
    name, _, values = text.partition("=")
    return name, values


def scores(assay: str, weights: dict[str, float], given: argparse.Namespace) -> dict[str, float]:
    """Scores of one run."""
    overrides = [
        *(f"experiment=rls/{assay}" if assay != "translocation" else f"data=synthetic/{assay}",),
        *("~methods.bicubic", "~methods.no_regularization", "part=val", f"images={given.images}"),
        *(f"methods.rls.terms.{name}.weight={weight:.4g}" for name, weight in weights.items()),
        *(f"methods.rls.schedule.steps={given.steps}", f"degradation.steps.reduce.factor={given.factor}"),
        f"how.paths.runs={given.runs}",
    ]
    metrics = superresolve(*composed("superresolve", overrides)).metrics
    return {name: metrics.get(key, np.nan) for name, key in SCORES.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assays", nargs="+", default=["translocation", "golgi"])
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--images", type=int, default=8, help="per condition")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--factor", type=int, default=8)
    parser.add_argument("--least", type=float, default=0.003, help="times the published weight")
    parser.add_argument("--most", type=float, default=3.0, help="times the published weight")
    parser.add_argument("--grid", nargs="+", help="log_p=VALUES p_norm=VALUES cross=VALUES instead of random points")
    parser.add_argument("--runs", default="runs")
    given = parser.parse_args()
    for assay in given.assays:
        weights = points(given)
        found = [scores(assay, row, given) for row in weights.to_dict("records")]
        table = weights.join(pd.DataFrame(found, index=weights.index)).rename_axis("point").reset_index()
        table = table.sort_values("error", ignore_index=True)
        print(f"\n{assay}, {given.factor}x, {given.steps} steps, {given.images} cells per condition")
        print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
        best = table["error"].min()
        near = (table["error"] <= 1.1 * best).mean()
        places = [int(table.index[table["point"] == name][0]) + 1 for name in ("published", "default")]
        print(
            f"within 10 % of the least error: {near:.0%} of the points; the published weights are number {places[0]},"
        )
        print(f"the default ones number {places[1]} of {len(table)}")
        ranks = np.log(table[list(PUBLISHED)]).corrwith(table["error"], method="spearman")
        print("rank correlation with the error: " + ", ".join(f"{name} {value:+.2f}" for name, value in ranks.items()))


if __name__ == "__main__":
    main()
