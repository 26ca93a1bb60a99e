import numpy as np

from micrographia.plots.norms import norm_figure


def test_a_panel_per_space_shows_the_norms_and_what_a_normal_has():
    draws = np.random.default_rng(0)
    norms = {"Z": draws.chisquare(8, 500), "W": 4 * draws.chisquare(8, 500)}
    figure = norm_figure(norms, {"Z": 8, "W": 8})
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["Z", "W"]
    for axis in figure.axes:
        assert sum(patch.get_height() * patch.get_width() for patch in axis.patches) > 0.9
        places, density = axis.lines[0].get_data()
        assert np.trapezoid(density, places) > 0.95
    assert figure.axes[1].get_xlim()[1] > 2 * figure.axes[0].get_xlim()[1]
