import numpy as np
import pandas as pd

from micrographia.plots.overview import overview_figure

COUNTS = pd.DataFrame({"train": [30, 5], "val": [10, 2], "test": [10, 3]}, index=["alive", "dead"])


def texts(axes):
    return [label.get_text() for label in axes.get_legend().get_texts()]


def test_counts_sizes_and_intensities_are_drawn():
    random = np.random.default_rng(0)
    sides = random.integers(20, 90, (60, 2))
    figure = overview_figure(COUNTS, sides, {"dna": random.random(500), "reporter": random.random(500) ** 2})
    classes, sizes, intensities = figure.axes
    assert [bar.get_width() for bar in classes.patches] == [30, 5, 10, 2, 10, 3]
    assert [label.get_text() for label in classes.get_yticklabels()] == ["alive", "dead"]
    assert texts(sizes) == ["height", "width"]
    assert sizes.get_xlim()[0] < sides.min() < sides.max() < sizes.get_xlim()[1]
    assert texts(intensities) == ["dna", "reporter"]


def test_rendered_images_of_one_size_and_constant_channels_are_drawn():
    figure = overview_figure(COUNTS[["train"]], None, {"grey": np.full(50, 7.0)})
    assert len(figure.axes) == 2
    same = overview_figure(COUNTS, np.full((9, 2), 64), {"red": np.arange(9.0), "green": np.arange(9.0)})
    assert texts(same.axes[2]) == ["red, green"]
    same.canvas.draw()


def test_one_size_is_said_in_words():
    sizes = overview_figure(COUNTS, np.tile([60, 80], (9, 1)), {"grey": np.arange(9.0)}).axes[1]
    assert [text.get_text() for text in sizes.texts] == ["all 80 x 60 px"]
    assert not sizes.patches
