"""The look that all figures share: sizes, colours, markers, labels."""

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import FuncFormatter

Arguments = ParamSpec("Arguments")

INK = "#222222"
FAINT = "#8a8a8a"
GRID = "#e4e4e4"
# Okabe & Ito (2008), told apart with every common colour blindness; without their yellow, too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "^", "s", "D", "v", "P")
PHASE_COLOURS = {"before": "#BCD9EE", "after": "#3C8DC5", "baseline": "#B5B5B5"}
SHADES = "Blues"

# The backend is the caller's, not part of the look.
DEFAULTS: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}
# Where DejaVu lacks a letter: Chinese, Japanese, Korean. Those are taken that are installed.
FALLBACKS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR"),
    *("Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "IPAGothic"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "SimHei"),
    "Arial Unicode MS",
)
STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "text.color": INK,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.useoffset": False,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "lines.solid_capstyle": "round",
}


def in_house_style(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Let a function draw its figure in the house style, whatever the caller's Matplotlib settings are."""

    @wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with mpl.rc_context({**DEFAULTS, **STYLE, "font.family": fonts()}):
            return draw(*args, **kwargs)

    return styled


def fonts() -> list[str]:
    """DejaVu Sans, and what stands in for letters that it lacks: families by name, which a text keeps until drawn."""
    installed = set(get_font_names())
    return ["DejaVu Sans", *(name for name in FALLBACKS if name in installed)]


def panels(rows: int, columns: int, width: float, height: float, share_rows: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of ``rows x columns`` panels and its axes, row by row.

    Parameters
    ----------
    width, height
        Size of the whole figure in inches.
    share_rows
        Whether all panels have one vertical axis.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=share_rows).flat)
    for panel in axes:
        # Matplotlib makes ticks only when it draws, after the style is left: their looks must be set on the axes.
        panel.tick_params(which="both", colors=INK, labelsize=8.5, color=FAINT, width=0.8)
    return figure, axes


def palette(count: int) -> list[tuple[str, str]]:
    """Colour and marker of each of ``count`` classes: the marker changes where colours begin again.

    Examples
    --------
    >>> palette(8)[0], palette(8)[7]
    (('#0072B2', 'o'), ('#0072B2', '^'))
    """
    return [(COLOURS[index % len(COLOURS)], MARKERS[index // len(COLOURS) % len(MARKERS)]) for index in range(count)]


def phase_order(phases: Sequence[str]) -> list[str]:
    """Phases without repeats: before, after, baseline, then others as they come.

    Examples
    --------
    >>> phase_order(["baseline", "after", "before", "after"])
    ['before', 'after', 'baseline']
    """
    known = [phase for phase in PHASE_COLOURS if phase in set(phases)]
    return known + [phase for phase in dict.fromkeys(phases) if phase not in PHASE_COLOURS]


def phase_colour(phase: str) -> str:
    """Colour of a phase; of an unknown one, always the same."""
    return PHASE_COLOURS.get(phase, COLOURS[2])


def broken(name: object, width: int = 26) -> str:
    """A long name in lines of at most ``width`` characters where it can be broken: after spaces, underscores, hyphens.

    Lines that it has already stay.

    Examples
    --------
    >>> print(broken("siphonophore_calycophoran_rocketship_young", 26))
    siphonophore_calycophoran_
    rocketship_young
    """
    lines = []
    for given in str(name).split("\n"):
        lines.append("")
        for piece in re.findall(r"[^ _-]*[ _-]?", given):
            if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
                lines.append("")
            lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def shortened(name: str, longest: int = 28) -> str:
    """A name of at most so many letters; of a longer one its ends, in which names of one set differ most.

    Examples
    --------
    >>> shortened("siphonophore_calycophoran_rocketship_young")
    'siphonophore_c…ketship_young'
    """
    head = longest // 2
    return name if len(name) <= longest else f"{name[:head]}…{name[head + 1 - longest :]}"


def short_number(value: float, _: object = None) -> str:
    """A count as it is spoken: 950, 100k, 1.5M.

    Examples
    --------
    >>> short_number(100_000), short_number(1_500_000), short_number(950)
    ('100k', '1.5M', '950')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


COUNTS = FuncFormatter(short_number)


def signed(value: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """A number with its sign and, where there is one, its interval.

    Examples
    --------
    >>> signed(1.234, 0.9, 1.5), signed(-0.5)
    ('+1.23 [+0.90, +1.50]', '\u22120.50')
    """
    text = f"{value:+.2f}" if np.isnan(low) else f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
    return text.replace("-", "\N{MINUS SIGN}")


def spread(values: np.ndarray) -> float:
    """Standard deviation of repeats (``n - 1``); 0 of a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
