"""Codes in two dimensions, to be looked at: principal components, t-SNE, UMAP."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from micrographia.errors import needing
from micrographia.scores.tables import finite_column

Method = Literal["pca", "tsne", "umap"]

TITLES: dict[str, str] = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
PERPLEXITY = 30.0  # of t-SNE, where there are rows enough
NEIGHBOURS = 15  # of UMAP, likewise
LEAST_ROWS = 4


@dataclass(frozen=True)
class PrincipalComponents:
    """Directions in which codes vary most.

    Attributes
    ----------
    points : DataFrame
        Each row's place on the first components, ``(n, components)``, in code units: PC1, PC2, ...
    loadings : DataFrame
        A row per component, of length 1: what each latent adds to it; the largest in size is positive.
    explained : Series
        Share of the codes' variance along each component, falling, 0..1; 0 where codes are constant.
    """

    points: pd.DataFrame
    loadings: pd.DataFrame
    explained: pd.Series


def principal_components(codes: pd.DataFrame, components: int = 2) -> PrincipalComponents:
    """Project codes on their principal components.

    Latents are centred and keep their scales: one that hardly varies, as those that a VAE does not use, hardly counts.

    Parameters
    ----------
    codes
        Named latents, ``(n, latents)``.
    components
        How many; as many as there are latents or rows where these are fewer.

    Raises
    ------
    ValueError
        If there is no row, or a value is infinite or missing.

    Examples
    --------
    >>> codes = pd.DataFrame({"Scale": [-2.0, 0.0, 2.0], "z1": [0.1, -0.2, 0.1]})
    >>> found = principal_components(codes)
    >>> found.explained.round(3).to_dict()
    {'PC1': 0.993, 'PC2': 0.007}
    >>> found.loadings.loc["PC1", "Scale"].round(2).item()
    1.0
    """
    values = matrix_of(codes)
    with np.errstate(invalid="ignore"):  # of codes that do not vary
        fitted = PCA(min(components, *values.shape), svd_solver="full").fit(values)
    loadings = fitted.components_
    # A component's sign is arbitrary: fixed, so that another machine draws the same figure.
    largest = np.abs(loadings).argmax(axis=1)
    loadings = loadings * np.sign(loadings[np.arange(len(loadings)), largest])[:, None]
    sizes, total = np.square(fitted.singular_values_), float(np.square(values - values.mean(axis=0)).sum())
    names = [f"PC{number + 1}" for number in range(len(loadings))]
    return PrincipalComponents(
        pd.DataFrame((values - values.mean(axis=0)) @ loadings.T, index=codes.index, columns=names),
        pd.DataFrame(loadings, index=pd.Index(names, name="component"), columns=codes.columns),
        pd.Series(sizes / (total or 1.0), index=names, name="explained"),
    )


def t_sne(codes: pd.DataFrame, perplexity: float | None = None, seed: int = 0) -> pd.DataFrame:
    """Places in a plane that keep neighbours together; distances between groups mean little.

    Parameters
    ----------
    codes
        Named latents, ``(n, latents)``.
    perplexity
        About how many neighbours count; None takes `PERPLEXITY`, or a third of the rows where these are few.
    seed
        Of the descent, which begins at the principal components.

    Returns
    -------
    DataFrame of shape ``(n, 2)`` without units, the same for the same seed.

    Raises
    ------
    ValueError
        If there are fewer than `LEAST_ROWS` rows, or a value is infinite or missing.

    References
    ----------
    Van der Maaten and Hinton, Visualizing data using t-SNE, 2008.
    """
    values = matrix_of(codes, LEAST_ROWS)
    wanted = min(PERPLEXITY, (len(values) - 1) / 3) if perplexity is None else perplexity
    start: Any = "pca" if values.shape[1] > 1 and np.ptp(values, axis=0).any() else "random"
    search = TSNE(2, perplexity=wanted, init=start, random_state=seed)
    return pd.DataFrame(search.fit_transform(values), index=codes.index, columns=["t-SNE 1", "t-SNE 2"])


def umap(codes: pd.DataFrame, neighbours: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Places in a plane that keep neighbours together; distances between groups mean little.

    Parameters
    ----------
    codes
        Named latents, ``(n, latents)``.
    neighbours
        How many neighbours count; None takes `NEIGHBOURS`, or all other rows where these are few.
    seed
        Of the layout.

    Returns
    -------
    DataFrame of shape ``(n, 2)`` without units, the same for the same seed.

    Raises
    ------
    UserError
        If the package umap-learn is not installed.
    ValueError
        If there are fewer than `LEAST_ROWS` rows, or a value is infinite or missing.

    References
    ----------
    McInnes, Healy and Melville, UMAP: uniform manifold approximation and projection for dimension reduction, 2018.
    """
    values = matrix_of(codes, LEAST_ROWS)
    package = require_umap()
    count = min(NEIGHBOURS if neighbours is None else neighbours, len(values) - 1)
    # Its spectral start needs more rows than dimensions and a margin.
    start = "spectral" if len(values) > 3 * NEIGHBOURS else "random"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed takes one thread
        found = package.UMAP(n_neighbors=count, init=start, random_state=seed, n_jobs=1).fit_transform(values)
    return pd.DataFrame(found, index=codes.index, columns=["UMAP 1", "UMAP 2"])


def require_umap() -> Any:
    """The package umap-learn.

    Raises
    ------
    UserError
        If it is not installed.
    """
    with needing("a projection by umap", "umap"):
        import umap as package
    return package


def project(codes: pd.DataFrame, method: Method, seed: int = 0) -> pd.DataFrame:
    """Places of the rows in a plane, ``(n, 2)`` or, of one latent by PCA, ``(n, 1)``; columns bear the axes' labels.

    Raises
    ------
    UserError, ValueError
        As `principal_components`, `t_sne` and `umap`.

    Examples
    --------
    >>> list(project(pd.DataFrame({"Scale": [-2.0, 0.0, 2.0], "z1": [0.1, -0.2, 0.1]}), "pca"))
    ['PC1, 99 % of variance', 'PC2, 1 % of variance']
    """
    if method == "tsne":
        return t_sne(codes, seed=seed)
    if method == "umap":
        return umap(codes, seed=seed)
    found = principal_components(codes)
    return found.points.set_axis(
        [f"{name}, {share:.0%} of variance".replace("%", " %") for name, share in found.explained.items()], axis=1
    )


def matrix_of(codes: pd.DataFrame, least: int = 1) -> NDArray[np.float64]:
    """Codes as an array, ``(n, latents)``, checked."""
    if len(codes) < least or not codes.shape[1]:
        raise ValueError(
            f"a projection of {len(codes)} rows of {codes.shape[1]} latents: expected {least} rows or more"
        )
    return np.stack([finite_column(codes, latent) for latent in codes], axis=1)
