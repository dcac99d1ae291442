"""Results as one picture: a panel for each of the README's rows, logarithmic, the best on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import Family, Row
from benchmarks.table import HIGHLIGHTS, OURS, amount

COLUMNS = 2
OURS_COLOUR, OTHERS_COLOUR = "#d1495b", "#8d99ae"


def save(rows: Sequence[Row], families: Mapping[str, Family], path: Path) -> None:
    """Draw every highlight that was measured."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    shown = [(highlight, row) for highlight in HIGHLIGHTS for row in rows if row.figures and _is(row, highlight)]
    if not shown:
        raise ValueError("nothing was measured that could be drawn")
    lines = -(-len(shown) // COLUMNS)
    figure, axes = plt.subplots(lines, COLUMNS, figsize=(11, 2.1 * lines), squeeze=False)
    for place, panel in enumerate(axes.flat):
        if place >= len(shown):
            panel.set_visible(False)
            continue
        highlight, row = shown[place]
        metric = families[row.family].metrics[row.metric]
        medians = {who: median for who in row.figures if (median := row.median(who))}
        order = sorted(
            medians, key=lambda who: medians[who], reverse=metric.better == "lower"
        )  # the last is drawn on top
        colours = [OURS_COLOUR if who == OURS else OTHERS_COLOUR for who in order]
        figures = [medians[who] for who in order]
        panel.hlines(order, 0, figures, colors="#e5e8ec", zorder=0)
        panel.scatter(figures, order, c=colours, s=36)
        for who, figure_there in medians.items():
            panel.annotate(
                amount(figure_there), (figure_there, who), (6, 0), textcoords="offset points", va="center", fontsize=8
            )
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda figure, _: f"{figure:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.margins(x=0.2, y=0.12)
        panel.set_title(f"{highlight.what} · {metric.unit}, {metric.better} is better", fontsize=9, loc="left")
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _is(row: Row, highlight: tuple[object, ...]) -> bool:
    return (row.family, row.metric, row.setting) == highlight[1:]
