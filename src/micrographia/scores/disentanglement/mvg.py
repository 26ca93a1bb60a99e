"""Measured variance gap: disentanglement of a decoder by what is measured in its images, without any label."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from micrographia.scores.correlation import LEAST_ROWS, on_circle
from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.mig import gap
from micrographia.scores.disentanglement.result import Score

LEVELS = ("image", "latent", "step")


def mvg(
    moved: pd.DataFrame,
    real: pd.DataFrame,
    periods: Mapping[str, float] | None = None,
    alike: float = 0.7,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> Score:
    """Measured variance gap: how far each measured trait is moved by one latent alone.

    Latent i of an image's code is moved through its range among real images, the other latents staying as they are, and
    the decoded images are measured. ``e_ik``, the mean over images of the variance of feature k along the way over its
    variance among real images, is the total effect of latent i on feature k (Homma and Saltelli, 1996, equation 8: the
    share of variance that is left when all but one input are known), at most 1. The score is the mean over traits of
    the difference between the two latents that move it most, as the mutual information gap has it of information
    (Chen et al., 2018). Features count by their ranks among real images, so that outliers and units do not matter;
    those that real images have in common are one trait: see `distinct_traits`.

    Parameters
    ----------
    moved
        Features of decoded images, indexed by ``image``, ``latent`` and ``step``; NaN where no object was found. Every
        latent takes values that real images are as likely to have, such as quantiles of their codes.
    real
        The same features of real images, shape ``(n, features)``; ideally some hundreds of rows.
    periods
        Period of each feature that is an angle, in its units.
    alike
        Rank correlation among real images above which features are one trait, 0..1.
    n_bootstrap, seed
        Resamples of the images that were moved, for a confidence interval, 0 for none, and their seed.

    Returns
    -------
    Score
        Score in 0..1, higher is better: near 1 where every trait is moved by one latent as far as real images differ,
        0 where latents move nothing that is measured, or each trait in pairs. ``per_factor``: the gap of each trait.
        ``per_latent``: specificity, the difference between the two traits that a latent moves most: 1 where it moves
        one as far as real images differ, and no other. ``matrix`` ``(latents, traits)``: e. ``intervals``: of the
        score and of each trait's gap. Where less than half of a way could be measured, it is left out; what was
        measured nowhere counts as not moved.

    Raises
    ------
    ValueError
        If the tables have other columns, ``moved`` another index, or nothing varies among real images.

    Notes
    -----
    Known failures. It sees only what is measured: a latent of a texture without a feature is one of nothing. A decoder
    that does not render a trait (fine texture of a blurred one) is charged with it. Latents that depend on each other
    are moved to where no real code lies.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> real = pd.DataFrame(generator.random((500, 2)), columns=["area", "hue"])
    >>> steps = np.linspace(0.05, 0.95, 10)
    >>> keys = pd.MultiIndex.from_product([[0, 1], ["scale", "colour"], range(10)], names=["image", "latent", "step"])
    >>> moved = pd.DataFrame({"area": [*steps, *[0.5] * 10] * 2, "hue": [*[0.3] * 10, *steps] * 2}, index=keys)
    >>> round(mvg(moved, real).score, 1)
    1.0
    """
    periods = dict(periods or {})
    if list(moved.columns) != list(real.columns) or tuple(moved.index.names) != LEVELS:
        raise ValueError(f"moved needs the columns of real, and the index {', '.join(LEVELS)}")
    traits = distinct_traits(real, periods, alike)
    if not traits:
        raise ValueError("no feature varies among the real images")
    effects = effects_by_image(moved, real, list(traits), periods)
    images = effects.index.unique("image")

    def scored(rows: NDArray[np.int64]) -> tuple[pd.DataFrame, pd.Series]:
        drawn = pd.concat([by_image[images[row]] for row in rows])
        matrix = drawn.groupby(level="latent", sort=False).mean().fillna(0.0).clip(upper=1.0)
        return matrix, gap(matrix)

    by_image = {image: effects.xs(image, level="image") for image in images}
    matrix, per_trait = scored(np.arange(len(images)))
    intervals = bootstrap_intervals(
        {"score": float(per_trait.mean()), **per_trait},
        lambda rows: {"score": float((gaps := scored(rows)[1]).mean()), **gaps},
        len(images),
        n_bootstrap,
        seed,
    )
    return Score(
        score=float(per_trait.mean()),
        per_factor=per_trait.rename("mvg"),
        per_latent=gap(matrix.T).rename("specificity"),
        matrix=matrix,
        settings={
            "alike": alike,
            "images": len(images),
            "steps": int(moved.groupby(level=["image", "latent"]).size().max()),
            "real images": len(real),
            "traits": {name: list(others) for name, others in traits.items()},
            "measured": float(moved[list(traits)].notna().to_numpy().mean()),
            "n_bootstrap": n_bootstrap,
            "seed": seed,
        },
        intervals=intervals,
    )


def distinct_traits(
    features: pd.DataFrame, periods: Mapping[str, float] | None = None, alike: float = 0.7
) -> dict[str, list[str]]:
    """Features that stand for all: of those that are alike among real images, the one that is most like the others.

    Groups are those of average linkage on 1 - |Spearman's rank correlation|, cut at ``1 - alike``. Angles are traits of
    their own; features that do not vary, or have fewer than `LEAST_ROWS` values, are none.

    Returns
    -------
    dict
        The other features of the group, by the name of the one that stands for it, in the order of the columns.

    Examples
    --------
    >>> area = np.random.default_rng(0).random(50)
    >>> features = pd.DataFrame({"area": area, "perimeter": area**0.5, "hue": area[::-1], "flat": 1.0})
    >>> distinct_traits(features)
    {'area': ['perimeter'], 'hue': []}
    """
    periods = periods or {}
    varied = [str(name) for name in features if features[name].count() >= LEAST_ROWS and features[name].nunique() > 1]
    linear = [name for name in varied if name not in periods]
    groups = {name: [name] for name in varied if name in periods}
    if len(linear) > 1:
        similar = features[linear].corr(method="spearman", min_periods=LEAST_ROWS).abs().fillna(0.0).clip(upper=1.0)
        distances = 1 - similar.to_numpy(copy=True)
        np.fill_diagonal(distances, 0.0)
        labels = fcluster(linkage(squareform(distances, checks=False), "average"), 1 - alike, "distance")
        for label in np.unique(labels):
            members = [name for name, own in zip(linear, labels, strict=True) if own == label]
            groups[str(similar.loc[members, members].sum().idxmax())] = members
    else:
        groups |= {name: [name] for name in linear}
    return {name: [other for other in groups[name] if other != name] for name in varied if name in groups}


def effects_by_image(
    moved: pd.DataFrame, real: pd.DataFrame, traits: list[str], periods: Mapping[str, float]
) -> pd.DataFrame:
    """Variance of each trait along each way over that among real images, a row per image and latent."""
    found = {}
    keys = [moved.index.get_level_values(level) for level in ("image", "latent")]
    for trait in traits:
        own, way = real[trait].dropna().to_numpy(float), moved[trait].to_numpy(float)
        placed = (
            [(ranks_among(own, own), ranks_among(way, own))]
            if trait not in periods
            else list(zip(on_circle(own, periods[trait]).T, on_circle(way, periods[trait]).T, strict=True))
        )
        total = sum(float(np.var(values)) for values, _ in placed)
        ways = [pd.Series(values, index=moved.index).groupby(keys, sort=False) for _, values in placed]
        variance = pd.concat([way.var(ddof=0) for way in ways], axis=1).sum(axis=1)  # quantiles are no random draws
        known = ways[0].count() >= ways[0].size() / 2
        found[trait] = (variance / total).where(known)
    return pd.DataFrame(found).rename_axis(["image", "latent"])


def ranks_among(values: NDArray[np.float64], real: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of real values below each value, ties by half; NaN stays."""
    ordered = np.sort(real)
    ranks = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (2 * len(real))
    return np.where(np.isfinite(values), ranks, np.nan)
