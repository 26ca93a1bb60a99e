"""How much the weights of RLS's three priors matter on simulated assays: random points on cells of the validation part.

    python benchmarks/prior_weights.py [--assays translocation golgi] [--points 20] [--images 8] [--steps 250]
                                       [--factor 8] [--least 0.003] [--most 3] [--runs runs]

Each of log p, p-norm and cross is drawn log-uniformly from ``--least`` to ``--most`` times its published weight, which
is for faces; the published weights and the package's own are points too. Every point is a run of its own, so that a
killed sweep goes on where it stopped. The tables are sorted by the error of the measurement; the last lines say how
flat the optimum is.
"""

import argparse

import numpy as np
import pandas as pd

from micrographia.runs.address import composed
from micrographia.tasks.superresolve import superresolve

PUBLISHED = {"log_p": 0.002, "p_norm": 0.004, "cross": 0.5}
DEFAULT = {name: 0.1 * weight for name, weight in PUBLISHED.items()}  # conf/inversion/rls.yaml
SCORES = {
    "error": "assay_all/mae/rls",
    "r": "assay_all/correlation/rls",
    "AUC": "assay_all/auc/rls",
    "PSNR": "image_all/psnr/rls",
    "SSIM": "image_all/ssim/rls",
    "LR diff": "image_all/lr_residual/rls",
    "flagged": "flagged/rls",
}


def points(count: int, least: float, most: float) -> pd.DataFrame:
    """The published weights and the package's, then random ones."""
    draws = np.random.default_rng(0).uniform(np.log(least), np.log(most), (count, len(PUBLISHED)))
    drawn = pd.DataFrame(np.array(list(PUBLISHED.values())) * np.exp(draws), columns=list(PUBLISHED))
    names = ["published", "default", *map(str, range(1, count + 1))]
    return pd.concat([pd.DataFrame([PUBLISHED, DEFAULT]), drawn]).set_axis(names)


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
    parser.add_argument("--runs", default="runs")
    given = parser.parse_args()
    for assay in given.assays:
        weights = points(given.points, given.least, given.most)
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
