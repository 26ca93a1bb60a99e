import numpy as np
import pandas as pd
import pytest
import torch

from micrographia.plots.differences import SHOWN, forest_figure, phenotype_figure

CONDITIONS = ("DMSO", "drug")


def differences(count=3, **columns):
    effect = np.linspace(-2, 1, count)
    table = pd.DataFrame({"column": [f"z{n}" for n in range(count)], "effect": effect})
    return table.assign(effect_low=effect - 0.5, effect_high=effect + 0.5, q=0.5, **columns)


def test_rows_are_sorted_by_size_and_significant_ones_filled():
    table = differences().assign(q=[0.01, 0.2, 0.03])
    figure = forest_figure({"latents": table}, CONDITIONS, "8 and 8 wells resampled", "well")
    (panel,) = figure.axes
    assert [label.get_text() for label in panel.get_yticklabels()] == ["z0", "z2", "z1"]
    filled, hollow = panel.lines[1:]
    assert (filled.get_xdata().tolist(), hollow.get_xdata().tolist()) == ([-2.0, 1.0], [-0.5])
    assert hollow.get_markerfacecolor() == "white"
    assert panel.get_title(loc="left") == "latents: 2 of 3 significant"
    assert "drug against DMSO" in figure.get_suptitle()
    assert "q < 0.05 over wells" in figure.get_suptitle()


def test_panels_share_their_scale_and_say_how_many_rows_are_drawn():
    figure = forest_figure({"latents": differences(), "features": differences(30)}, CONDITIONS, "wells")
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert figure.axes[1].get_title(loc="left") == f"features: 0 of 30 significant, {SHOWN} drawn"


def test_without_intervals_nothing_is_called_significant():
    table = differences().assign(effect_low=np.nan, effect_high=np.nan, q=np.nan)
    table.loc[1, "effect"] = np.nan
    figure = forest_figure({"latents": table}, CONDITIONS, "1 and 2 wells: too few")
    assert figure.axes[0].get_title(loc="left") == "latents"
    assert figure.get_suptitle().endswith("too few")
    figure.canvas.draw()
    with pytest.raises(ValueError, match="no differences"):
        forest_figure({}, CONDITIONS, "")


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_changes_of_all_rows_have_one_symmetric_scale(channels):
    pairs = torch.full((3, 2, channels, 8, 8), 0.25)
    pairs[1, 1] = 0.75
    changes = pairs[:, 1] - pairs[:, 0]
    changes[0] = torch.nan
    figure = phenotype_figure(pairs, changes, ["real", "all", "z0"], CONDITIONS, [f"c{n}" for n in range(channels)])
    maps = [image for panel in figure.axes for image in panel.images if image.get_cmap().name == "RdBu_r"]
    assert len(maps) == 2 * channels
    assert {image.get_clim() for image in maps} == {(-0.5, 0.5)}
    assert figure.axes[0].get_title(loc="center") == "DMSO"


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="1 labels for 2 rows"):
        phenotype_figure(torch.zeros(2, 2, 1, 4, 4), torch.zeros(2, 1, 4, 4), ["a"], CONDITIONS, ["grey"])
