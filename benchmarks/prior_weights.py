"""How much the weights of RLS's three priors matter on simulated assays: random points on cells of the validation part.

    python benchmarks/prior_weights.py [--assays translocation golgi] [--points 20] [--images 8] [--steps 250]
                                       [--factor 8] [--span 10] [--runs runs]

Each of log p, p-norm and cross is drawn log-uniformly within ``--span`` times below and above the published weights,
which are for faces; the published ones themselves are the first point. Every point is a run of its own, so that a
killed sweep goes on where it stopped. The tables are sorted by the error of the measurement; the last lines say how
flat the optimum is.
"""

import argparse

import numpy as np
import pandas as pd

from micrographia.runs.address import composed
from micrographia.tasks.superresolve import superresolve

PUBLISHED = {"log_p": 0.002, "p_norm": 0.004, "cross": 0.5}
SCORES = {
    "error": "assay_all/mae/rls",
    "r": "assay_all/correlation/rls",
    "AUC": "assay_all/auc/rls",
    "PSNR": "image_all/psnr/rls",
    "SSIM": "image_all/ssim/rls",
    "LR diff": "image_all/lr_residual/rls",
    "flagged": "flagged/rls",
}


def points(count: int, span: float) -> pd.DataFrame:
    """The published weights, then random ones."""
    draws = np.random.default_rng(0).uniform(-1, 1, (count - 1, len(PUBLISHED)))
    factors = np.concatenate([np.zeros((1, len(PUBLISHED))), draws])
    return pd.DataFrame(np.array(list(PUBLISHED.values())) * span**factors, columns=list(PUBLISHED))


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
    parser.add_argument("--span", type=float, default=10.0)
    parser.add_argument("--runs", default="runs")
    given = parser.parse_args()
    for assay in given.assays:
        weights = points(given.points, given.span)
        found = pd.DataFrame([scores(assay, row, given) for row in weights.to_dict("records")])
        table = weights.join(found)
        table.insert(0, "point", ["published", *(f"{number}" for number in range(1, given.points))])
        table = table.sort_values("error", ignore_index=True)
        print(f"\n{assay}, {given.factor}x, {given.steps} steps, {given.images} cells per condition")
        print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
        best = table["error"].min()
        near = (table["error"] <= 1.1 * best).mean()
        place = int(table.index[table["point"] == "published"][0]) + 1
        print(f"within 10 % of the least error: {near:.0%} of the points; the published weights are number {place}")
        ranks = np.log(table[list(PUBLISHED)]).corrwith(table["error"], method="spearman")
        print("rank correlation with the error: " + ", ".join(f"{name} {value:+.2f}" for name, value in ranks.items()))


if __name__ == "__main__":
    main()
