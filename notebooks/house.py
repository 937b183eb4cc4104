"""How charts and tables of all notebooks look. What is drawn is asked of tables and functions; nothing is counted here.

`trail.mplstyle` has colours, lines and type; here is what a style file cannot say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from matplotlib.transforms import Bbox

plt.style.use(Path(__file__).with_name("trail.mplstyle"))
pd.set_option("display.precision", 3, "display.max_colwidth", None, "display.max_columns", None, "display.width", 120)

BLUE, ORANGE, BLACK, SKY, YELLOW = "#0072B2", "#E69F00", "#000000", "#56B4E9", "#F0E442"
GREY, LIGHT = "#767676", "#c0c0c0"
_APART = 1.35  # lines of text between two labels that must not cover each other


def show(axes: Any, words: str) -> None:
    """Show the figure that axes are of, with words for who cannot see it."""
    display(axes.figure, metadata={"image/png": {"alt": words}})
    plt.close(axes.figure)


def name_rows(axes: Any, names: Iterable[str], unit: str) -> None:
    """Name the rows 0, 1, 2 … of a chart from the top down, and say in which unit it is read across."""
    names = list(names)
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(max(len(names), 1) - 0.4, -0.6), xlabel=unit)
    axes.grid(axis="y", visible=False)


def dots(axes: Any, names: Iterable[str], rows: pd.DataFrame, unit: str, key: str = "feature") -> None:
    """Draw `value` as points from the top down, with `low` to `high` as error bars; an unknown number has no point."""
    found = rows.set_index(key).reindex(list(names))
    around = [(found.value - found.low).clip(lower=0), (found.high - found.value).clip(lower=0)]
    axes.errorbar(found.value, range(len(found)), xerr=around, fmt="o", color=BLUE, label="now")
    name_rows(axes, found.index, unit)


def bars(axes: Any, names: Iterable[str], parts: dict[str, Sequence[float]], unit: str) -> None:
    """Draw bars from the top down, of one part or of several laid end to end; each part has its name in a legend."""
    names = list(names)
    begun = [0.0] * len(names)
    for (part, many), color in zip(parts.items(), (BLUE, SKY, YELLOW), strict=False):
        axes.barh(range(len(names)), many, left=begun, height=0.7, color=color, label=part)
        begun = [left + one for left, one in zip(begun, many, strict=True)]
    name_rows(axes, names, unit)
    thousands(axes.xaxis)
    if len(parts) > 1:
        legend_above(axes)


def legend_above(axes: Any) -> None:
    """Put the legend above the chart, where it covers nothing."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2)


def percent(axis: Any, digits: int = 0, ticks: int = 7) -> None:
    """Write the shares of an axis as per cent."""
    axis.set_major_locator(MaxNLocator(nbins=ticks, steps=(1, 2, 5, 10)))
    axis.set_major_formatter(PercentFormatter(1, decimals=digits))


def points(axis: Any) -> None:
    """Write the differences of shares of an axis as points of per cent."""
    axis.set_major_locator(MaxNLocator(nbins=5, steps=(1, 2, 5, 10)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:+.0f}" if value else "0"))


def thousands(axis: Any) -> None:
    """Write the counts of an axis with commas."""
    axis.set_major_locator(MaxNLocator(integer=True, nbins=7, steps=(1, 2, 5, 10)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def days(axes: Any, of: Iterable[Any]) -> None:
    """Name the days below bars or points at 0, 1, 2 …, and months where they begin; of many days, Mondays only."""
    of = [pd.Timestamp(day) for day in of]
    told = [(at, day) for at, day in enumerate(of) if len(of) <= 16 or day.weekday() == 0]
    months = [day.month for _, day in told]
    names = [
        f"{day:%a}\n{day.day}" + (f"\n{day:%b}" if before != day.month else "")
        for (_, day), before in zip(told, [None, *months], strict=False)
    ]
    axes.set_xticks([at for at, _ in told], names)
    axes.grid(axis="x", visible=False)


def name_ends(axes: Any) -> None:
    """Write the name of each line at its end, instead of a legend, so that no name covers another."""
    axes.figure.canvas.draw()
    to_pixels, to_data = axes.transData, axes.transData.inverted()
    line_height = plt.rcParams["font.size"] * axes.figure.dpi / 72 * _APART
    ends = sorted(
        (to_pixels.transform((line.get_xdata()[-1], line.get_ydata()[-1]))[1], line)
        for line in axes.get_lines()
        if len(line.get_xdata()) and not line.get_label().startswith("_")
    )
    free = float("-inf")
    for height, line in ends:
        free = max(height, free + line_height)
        y = to_data.transform((0, free))[1]
        end = (line.get_xdata()[-1], y)
        axes.annotate(line.get_label(), end, (6, 0), textcoords="offset points", va="center", annotation_clip=False)


def name_points(axes: Any, at: Iterable[tuple[float, float]], names: Iterable[str]) -> None:
    """Write the name of each point beside it, where it covers no other name or point; further off with a line to it."""
    axes.figure.canvas.draw()
    at, names = list(at), list(names)
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in axes.transData.transform(at)] if at else []
    for point, name in zip(at, names, strict=True):
        for far, side in product((8, 20, 34, 50), ((1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1))):
            label = axes.annotate(
                name,
                point,
                (side[0] * far, side[1] * far * 0.8),
                textcoords="offset points",
                ha={1: "left", 0: "center", -1: "right"}[side[0]],
                va="center",
                fontsize=9,
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6} if far > 8 else None,
            )
            label.update_positions(axes.figure.canvas.get_renderer())
            box = Text.get_window_extent(label)  # without the line
            is_inside = axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1
            is_free = is_inside and not any(box.overlaps(other) for other in taken)
            if is_free or (far == 50 and side == (0, -1)):
                taken.append(box)
                break
            label.remove()
