"""Squared norms of codes against those of a standard normal."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import chi2

from micrographia.plots.style import FAINT, INK, in_house_style, palette, panels

SHOWN = (0.002, 0.998)
"""Quantiles of the norms between which a panel shows them."""


@in_house_style
def norm_figure(norms: Mapping[str, NDArray], dimensions: Mapping[str, int]) -> Figure:
    """Draw the distribution of squared norms in each space, over the chi-squared density that a normal has.

    Parameters
    ----------
    norms
        Squared norms ``(n,)`` by the name of the space, one panel each.
    dimensions
        Of each space: the degrees of freedom.

    References
    ----------
    Figure 1 of Gheisari & Genovesio, 2024 (arXiv 2405.19112).
    """
    figure, axes = panels(1, len(norms), 2.2 * len(norms) + 0.4, 2.4)
    (colour, _), *_ = palette(1)
    for axis, (name, values) in zip(axes, norms.items(), strict=True):
        expected = chi2(dimensions[name])
        ends = [*np.quantile(values, SHOWN), *expected.ppf(SHOWN)]
        places = np.linspace(min(ends), max(ends), 400)
        bins = np.histogram_bin_edges(values[(values >= min(ends)) & (values <= max(ends))], 40)
        axis.hist(values, bins.tolist(), density=True, color=colour, alpha=0.55, label="codes")
        axis.plot(places, expected.pdf(places), color=INK, linewidth=1.2, label="chi-squared")
        axis.set_title(name)
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
        axis.set_xlabel("squared norm", color=FAINT)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, handlelength=1)
    return figure
