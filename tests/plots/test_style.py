import matplotlib as mpl
import pandas as pd

from micrographia.plots import style
from micrographia.plots.confusion import confusion_figure
from micrographia.plots.style import palette


def test_figures_look_the_same_whatever_the_callers_settings_are():
    with mpl.rc_context({"font.size": 30, "text.color": "red", "axes.facecolor": "black"}):
        axes = confusion_figure(pd.DataFrame([[1]])).axes[0]
        assert mpl.rcParams["font.size"] == 30
    assert axes.xaxis.label.get_size() == 9
    assert axes.get_facecolor() == (1, 1, 1, 1)


def test_many_classes_have_looks_of_their_own():
    assert len(set(palette(42))) == 42


def test_letters_are_looked_for_in_other_fonts_that_are_installed(monkeypatch):
    monkeypatch.setattr(style, "get_font_names", lambda: ["DejaVu Sans", "Noto Sans CJK JP", "Comic Sans"])
    axes = confusion_figure(pd.DataFrame([[1]])).axes[0]
    assert axes.xaxis.label.get_fontfamily() == ["DejaVu Sans", "Noto Sans CJK JP"]
